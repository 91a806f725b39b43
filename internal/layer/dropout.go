package layer

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// DefaultDropout is the rate of a dropout layer that names none (book, chapter 11).
const DefaultDropout = 0.2

// Dropout sets a fraction of the values to 0 in training.
type Dropout struct{ Rate float64 }

func readDropout(r *reader, _ string) (Layer, error) {
	if !r.skip(':') {
		return Dropout{DefaultDropout}, nil
	}
	rate, err := r.rate("dropout:0.2")
	return Dropout{rate}, err
}

// rate reads a rate of dropping.
func (r *reader) rate(example string) (float64, error) {
	at := r.at
	rate, err := strconv.ParseFloat(r.number(), 64)
	if err != nil || !(rate >= 0 && rate < 1) {
		r.at = at
		return 0, r.wrong(at, "expected a rate from 0 to below 1, as in "+example+", found "+r.found())
	}
	return rate, nil
}

// String has the rate.
func (d Dropout) String() string {
	return "dropout:" + rateText(d.Rate)
}

func rateText(rate float64) string { return strconv.FormatFloat(rate, 'f', -1, 64) }

// Word is dropout.
func (Dropout) Word() string { return "dropout" }

// Output is the shape of the input.
func (Dropout) Output(in Shape) (Shape, error) { return in, nil }

// Parameters are none.
func (Dropout) Parameters(Shape, *Activation) []Parameter { return nil }

// Apply adds dropout, in training only.
func (d Dropout) Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error) {
	if !c.Training || d.Rate == 0 {
		return x, nil
	}
	return ApplyDropout(x, c.Name, d.Rate, c.Draw)
}

// Draw determines the masks of a graph's dropout layers and residual blocks. A run of the graph reads it at its beginning. The same Draw
// gives the same masks, so a resumed run has the masks of an uninterrupted one.
type Draw struct {
	Seed uint64 // of the run
	Step uint64 // of the solvers
	Row  int    // number of the batch's first row among the rows of the step; not 0 where a step takes several batches
}

// ApplyDropout adds y = x⊗m/(1−rate) to the graph (Srivastava et al., "Dropout", 2014). Each entry of the mask m is 0 with the
// probability rate, else 1. x is [batch, ...], and rate is from 0 to below 1. The division is there so that evaluation can leave the
// layer out. The gradient is dx = dy⊗m/(1−rate).
//
// An entry of the mask depends on the draw, the layer's name, and the entry's place among all rows of the step. It depends neither
// on the number of threads nor on whether a step takes its samples in one batch or in several.
//
// Gorgonia's own dropout draws from the clock, and its gradient is wrong.
func ApplyDropout(x *gorgonia.Node, name string, rate float64, draw *Draw) (*gorgonia.Node, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("dropout: expected a rate from 0 to below 1, found %v", rate)
	}
	if x.Dims() < 2 {
		return nil, fmt.Errorf("dropout: expected an input [batch, ...], found shape %v", x.Shape())
	}
	return drop(x, "Dropout", "dropout "+name, rate, 1, draw)
}

// ApplyStochasticDepth adds y = x⊗m/(1−rate) to the graph, where all values of a sample have one entry of the mask m (Huang et al.,
// "Deep Networks with Stochastic Depth", 2016). x is the output of a residual block's layers. The paper multiplies by 1−rate in
// evaluation; the division in training has the same means, and evaluation needs no layer. Otherwise it is [ApplyDropout].
func ApplyStochasticDepth(x *gorgonia.Node, name string, rate float64, draw *Draw) (*gorgonia.Node, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("stochastic depth: expected a rate from 0 to below 1, found %v", rate)
	}
	if x.Dims() < 2 {
		return nil, fmt.Errorf("stochastic depth: expected an input [batch, ...], found shape %v", x.Shape())
	}
	return drop(x, "StochasticDepth", "depth "+name, rate, x.Shape()[1:].TotalSize(), draw)
}

// drop adds the op of that kind, whose mask has one draw for each unit of consecutive values. The key tells its draws from other layers'.
func drop(x *gorgonia.Node, kind, key string, rate float64, unit int, draw *Draw) (*gorgonia.Node, error) {
	h := fnv.New64a()
	h.Write([]byte(key))
	layer, shape := h.Sum64(), x.Shape().Clone()
	mask, sample := make([]uint32, shape.TotalSize()), shape[1:].TotalSize()
	draws := mask
	if unit > 1 {
		draws = make([]uint32, len(mask)/unit)
	}
	var random rand.PCG
	var run uint64 // key of the run
	var row int
	return op.Apply(op.Definition{
		Name:  kind,
		Shape: shape,
		Rows:  []int{0},
		Bind: func(*op.Run) error {
			random.Seed(draw.Seed, draw.Step)
			run, row = random.Uint64()^layer, draw.Row
			return nil
		},
		Forward: func(r *op.Run, part, parts int) {
			lo, hi := op.SplitRows(shape, part, parts)
			kernel.DropoutMask(draws[lo/unit:hi/unit], run, uint64((row*sample+lo)/unit), rate)
			for i := lo; unit > 1 && i < hi; i++ {
				mask[i] = draws[i/unit]
			}
			kernel.Drop(r.Y[lo:hi], r.Inputs[0][lo:hi], mask[lo:hi], rate)
		},
		Gradients: []op.Gradient{{
			Of:   []int{0},
			Rows: []op.Operand{op.DY, op.Forward}, // for the mask
			Compute: func(r *op.Run, d [][]float32, part, parts int) {
				lo, hi := op.SplitRows(shape, part, parts)
				kernel.Drop(d[0][lo:hi], r.DY[lo:hi], mask[lo:hi], rate)
			},
		}},
	}, x)
}
