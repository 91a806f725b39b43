// Package layer holds the ops that a classifier is made of besides LayerNorm: dense layers, activations, dropout and the loss
// of a batch, each a hand-written Gorgonia op with its gradient.
//
// They replace Gorgonia's own, some of which are wrong (its softmax takes the row maximum from the whole tensor's first
// element) and all of which allocate at each run.
package layer

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Dense adds y = xW + b to the graph: x is [batch, in], W [in, out], b [out] and y [batch, out], all float32.
func Dense(x, w, b *gorgonia.Node) (*gorgonia.Node, error) {
	xs, ws, bs := x.Shape(), w.Shape(), b.Shape()
	if len(xs) != 2 || len(ws) != 2 || len(bs) != 1 || xs[1] != ws[0] || ws[1] != bs[0] {
		return nil, fmt.Errorf("dense: expected input [batch,in], weight [in,out] and bias [out], found %v, %v and %v", xs, ws, bs)
	}
	return gorgonia.ApplyOp(&dense{
		Base: op.NewBase("Dense", op.Matrix, op.Matrix, op.Matrix, op.Vector),
		y:    op.New(xs[0], ws[1]),
	}, x, w, b)
}

// dense is the forward op, (x, W, b) → y.
type dense struct {
	op.Base
	y       *tensor.Dense
	x, w, b []float32 // of the run
}

// InferShape is [batch, out].
func (d *dense) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return d.y.Shape(), nil }

// Do computes xW + b.
func (d *dense) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(d, inputs) }

// Bind takes x, W and b.
func (d *dense) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return d.y, op.Read(inputs, &d.x, &d.w, &d.b)
}

// Part computes a share of the rows.
func (d *dense) Part(part, parts int) {
	in, out := len(d.w)/len(d.b), len(d.b)
	top, bottom := op.Split(d.y.Shape()[0], part, parts)
	kernel.MatMulBias(d.y.Float32s()[top*out:bottom*out], d.x[top*in:bottom*in], d.w, d.b, bottom-top, in, out)
}

// Aligned is true of x.
func (d *dense) Aligned(input int) bool { return input == 0 }

// DiffWRT says that the layer is differentiable in x, W and b.
func (d *dense) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff adds dx = dy·Wᵀ, dW = xᵀ·dy and db = Σ dy (over the batch) as three nodes, so that an executor can leave out dx
// where nothing asks for it, as in the first layer.
func (d *dense) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	x, w, b := inputs[0], inputs[1], inputs[2]
	dx, err := gorgonia.ApplyOp(newDenseDX(x.Shape()), grad, w)
	if err != nil {
		return nil, err
	}
	dw, err := gorgonia.ApplyOp(newDenseDW(w.Shape()), x, grad, w)
	if err != nil {
		return nil, err
	}
	db, err := gorgonia.ApplyOp(newDenseDB(b.Shape()), grad)
	if err != nil {
		return nil, err
	}
	return gorgonia.Nodes{dx, dw, db}, nil
}

// DoDiff adds the gradients to those of the inputs, as Gorgonia's LispMachine asks.
func (d *dense) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	x, w, b := inputs[0], inputs[1], inputs[2]
	gradients := []struct {
		of   *gorgonia.Node
		op   gorgonia.Op
		args []gorgonia.Value
	}{
		{x, newDenseDX(x.Shape()), []gorgonia.Value{grad, w.Value()}},
		{w, newDenseDW(w.Shape()), []gorgonia.Value{x.Value(), grad, w.Value()}},
		{b, newDenseDB(b.Shape()), []gorgonia.Value{grad}},
	}
	for _, g := range gradients {
		if err := op.DoGrad(g.of, g.op, g.args...); err != nil {
			return err
		}
	}
	return nil
}

// denseDX is the gradient of the input, (dy, W) → dy·Wᵀ.
type denseDX struct {
	op.Base
	dx    *tensor.Dense
	dy, w []float32 // of the run
}

func newDenseDX(shape tensor.Shape) *denseDX {
	return &denseDX{Base: op.NewBase("DenseDX", op.Matrix, op.Matrix, op.Matrix), dx: op.New(shape...)}
}

// InferShape is the shape of x.
func (d *denseDX) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return d.dx.Shape(), nil }

// Do computes dy·Wᵀ.
func (d *denseDX) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(d, inputs) }

// Bind takes dy and W.
func (d *denseDX) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return d.dx, op.Read(inputs, &d.dy, &d.w)
}

// Part computes a share of the rows.
func (d *denseDX) Part(part, parts int) {
	batch, in := d.dx.Shape()[0], d.dx.Shape()[1]
	out := len(d.w) / in
	dy, w, dx := kernel.RowMajor(d.dy, batch, out), kernel.RowMajor(d.w, in, out), kernel.RowMajor(d.dx.Float32s(), batch, in)
	top, bottom := op.Split(batch, part, parts)
	kernel.Gemm(dx.Rows(top, bottom), dy.Rows(top, bottom), w.T(), 1, 0)
}

// Aligned is true of dy.
func (d *denseDX) Aligned(input int) bool { return input == 0 }

// denseDW is the gradient of the weight, (x, dy, W) → xᵀ·dy. It does not read W; it takes the share of W over that the same
// member of a team will update, while it computes.
type denseDW struct {
	op.Base
	dw       *tensor.Dense
	x, dy, w []float32 // of the run
}

func newDenseDW(shape tensor.Shape) *denseDW {
	return &denseDW{Base: op.NewBase("DenseDW", op.Matrix, op.Matrix, op.Matrix, op.Matrix), dw: op.New(shape...)}
}

// InferShape is the shape of W.
func (d *denseDW) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return d.dw.Shape(), nil }

// Do computes xᵀ·dy.
func (d *denseDW) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(d, inputs) }

// Bind takes x, dy and W.
func (d *denseDW) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return d.dw, op.Read(inputs, &d.x, &d.dy, &d.w)
}

const (
	takenRows   = 44      // of W that are taken over at a time: their writes pass while as many rows of the gradient are computed
	takenValues = 1 << 17 // the largest share of W that is still in the caches when it is updated
)

// Part computes a share of the rows of W, which are columns of x.
func (d *denseDW) Part(part, parts int) {
	in, out := d.dw.Shape()[0], d.dw.Shape()[1]
	batch := len(d.x) / in
	x, dy, dw := kernel.RowMajor(d.x, batch, in), kernel.RowMajor(d.dy, batch, out), kernel.RowMajor(d.dw.Float32s(), in, out)
	first, last := op.Split(in, part, parts)
	rows := last - first
	taken := parts > 1 && rows*out <= takenValues
	if taken {
		rows = takenRows
	}
	for ; first < last; first += rows {
		bottom := min(first+rows, last)
		if taken {
			kernel.ClaimCacheLines(d.w[first*out : bottom*out])
		}
		kernel.Gemm(dw.Rows(first, bottom), x.T().Rows(first, bottom), dy, 1, 0)
	}
}

// Aligned is true of no input: each entry is a sum over the batch.
func (d *denseDW) Aligned(int) bool { return false }

// denseDB is the gradient of the bias, dy → Σ dy over the batch.
type denseDB struct {
	op.Base
	db *tensor.Dense
	dy []float32 // of the run
}

func newDenseDB(shape tensor.Shape) *denseDB {
	return &denseDB{Base: op.NewBase("DenseDB", op.Vector, op.Matrix), db: op.New(shape...)}
}

// InferShape is the shape of b.
func (d *denseDB) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return d.db.Shape(), nil }

// Do computes the sum.
func (d *denseDB) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(d, inputs) }

// Bind takes dy.
func (d *denseDB) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return d.db, op.Read(inputs, &d.dy)
}

// Part computes the whole sum as the first part: it is too little to share out.
func (d *denseDB) Part(part, _ int) {
	if part == 0 {
		kernel.SumRows(d.db.Float32s(), d.dy)
	}
}

// Aligned is true of no input: each entry is a sum over the batch.
func (d *denseDB) Aligned(int) bool { return false }
