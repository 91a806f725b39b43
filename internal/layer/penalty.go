package layer

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// WeightPenalty adds rate·Σw² to the graph, a scalar: the L2 penalty of a layer's weight w, of two axes or more, as Keras's
// kernel_regularizer=l2(rate) has it (book, chapter 11). Its gradient is 2·rate·w.
func WeightPenalty(w *gorgonia.Node, rate float64) (*gorgonia.Node, error) {
	return penalty(rate, w)
}

// ActivityPenalty adds rate·Σy²/count to the graph, a scalar: the L2 penalty of a layer's outputs y, float32 [batch, ...], over the
// count rows whose label is not [Ignored], as Keras's activity_regularizer=l2(rate) has it. labels is int32 [batch].
func ActivityPenalty(y, labels *gorgonia.Node, rate float64) (*gorgonia.Node, error) {
	if labels.Dtype() != tensor.Int32 || !slices.Equal(labels.Shape(), y.Shape()[:min(1, y.Dims())]) {
		return nil, fmt.Errorf("penalty: expected int32 labels [batch] for outputs of shape %v, found %v of %v",
			y.Shape(), labels.Shape(), labels.Dtype())
	}
	return penalty(rate, y, labels)
}

// penalty adds rate·Σx²/count to the graph, for the inputs x or x and labels. Without labels the count is 1.
func penalty(rate float64, inputs ...*gorgonia.Node) (*gorgonia.Node, error) {
	shape := inputs[0].Shape().Clone()
	if len(shape) < 2 {
		return nil, fmt.Errorf("penalty: expected two axes or more, found shape %v", shape)
	}
	n := shape[1:].TotalSize()
	whole := []op.Operand{op.DY}
	if len(inputs) == 2 {
		whole = append(whole, 1) // to count the labels
	}
	return op.Apply(op.Definition{
		Name: "Penalty",
		Forward: func(r *op.Run, _, _ int) {
			x, sum := r.Inputs[0], 0.
			if r.Labels == nil {
				sum = kernel.SumSquares(x)
			}
			for row, label := range r.Labels {
				if label != Ignored {
					sum += kernel.SumSquares(x[row*n : (row+1)*n])
				}
			}
			r.Y[0] = float32(rate * sum / float64(max(counted(r.Labels), 1)))
		},
		Gradients: []op.Gradient{{
			Of:    []int{0},
			Rows:  []op.Operand{0},
			Whole: whole,
			Compute: func(r *op.Run, d [][]float32, part, parts int) {
				factor := float32(2 * rate / float64(max(counted(r.Labels), 1)) * float64(r.DY[0]))
				top, bottom := op.Split(shape[0], part, parts)
				for row := top; row < bottom; row++ {
					dx := d[0][row*n : (row+1)*n]
					if r.Labels != nil && r.Labels[row] == Ignored {
						clear(dx)
						continue
					}
					for j, v := range r.Inputs[0][row*n : (row+1)*n] {
						dx[j] = factor * v
					}
				}
			},
		}},
	}, inputs...)
}

// AddLosses adds the sum of scalar losses to the graph, as the book's loop adds model.losses to the main loss.
func AddLosses(losses ...*gorgonia.Node) (*gorgonia.Node, error) {
	all := make([]int, len(losses))
	for i := range all {
		all[i] = i
	}
	return op.Apply(op.Definition{
		Name: "AddLosses",
		Forward: func(r *op.Run, _, _ int) {
			sum := 0.
			for _, loss := range r.Inputs {
				sum += float64(loss[0])
			}
			r.Y[0] = float32(sum)
		},
		Gradients: []op.Gradient{{Of: all}}, // of each, the gradient of the sum itself
	}, losses...)
}
