package layer

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Draw is what the masks of a graph's dropout layers are drawn from. The next run of the graph takes it as it is then: what has
// the same Draw has the same masks, after a resume as before.
type Draw struct {
	Seed uint64 // of the run
	Step uint64 // of the solvers
	Row  int    // of the step's samples, the number of the batch's first: not 0 where a step takes several batches
}

// Dropout adds y = x⊗m/(1−rate) to the graph (Srivastava et al., "Dropout", 2014; inverted, so that evaluation leaves the layer
// out): x is [batch, n], rate from 0 to below 1, and each entry of m is 0 with the probability rate, else 1. Whether it is depends
// on the draw, the layer's name, and the entry's place among all rows of the step; so neither the number of threads changes it, nor
// whether a step takes its samples in one batch or in several.
//
// Gorgonia's own draws from the clock, and its gradient is wrong.
func Dropout(x *gorgonia.Node, name string, rate float64, draw *Draw) (*gorgonia.Node, error) {
	if !(rate >= 0 && rate < 1) {
		return nil, fmt.Errorf("dropout: expected a rate from 0 to below 1, found %v", rate)
	}
	if x.Dims() != 2 {
		return nil, fmt.Errorf("dropout: expected an input [batch,n], found shape %v", x.Shape())
	}
	h := fnv.New64a()
	h.Write([]byte("dropout " + name))
	return gorgonia.ApplyOp(&dropout{
		Base:  op.NewBase("Dropout", op.Matrix, op.Matrix),
		layer: h.Sum64(),
		rate:  rate,
		draw:  draw,
		y:     op.New(x.Shape()...),
		mask:  make([]uint32, x.Shape().TotalSize()),
	}, x)
}

// dropout is the forward op, x → y. It keeps the mask of its last run for the backward op.
type dropout struct {
	op.Base
	layer  uint64 // the hash of its name
	rate   float64
	draw   *Draw
	random rand.PCG
	y      *tensor.Dense
	mask   []uint32

	key uint64 // of the run
	row int
	x   []float32
}

// InferShape is the shape of x.
func (d *dropout) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return d.y.Shape(), nil }

// Do computes y.
func (d *dropout) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(d, inputs) }

// Bind takes x and the draw.
func (d *dropout) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	d.random.Seed(d.draw.Seed, d.draw.Step)
	d.key, d.row = d.random.Uint64()^d.layer, d.draw.Row
	return d.y, op.Read(inputs, &d.x)
}

// Part computes a share of the rows.
func (d *dropout) Part(part, parts int) {
	lo, hi := op.SplitRows(d.y.Shape(), part, parts)
	kernel.DropoutMask(d.mask[lo:hi], d.key, uint64(d.row*d.y.Shape()[1]+lo), d.rate)
	kernel.Drop(d.y.Float32s()[lo:hi], d.x[lo:hi], d.mask[lo:hi], d.rate)
}

// Aligned is true of x.
func (d *dropout) Aligned(int) bool { return true }

// DiffWRT says that dropout is differentiable in x.
func (d *dropout) DiffWRT(int) []bool { return []bool{true} }

// SymDiff adds dx = dy⊗m/(1−rate).
func (d *dropout) SymDiff(_ gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(d.backward(), output, grad)
	return gorgonia.Nodes{dx}, err
}

// DoDiff adds the gradient to that of x, as Gorgonia's LispMachine asks.
func (d *dropout) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	return op.DoGrad(inputs[0], d.backward(), output.Value(), grad)
}

func (d *dropout) backward() *dropoutGrad {
	return &dropoutGrad{
		Base: op.NewBase("DropoutGrad", op.Matrix, op.Matrix, op.Matrix),
		rate: d.rate,
		mask: d.mask,
		dx:   op.New(d.y.Shape()...),
	}
}

// dropoutGrad is the backward op, (y, dy) → dx. It does not read y; it has it as an input so that it runs after the forward op,
// whose mask it does read.
type dropoutGrad struct {
	op.Base
	rate float64
	mask []uint32
	dx   *tensor.Dense
	dy   []float32 // of the run
}

// InferShape is the shape of x.
func (d *dropoutGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return d.dx.Shape(), nil
}

// Do computes dx.
func (d *dropoutGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(d, inputs) }

// Bind takes dy.
func (d *dropoutGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return d.dx, op.Read(inputs, nil, &d.dy)
}

// Part computes a share of the rows.
func (d *dropoutGrad) Part(part, parts int) {
	lo, hi := op.SplitRows(d.dx.Shape(), part, parts)
	kernel.Drop(d.dx.Float32s()[lo:hi], d.dy[lo:hi], d.mask[lo:hi], d.rate)
}

// Aligned is true of every input.
func (d *dropoutGrad) Aligned(int) bool { return true }
