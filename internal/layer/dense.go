// Package layer holds the ops that a classifier is made of besides LayerNorm: dense layers, activations and the softmax
// cross-entropy, each a hand-written Gorgonia op with its gradient.
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
	y *tensor.Dense
}

// InferShape is [batch, out].
func (d *dense) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return d.y.Shape(), nil }

// Do computes xW + b.
func (d *dense) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	var x, w, b []float32
	if err := op.Read(inputs, &x, &w, &b); err != nil {
		return nil, err
	}
	kernel.MatMulBias(d.y.Float32s(), x, w, b, d.y.Shape()[0], len(w)/len(b), len(b))
	return d.y, nil
}

// DiffWRT says that the layer is differentiable in x, W and b.
func (d *dense) DiffWRT(int) []bool { return []bool{true, true, true} }

// SymDiff adds dx = dy·Wᵀ, dW = xᵀ·dy and db = Σ dy (over the batch) as three nodes, so that an executor can leave out dx
// where nothing asks for it, as in the first layer.
func (d *dense) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	x, w, b := inputs[0], inputs[1], inputs[2]
	dx, err := gorgonia.ApplyOp(newProduct("DenseDX", x.Shape(), kernel.MatMulNT), grad, w)
	if err != nil {
		return nil, err
	}
	dw, err := gorgonia.ApplyOp(newProduct("DenseDW", w.Shape(), kernel.MatMulTN), x, grad)
	if err != nil {
		return nil, err
	}
	db, err := gorgonia.ApplyOp(newRowSum(b.Shape()), grad)
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
		{x, newProduct("DenseDX", x.Shape(), kernel.MatMulNT), []gorgonia.Value{grad, w.Value()}},
		{w, newProduct("DenseDW", w.Shape(), kernel.MatMulTN), []gorgonia.Value{x.Value(), grad}},
		{b, newRowSum(b.Shape()), []gorgonia.Value{grad}},
	}
	for _, g := range gradients {
		v, err := g.op.Do(g.args...)
		if err != nil {
			return err
		}
		if err := op.AddGrad(g.of, v.(*tensor.Dense).Float32s()); err != nil {
			return err
		}
	}
	return nil
}

// product is a matrix product of its two inputs, one of them transposed.
type product struct {
	op.Base
	c        *tensor.Dense
	multiply func(c, a, b []float32, m, k, n int)
}

func newProduct(name string, shape tensor.Shape, multiply func(c, a, b []float32, m, k, n int)) *product {
	return &product{Base: op.NewBase(name, op.Matrix, op.Matrix, op.Matrix), c: op.New(shape...), multiply: multiply}
}

// InferShape is the shape of the product.
func (p *product) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return p.c.Shape(), nil }

// Do computes the product.
func (p *product) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	var a, b []float32
	if err := op.Read(inputs, &a, &b); err != nil {
		return nil, err
	}
	m, n := p.c.Shape()[0], p.c.Shape()[1]
	p.multiply(p.c.Float32s(), a, b, m, len(a)/m, n)
	return p.c, nil
}

// rowSum is the sum over the rows of its input.
type rowSum struct {
	op.Base
	sum *tensor.Dense
}

func newRowSum(shape tensor.Shape) *rowSum {
	return &rowSum{Base: op.NewBase("DenseDB", op.Vector, op.Matrix), sum: op.New(shape...)}
}

// InferShape is the shape of a row.
func (r *rowSum) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return r.sum.Shape(), nil }

// Do computes the sum.
func (r *rowSum) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	x, err := op.Floats(inputs[0])
	if err != nil {
		return nil, err
	}
	kernel.SumRows(r.sum.Float32s(), x)
	return r.sum, nil
}
