package layer

import (
	"fmt"
	"strconv"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Dense is a dense layer, y = xW + b, with one output for each unit.
type Dense struct{ Units int }

func readDense(r *reader, word string) (Layer, error) {
	units, err := strconv.Atoi(word)
	if err != nil || units < 1 || units > MaxUnits {
		return nil, r.wrong(r.at-len(word), fmt.Sprintf("expected from 1 to %d units, found %s", MaxUnits, word))
	}
	return Dense{units}, nil
}

// String is the number of units.
func (d Dense) String() string { return strconv.Itoa(d.Units) }

// Word is dense.
func (Dense) Word() string { return "dense" }

// Output is a vector of the units. The input may be a map: its values are taken place by place, row by row.
func (d Dense) Output(Shape) (Shape, error) { return Shape{d.Units}, nil }

// Parameters are the weight [in, units], drawn from U(−r, r) with the r that suits the next activation, and the bias [units], zeros.
// Without an activation r is Glorot's √(6/(in+units)) (book, chapter 11, table 11-1).
func (d Dense) Parameters(in Shape, next *Activation) []Parameter {
	radius, values := radiusFor(next), in.Size()
	drawn := Initial{Radius: radius(float64(values), float64(d.Units))}
	return []Parameter{
		{Name: "weight", Role: Weight, Shape: tensor.Shape{values, d.Units}, Initial: drawn},
		{Name: "bias", Role: Bias, Shape: tensor.Shape{d.Units}},
	}
}

// Apply adds xW + b.
func (Dense) Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error) {
	return ApplyDense(x, c.Parameters[0], c.Parameters[1])
}

// ApplyDense adds y = xW + b to the graph: x is [batch, in], W [in, out], b [out] and y [batch, out], all float32. x may have more axes
// after the batch, such as those of maps; in is then the product of their lengths.
//
//	dx = dy·Wᵀ    dW = xᵀ·dy    db = Σ dy (over the batch)
//
// The three gradients are separate, so that an executor can leave out dx where nothing needs it, as in the first layer.
func ApplyDense(x, w, b *gorgonia.Node) (*gorgonia.Node, error) {
	xs, ws, bs := x.Shape(), w.Shape(), b.Shape()
	if len(xs) < 2 || len(ws) != 2 || len(bs) != 1 || xs[1:].TotalSize() != ws[0] || ws[1] != bs[0] {
		return nil, fmt.Errorf("dense: expected input [batch,in], weight [in,out] and bias [out], found %v, %v and %v", xs, ws, bs)
	}
	d := denseSizes{batch: xs[0], in: ws[0], out: ws[1]}
	return op.Apply(op.Definition{
		Name:    "Dense",
		Inputs:  []string{"X", "W", "B"},
		Shape:   tensor.Shape{d.batch, d.out},
		Rows:    []int{0},
		Forward: d.forward,
		Gradients: []op.Gradient{
			{Of: []int{0}, Rows: []op.Operand{op.DY}, Whole: []op.Operand{1}, Compute: d.dx},
			{Of: []int{1}, Whole: []op.Operand{op.DY, op.Forward}, Compute: d.dw},
			{Of: []int{2}, Whole: []op.Operand{op.DY}, Serial: true, Compute: d.db},
		},
	}, x, w, b)
}

// denseSizes are the sizes of a dense layer in a graph.
type denseSizes struct{ batch, in, out int }

func (d denseSizes) forward(r *op.Run, part, parts int) {
	top, bottom := op.Split(d.batch, part, parts)
	y, x := r.Y[top*d.out:bottom*d.out], r.Inputs[0][top*d.in:bottom*d.in]
	kernel.MatMulBias(y, x, r.Inputs[1], r.Inputs[2], bottom-top, d.in, d.out)
}

func (d denseSizes) dx(r *op.Run, gradients [][]float32, part, parts int) {
	dx, dy := kernel.RowMajor(gradients[0], d.batch, d.in), kernel.RowMajor(r.DY, d.batch, d.out)
	w := kernel.RowMajor(r.Inputs[1], d.in, d.out)
	top, bottom := op.Split(d.batch, part, parts)
	kernel.Gemm(dx.Rows(top, bottom), dy.Rows(top, bottom), w.T(), 1, 0)
}

const (
	claimedRows   = 44      // of W that are claimed at a time: the claims are answered while as many rows of dW are computed
	claimedValues = 1 << 17 // the largest part of W that is still in the caches when it is updated
)

// dw computes a part of the rows of dW, which belong to columns of x. Meanwhile it claims the cache lines of the same part of W,
// because the same member of the team will update it.
func (d denseSizes) dw(r *op.Run, gradients [][]float32, part, parts int) {
	x, dy := kernel.RowMajor(r.Inputs[0], d.batch, d.in), kernel.RowMajor(r.DY, d.batch, d.out)
	dw, w := kernel.RowMajor(gradients[0], d.in, d.out), r.Inputs[1]
	first, last := op.Split(d.in, part, parts)
	rows := last - first
	claim := parts > 1 && rows*d.out <= claimedValues
	if claim {
		rows = claimedRows
	}
	for ; first < last; first += rows {
		bottom := min(first+rows, last)
		if claim {
			kernel.ClaimCacheLines(w[first*d.out : bottom*d.out])
		}
		kernel.Gemm(dw.Rows(first, bottom), x.T().Rows(first, bottom), dy, 1, 0)
	}
}

// db is serial, because it is too small to split.
func (d denseSizes) db(r *op.Run, gradients [][]float32, _, _ int) {
	kernel.SumRows(gradients[0], r.DY)
}
