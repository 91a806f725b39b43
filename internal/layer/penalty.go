package layer

import (
	"fmt"
	"slices"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// WeightPenalty adds rate·Σw² to the graph, a scalar: the L2 penalty of a layer's weight w, a float32 matrix, as Keras's
// kernel_regularizer=l2(rate) has it (book, chapter 11). Its gradient is 2·rate·w.
func WeightPenalty(w *gorgonia.Node, rate float64) (*gorgonia.Node, error) {
	return newPenalty(rate, w)
}

// ActivityPenalty adds rate·Σy²/count to the graph, a scalar: the L2 penalty of a layer's outputs y, float32 [batch, n], over the
// count rows whose label is not [Ignored], as Keras's activity_regularizer=l2(rate) has it. labels is int32 [batch].
func ActivityPenalty(y, labels *gorgonia.Node, rate float64) (*gorgonia.Node, error) {
	return newPenalty(rate, y, labels)
}

func newPenalty(rate float64, inputs ...*gorgonia.Node) (*gorgonia.Node, error) {
	if shape := inputs[0].Shape(); len(shape) != 2 {
		return nil, fmt.Errorf("penalty: expected a matrix, found shape %v", shape)
	}
	p := &penalty{rate: rate, shape: inputs[0].Shape().Clone(), value: gorgonia.NewF32(0)}
	p.Base = op.NewBase("Penalty", op.Scalar, op.Matrix)
	if len(inputs) == 2 {
		p.Base = op.NewBase("Penalty", op.Scalar, op.Matrix, op.Labels)
	}
	return gorgonia.ApplyOp(p, inputs...)
}

// penalty is the forward op, x or (x, labels) → rate·Σx²/count, the count being 1 without labels.
type penalty struct {
	op.Base
	rate  float64
	shape tensor.Shape
	value *gorgonia.F32
}

// InferShape is that of a scalar.
func (p *penalty) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}

// Do computes the penalty, in float64.
func (p *penalty) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	x, err := op.Floats(inputs[0])
	if err != nil {
		return nil, err
	}
	labels, count, err := counted(inputs[1:])
	if err != nil {
		return nil, err
	}
	sum, n := 0., p.shape[1]
	if labels == nil {
		sum = kernel.SumSquares(x)
	}
	for r, label := range labels {
		if label != Ignored {
			sum += kernel.SumSquares(x[r*n : (r+1)*n])
		}
	}
	*p.value = gorgonia.F32(p.rate * sum / float64(count))
	return p.value, nil
}

// counted is the labels, nil if there are none, and the number of those that are not ignored, at least 1.
func counted(inputs []gorgonia.Value) (labels []int32, count int, err error) {
	if len(inputs) == 0 {
		return nil, 1, nil
	}
	if labels, err = op.Ints(inputs[0]); err != nil {
		return nil, 0, err
	}
	for _, label := range labels {
		if label != Ignored {
			count++
		}
	}
	return labels, max(count, 1), nil
}

// DiffWRT says that a penalty is differentiable in x, not in the labels.
func (p *penalty) DiffWRT(inputs int) []bool { return []bool{true, false}[:inputs] }

// SymDiff adds the gradient of x.
func (p *penalty) SymDiff(inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	args := append(gorgonia.Nodes{grad}, inputs...)
	dx, err := gorgonia.ApplyOp(p.backward(), args...)
	return gorgonia.Nodes{dx, nil}[:len(inputs)], err
}

// DoDiff adds the gradient to that of x, as Gorgonia's LispMachine asks.
func (p *penalty) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	args := []gorgonia.Value{grad}
	for _, n := range inputs {
		args = append(args, n.Value())
	}
	return op.DoGrad(inputs[0], p.backward(), args...)
}

func (p *penalty) backward() *penaltyGrad {
	g := &penaltyGrad{rate: p.rate, dx: op.New(p.shape...)}
	g.Base = op.NewBase("PenaltyGrad", op.Matrix, op.Scalar, op.Matrix)
	if p.Arity() == 2 {
		g.Base = op.NewBase("PenaltyGrad", op.Matrix, op.Scalar, op.Matrix, op.Labels)
	}
	return g
}

// penaltyGrad is the backward op, (d, x) or (d, x, labels) → 2·rate/count·d·x, 0 where the row is ignored.
type penaltyGrad struct {
	op.Base
	rate float64
	dx   *tensor.Dense

	factor float32 // of the run
	x      []float32
	labels []int32 // nil for none
}

// InferShape is that of x.
func (g *penaltyGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return g.dx.Shape(), nil
}

// Do computes the gradient of x.
func (g *penaltyGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(g, inputs) }

// Bind takes d, x and the labels.
func (g *penaltyGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	d, err := op.Float(inputs[0])
	if err != nil {
		return nil, err
	}
	var count int
	if g.labels, count, err = counted(inputs[2:]); err != nil {
		return nil, err
	}
	g.factor = float32(2 * g.rate / float64(count) * float64(d))
	return g.dx, op.Read(inputs, nil, &g.x)
}

// Part computes a share of the rows.
func (g *penaltyGrad) Part(part, parts int) {
	top, bottom := op.Split(g.dx.Shape()[0], part, parts)
	dx, n := g.dx.Float32s(), g.dx.Shape()[1]
	for r := top; r < bottom; r++ {
		row := dx[r*n : (r+1)*n]
		if g.labels != nil && g.labels[r] == Ignored {
			clear(row)
			continue
		}
		for j, v := range g.x[r*n : (r+1)*n] {
			row[j] = g.factor * v
		}
	}
}

// Aligned is true of x and the labels.
func (g *penaltyGrad) Aligned(input int) bool { return input > 0 }

// AddLosses adds the sum of scalar losses to the graph, as the book's loop adds model.losses to the main loss.
func AddLosses(losses ...*gorgonia.Node) (*gorgonia.Node, error) {
	scalars := op.NewBase("AddLosses", op.Scalar, slices.Repeat([]hm.Type{op.Scalar}, len(losses))...)
	return gorgonia.ApplyOp(&addLosses{Base: scalars, sum: gorgonia.NewF32(0)}, losses...)
}

// addLosses is the op of the sum, (loss, ...) → Σ.
type addLosses struct {
	op.Base
	sum *gorgonia.F32
}

// InferShape is that of a scalar.
func (a *addLosses) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}

// Do adds up.
func (a *addLosses) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	sum := 0.
	for _, v := range inputs {
		loss, err := op.Float(v)
		if err != nil {
			return nil, err
		}
		sum += float64(loss)
	}
	*a.sum = gorgonia.F32(sum)
	return a.sum, nil
}

// DiffWRT says that the sum is differentiable in every loss.
func (a *addLosses) DiffWRT(inputs int) []bool { return slices.Repeat([]bool{true}, inputs) }

// SymDiff is the gradient of the sum, for each loss.
func (a *addLosses) SymDiff(inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	return slices.Repeat(gorgonia.Nodes{grad}, len(inputs)), nil
}

// DoDiff adds the gradient to those of the losses, as Gorgonia's LispMachine asks.
func (a *addLosses) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	v, err := output.Grad()
	if err != nil {
		return err
	}
	grad, err := op.Float(v)
	if err != nil {
		return err
	}
	for _, n := range inputs {
		if err := op.AddGrad(n, []float32{grad}); err != nil {
			return err
		}
	}
	return nil
}
