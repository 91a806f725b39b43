// Package layernorm is a hand-written LayerNorm for Gorgonia: the op, its gradient, the layer that owns α and β, and the
// checks that show it to be right.
//
// # Forward
//
// Every vector x along the last axis, of n values, is normalised by its own mean and standard deviation (Ba, Kiros and
// Hinton, "Layer Normalization", 2016):
//
//	μ = mean(x)    σ² = mean((x−μ)²)    x̂ = (x−μ)/s    y = α⊗x̂ + β
//
// The two forms differ in the scale s. [Book] is the formula of exercise 12, chapter 12, of Géron's Hands-On Machine
// Learning, s = σ+ε; [Keras] is that of Keras's LayerNormalization and of PyTorch, s = √(σ²+ε).
//
// # Backward
//
// With g = α⊗dy and d = x−μ, from ∂μ/∂x_j = 1/n and ∂σ/∂x_j = d_j/(nσ):
//
//	Book:   dx_j = (g_j − mean(g))/s − d_j·mean(g⊗d)/(σs²)
//	Keras:  dx_j = (g_j − mean(g))/s − d_j·mean(g⊗d)/s³
//
// As d = s·x̂, both are one expression, with c = s/σ in the book's form and c = 1 in Keras's:
//
//	dx = (g − mean(g) − c·x̂·mean(g⊗x̂))/s    dα = Σ dy⊗x̂    dβ = Σ dy    (sums over the rows)
//
// On a constant row σ = 0, where the book's σ has no derivative; it is taken as 0 (c = 0), so that y = β and
// dx = (g − mean(g))/ε: finite, and the limit of Keras's form but for its √ε.
//
// dx goes row by row and has an op of its own; dα and dβ, which are sums over the rows, have another, that returns dα and
// fills dβ for an op that picks it up.
package layernorm

import (
	"fmt"
	"math"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Form says what a row is divided by.
type Form string

// The forms of LayerNorm.
const (
	Book  Form = "book"  // σ+ε
	Keras Form = "keras" // √(σ²+ε)
)

// DefaultEpsilon is Keras's and the book's 0.001.
const DefaultEpsilon = 1e-3

// Apply adds LayerNorm over the last axis of x to x's graph. x is a float32 node of any rank from 1 on; α and β are vectors
// as long as its last axis; epsilon is positive. The result has the shape of x.
func Apply(x, alpha, beta *gorgonia.Node, form Form, epsilon float64) (*gorgonia.Node, error) {
	if form != Book && form != Keras {
		return nil, fmt.Errorf("layernorm: expected the form %q or %q, found %q", Book, Keras, form)
	}
	if !(epsilon > 0) || math.IsInf(epsilon, 1) {
		return nil, fmt.Errorf("layernorm: expected a positive, finite epsilon, found %v", epsilon)
	}
	for i, n := range []*gorgonia.Node{x, alpha, beta} {
		if n.Dtype() != tensor.Float32 {
			return nil, fmt.Errorf("layernorm: expected a float32 %s, found %v", []string{"input", "alpha", "beta"}[i], n.Dtype())
		}
	}
	shape := x.Shape()
	if len(shape) == 0 {
		return nil, fmt.Errorf("layernorm: expected an input of rank 1 or more, found a scalar")
	}
	features := shape[len(shape)-1]
	want := tensor.Shape{features}
	if !slices.Equal(alpha.Shape(), want) || !slices.Equal(beta.Shape(), want) {
		return nil, fmt.Errorf("layernorm: expected alpha and beta of shape %v for an input of shape %v, found %v and %v",
			want, shape, alpha.Shape(), beta.Shape())
	}
	dims := op.Tensor(len(shape))
	return gorgonia.ApplyOp(&layerNorm{
		Base:    op.NewBase("LayerNorm", dims, dims, op.Vector, op.Vector),
		form:    form,
		epsilon: epsilon,
		y:       op.New(shape...),
		stats:   kernel.NewLayerNormStats(shape.TotalSize() / features),
	}, x, alpha, beta)
}

// layerNorm is the forward op, (x, α, β) → y. It keeps the statistics of its last run for the backward ops.
type layerNorm struct {
	op.Base
	form           Form
	epsilon        float64
	y              *tensor.Dense
	stats          kernel.LayerNormStats
	x, alpha, beta []float32 // of the run
}

// InferShape is the shape of x.
func (l *layerNorm) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return l.y.Shape(), nil }

// Do normalises x.
func (l *layerNorm) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(l, inputs) }

// Bind takes x, α and β.
func (l *layerNorm) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return l.y, op.Read(inputs, &l.x, &l.alpha, &l.beta)
}

// Part normalises a share of x.
func (l *layerNorm) Part(part, parts int) {
	lo, hi, top, bottom := share(l.y.Shape(), part, parts)
	kernel.LayerNorm(l.y.Float32s()[lo:hi], l.x[lo:hi], l.alpha, l.beta, l.epsilon, l.form == Keras, l.stats.Rows(top, bottom))
}

// Aligned is true of x, unless x is a single row: that is one part.
func (l *layerNorm) Aligned(input int) bool { return input == 0 && l.y.Dims() > 1 }

// share is the share of a tensor's first axis, or of one row the whole as the first part: the values from lo and the rows
// along the last axis from top.
func share(shape tensor.Shape, part, parts int) (lo, hi, top, bottom int) {
	features := shape[len(shape)-1]
	if len(shape) == 1 {
		top, bottom = op.Split(1, part, parts)
		return top * features, bottom * features, top, bottom
	}
	lo, hi = op.SplitRows(shape, part, parts)
	return lo, hi, lo / features, hi / features
}

// DiffWRT says that LayerNorm is differentiable in x, α and β.
func (l *layerNorm) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff adds the backward ops, and the one that picks up dβ.
func (l *layerNorm) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(l.inputGrad(), inputs[0], inputs[1], output, grad)
	if err != nil {
		return nil, err
	}
	parameters := l.parameterGrad()
	dAlpha, err := gorgonia.ApplyOp(parameters, inputs[0], output, grad)
	if err != nil {
		return nil, err
	}
	dBeta, err := gorgonia.ApplyOp(op.NewPick("LayerNormDBeta", 1, parameters.dBeta), dAlpha)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{dx, dAlpha, dBeta}, nil
}

// DoDiff adds the gradients to those of the inputs, as Gorgonia's LispMachine asks.
func (l *layerNorm) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	dx, parameters := l.inputGrad(), l.parameterGrad()
	if _, err := dx.Do(inputs[0].Value(), inputs[1].Value(), output.Value(), grad); err != nil {
		return err
	}
	if _, err := parameters.Do(inputs[0].Value(), output.Value(), grad); err != nil {
		return err
	}
	for i, g := range []*tensor.Dense{dx.dx, parameters.dAlpha, parameters.dBeta} {
		if err := op.AddGrad(inputs[i], g.Float32s()); err != nil {
			return err
		}
	}
	return nil
}

func (l *layerNorm) inputGrad() *inputGrad {
	dims := op.Tensor(l.y.Dims())
	return &inputGrad{
		Base:  op.NewBase("LayerNormDX", dims, dims, op.Vector, dims, dims),
		stats: l.stats,
		dx:    op.New(l.y.Shape()...),
	}
}

func (l *layerNorm) parameterGrad() *parameterGrad {
	shape, dims := l.y.Shape(), op.Tensor(l.y.Dims())
	features := shape[len(shape)-1]
	return &parameterGrad{
		Base:   op.NewBase("LayerNormDAlpha", op.Vector, dims, dims, dims),
		stats:  l.stats,
		dAlpha: op.New(features),
		dBeta:  op.New(features),
	}
}

// inputGrad is the backward op of the input, (x, α, y, dy) → dx. It does not read y; it has it as an input so that it runs
// after the forward op, whose statistics it does read.
type inputGrad struct {
	op.Base
	stats        kernel.LayerNormStats
	dx           *tensor.Dense
	x, alpha, dy []float32 // of the run
}

// InferShape is the shape of x.
func (g *inputGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return g.dx.Shape(), nil }

// Do computes dx.
func (g *inputGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(g, inputs) }

// Bind takes x, α and dy.
func (g *inputGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return g.dx, op.Read(inputs, &g.x, &g.alpha, nil, &g.dy)
}

// Part computes a share of dx.
func (g *inputGrad) Part(part, parts int) {
	lo, hi, top, bottom := share(g.dx.Shape(), part, parts)
	kernel.LayerNormGrad(g.dx.Float32s()[lo:hi], g.dy[lo:hi], g.x[lo:hi], g.alpha, g.stats.Rows(top, bottom))
}

// Aligned is true of all but α, unless x is a single row.
func (g *inputGrad) Aligned(input int) bool { return input != 1 && g.dx.Dims() > 1 }

// parameterGrad is the backward op of the parameters, (x, y, dy) → dα. It fills dβ too, for an op that picks it up. Of y the
// same is true as in inputGrad.
type parameterGrad struct {
	op.Base
	stats         kernel.LayerNormStats
	dAlpha, dBeta *tensor.Dense
	x, dy         []float32 // of the run
}

// InferShape is the shape of α.
func (g *parameterGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return g.dAlpha.Shape(), nil
}

// Do computes dα and dβ.
func (g *parameterGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(g, inputs) }

// Bind takes x and dy.
func (g *parameterGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return g.dAlpha, op.Read(inputs, &g.x, nil, &g.dy)
}

// Part computes a share of dα and of dβ.
func (g *parameterGrad) Part(part, parts int) {
	left, right := op.Split(g.dAlpha.Shape()[0], part, parts)
	kernel.LayerNormParameterGrad(g.dAlpha.Float32s(), g.dBeta.Float32s(), g.dy, g.x, g.stats, left, right)
}

// Aligned is true of no input: each entry is a sum over the rows.
func (g *parameterGrad) Aligned(int) bool { return false }
