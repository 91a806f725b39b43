package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Sum is the op (a, b) → a + b of two float32 tensors of one shape.
type Sum struct {
	Base
	y    *tensor.Dense
	a, b []float32 // of the run
}

// NewSum makes the op for tensors of that shape, of one axis or more.
func NewSum(shape tensor.Shape) *Sum {
	t := Tensor(len(shape))
	return &Sum{Base: NewBase("Sum", t, t, t), y: New(shape...)}
}

// InferShape is the shape of both.
func (s *Sum) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return s.y.Shape(), nil }

// Do computes a + b.
func (s *Sum) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return Do(s, inputs) }

// Bind takes a and b.
func (s *Sum) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return s.y, Read(inputs, &s.a, &s.b)
}

// Part computes a share of the rows.
func (s *Sum) Part(part, parts int) {
	lo, hi := SplitRows(s.y.Shape(), part, parts)
	y, b := s.y.Float32s()[lo:hi], s.b[lo:hi]
	for i, a := range s.a[lo:hi] {
		y[i] = a + b[i]
	}
}

// Aligned is true of both.
func (s *Sum) Aligned(int) bool { return true }

// DiffWRT says that a sum is differentiable in both.
func (s *Sum) DiffWRT(int) []bool { return []bool{true, true} }

// SymDiff is the gradient of the sum, for both.
func (s *Sum) SymDiff(_ gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return gorgonia.Nodes{grad, grad}, nil
}

// DoDiff adds the gradient to those of both, as Gorgonia's LispMachine asks.
func (s *Sum) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	v, err := output.Grad()
	if err != nil {
		return err
	}
	grad, err := Floats(v)
	if err != nil {
		return err
	}
	for _, n := range inputs {
		if err := AddGrad(n, grad); err != nil {
			return err
		}
	}
	return nil
}
