package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Sum adds a + b to the graph, for two tensors of the same shape, of one axis or more.
func Sum(a, b *gorgonia.Node) (*gorgonia.Node, error) { return Apply(sum(a.Shape().Clone()), a, b) }

// NewSum is the op of Sum, for an executor that has the values of a and b but no use for another node.
func NewSum(shape tensor.Shape) Parallel {
	in := input{shape: shape, dtype: tensor.Float32}
	return newFunction(sum(shape), []input{in, in})
}

func sum(shape tensor.Shape) Definition {
	return Definition{
		Name:  "Sum",
		Shape: shape,
		Rows:  []int{0, 1},
		Forward: func(r *Run, part, parts int) {
			lo, hi := SplitRows(shape, part, parts)
			y, b := r.Y[lo:hi], r.Inputs[1][lo:hi]
			for i, a := range r.Inputs[0][lo:hi] {
				y[i] = a + b[i]
			}
		},
		Gradients: []Gradient{{Of: []int{0, 1}}}, // of both, dy itself
	}
}
