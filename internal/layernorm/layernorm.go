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
// dx is computed row by row. dα and dβ are sums over the rows and come out of one pass.
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

// Apply adds LayerNorm over the last axis of x to x's graph. x is a float32 node with one axis or more. α and β are vectors as
// long as its last axis, and epsilon is positive. The result has the shape of x.
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
	n := &norm{form, epsilon, shape.Clone(), features, kernel.NewLayerNormStats(shape.TotalSize() / features)}
	serial := len(shape) == 1 // a single vector
	return op.Apply(op.Definition{
		Name:    "LayerNorm",
		Inputs:  []string{"X", "Alpha", "Beta"},
		Shape:   n.shape,
		Rows:    []int{0},
		Serial:  serial,
		Forward: n.forward,
		Gradients: []op.Gradient{
			{Of: []int{0}, Rows: []op.Operand{op.DY, op.Forward}, Serial: serial, Compute: n.dx},
			{Of: []int{1, 2}, Whole: []op.Operand{op.DY, op.Forward}, Compute: n.parameters},
		},
	}, x, alpha, beta)
}

// norm is a LayerNorm. It keeps the statistics of the forward pass for the gradients.
type norm struct {
	form     Form
	epsilon  float64
	shape    tensor.Shape
	features int
	stats    kernel.LayerNormStats // of each row along the last axis
}

// forward normalises a part of x.
func (n *norm) forward(r *op.Run, part, parts int) {
	lo, hi := op.SplitRows(n.shape, part, parts)
	kernel.LayerNorm(r.Y[lo:hi], r.Inputs[0][lo:hi], r.Inputs[1], r.Inputs[2], n.epsilon, n.form == Keras, n.stats.Rows(lo/n.features, hi/n.features))
}

// dx computes a part of dx.
func (n *norm) dx(r *op.Run, d [][]float32, part, parts int) {
	lo, hi := op.SplitRows(n.shape, part, parts)
	kernel.LayerNormGrad(d[0][lo:hi], r.DY[lo:hi], r.Inputs[0][lo:hi], r.Inputs[1], n.stats.Rows(lo/n.features, hi/n.features))
}

// parameters computes a part of dα and dβ.
func (n *norm) parameters(r *op.Run, d [][]float32, part, parts int) {
	left, right := op.Split(n.features, part, parts)
	kernel.LayerNormParameterGrad(d[0], d[1], r.DY, r.Inputs[0], n.stats, left, right)
}
