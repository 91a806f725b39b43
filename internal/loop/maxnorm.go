package loop

import (
	"math"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/op"
)

// constrain limits, after a step, the norm of the weights of each unit to MaxNorm (book, chapter 11, "Max-Norm Regularization"). A
// unit is a column of a weight [in, out]. Biases, α and β are vectors and are left alone. Frozen groups never change.
func (t *Trainer) constrain() error {
	if t.MaxNorm == 0 {
		return nil
	}
	c := &t.columns
	c.weights, c.widths, c.limit = c.weights[:0], c.widths[:0], t.MaxNorm
	for _, group := range t.Graph.Groups {
		for _, p := range group.Parameters {
			if err := c.take(p); err != nil {
				return err
			}
		}
	}
	t.Team.Run(c)
	return nil
}

// columns are the weights whose columns are constrained.
type columns struct {
	weights [][]float32
	widths  []int       // of the rows of each
	squares [][]float64 // of the columns of each
	limit   float64
}

// take adds a parameter if it is a matrix.
func (c *columns) take(p gorgonia.ValueGrad) error {
	value := p.Value()
	if value.Shape().Dims() != 2 {
		return nil
	}
	values, err := op.Floats(value)
	if err != nil {
		return err
	}
	c.weights, c.widths = append(c.weights, values), append(c.widths, value.Shape()[1])
	if len(c.squares) < len(c.weights) { // in the first step
		c.squares = append(c.squares, make([]float64, value.Shape()[1]))
	}
	return nil
}

// Do constrains a share of the columns of each weight, as a [team.Job]. A column is summed in the order of its rows.
func (c *columns) Do(part, parts int) {
	for i, w := range c.weights {
		width := c.widths[i]
		lo, hi := op.Share(width, part, parts)
		squares := c.squares[i][lo:hi]
		clear(squares)
		for row := 0; row < len(w); row += width {
			for j, v := range w[row+lo : row+hi] {
				squares[j] += float64(v) * float64(v)
			}
		}
		for j, sum := range squares {
			norm := math.Sqrt(sum)
			if !(norm > c.limit) {
				continue
			}
			for at := lo + j; at < len(w); at += width {
				w[at] = float32(float64(w[at]) * (c.limit / norm))
			}
		}
	}
}
