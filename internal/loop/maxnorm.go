package loop

import (
	"math"

	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
	"fmtrain/internal/op"
)

// constrain limits, after a step, the norm of the weights of each unit to MaxNorm (book, chapter 11, "Max-Norm Regularization"). A
// unit is a column of a weight [in, out], or an output channel of a convolution's. Biases, α and β are left alone, and so are frozen groups, which no step changes.
func (t *Trainer) constrain() {
	if t.MaxNorm == 0 {
		return
	}
	c := &t.columns
	if c.weights == nil { // the first step
		c.maximum = t.MaxNorm
		for _, group := range t.Graph.Groups {
			for _, p := range group.Parameters {
				if p.Role() == layer.Weight {
					c.add(p.Tensor())
				}
			}
		}
	}
	t.Team.Run(c)
}

// columns are the weights whose columns are constrained.
type columns struct {
	weights [][]float32
	widths  []int       // of the rows of each
	squares [][]float64 // of the columns of each
	maximum float64
}

// add adds a weight. Its last axis is the units.
func (c *columns) add(weight *tensor.Dense) {
	shape := weight.Shape()
	width := shape[len(shape)-1]
	c.weights, c.widths = append(c.weights, weight.Float32s()), append(c.widths, width)
	c.squares = append(c.squares, make([]float64, width))
}

// Do constrains a share of the columns of each weight, as a [team.Job]. A column is summed in the order of its rows.
func (c *columns) Do(part, parts int) {
	for i, w := range c.weights {
		width := c.widths[i]
		lo, hi := op.Split(width, part, parts)
		squares := c.squares[i][lo:hi]
		clear(squares)
		for row := 0; row < len(w); row += width {
			for j, v := range w[row+lo : row+hi] {
				squares[j] += float64(float64(v) * float64(v))
			}
		}
		for j, sum := range squares {
			norm := math.Sqrt(sum)
			if !(norm > c.maximum) {
				continue
			}
			for at := lo + j; at < len(w); at += width {
				w[at] = float32(float64(w[at]) * (c.maximum / norm))
			}
		}
	}
}
