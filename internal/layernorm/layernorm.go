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
// The backward op returns dx, and fills dα and dβ in the same pass for two ops that pick them up.
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

// layerNorm is the forward op, (x, α, β) → y. It keeps the statistics of its last run for the backward op.
type layerNorm struct {
	op.Base
	form    Form
	epsilon float64
	y       *tensor.Dense
	stats   kernel.LayerNormStats
}

// InferShape is the shape of x.
func (l *layerNorm) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return l.y.Shape(), nil }

// Do normalises x.
func (l *layerNorm) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	var x, alpha, beta []float32
	if err := op.Read(inputs, &x, &alpha, &beta); err != nil {
		return nil, err
	}
	kernel.LayerNorm(l.y.Float32s(), x, alpha, beta, l.epsilon, l.form == Keras, l.stats)
	return l.y, nil
}

// DiffWRT says that LayerNorm is differentiable in x, α and β.
func (l *layerNorm) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff adds the backward op, which returns dx, and the two that pick up dα and dβ.
func (l *layerNorm) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	back := l.backward()
	dx, err := gorgonia.ApplyOp(back, inputs[0], inputs[1], output, grad)
	if err != nil {
		return nil, err
	}
	dims := output.Dims()
	dAlpha, err := gorgonia.ApplyOp(op.NewPick("LayerNormDAlpha", dims, back.dAlpha), dx)
	if err != nil {
		return nil, err
	}
	dBeta, err := gorgonia.ApplyOp(op.NewPick("LayerNormDBeta", dims, back.dBeta), dx)
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
	back := l.backward()
	if _, err := back.Do(inputs[0].Value(), inputs[1].Value(), output.Value(), grad); err != nil {
		return err
	}
	for i, g := range []*tensor.Dense{back.dx, back.dAlpha, back.dBeta} {
		if err := op.AddGrad(inputs[i], g.Float32s()); err != nil {
			return err
		}
	}
	return nil
}

func (l *layerNorm) backward() *layerNormGrad {
	shape := l.y.Shape()
	features := shape[len(shape)-1]
	dims := op.Tensor(len(shape))
	return &layerNormGrad{
		Base:   op.NewBase("LayerNormGrad", dims, dims, op.Vector, dims, dims),
		stats:  l.stats,
		dx:     op.New(shape...),
		dAlpha: op.New(features),
		dBeta:  op.New(features),
	}
}

// layerNormGrad is the backward op, (x, α, y, dy) → dx. It does not read y; it has it as an input so that it runs after the
// forward op, whose statistics it does read.
type layerNormGrad struct {
	op.Base
	stats             kernel.LayerNormStats
	dx, dAlpha, dBeta *tensor.Dense
}

// InferShape is the shape of x.
func (l *layerNormGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return l.dx.Shape(), nil
}

// Do computes dx, dα and dβ, and returns dx.
func (l *layerNormGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	var x, alpha, dy []float32
	if err := op.Read(inputs, &x, &alpha, nil, &dy); err != nil {
		return nil, err
	}
	kernel.LayerNormGrad(l.dx.Float32s(), dy, x, alpha, l.stats)
	kernel.LayerNormParameterGrad(l.dAlpha.Float32s(), l.dBeta.Float32s(), dy, x, l.stats, 0, len(alpha))
	return l.dx, nil
}
