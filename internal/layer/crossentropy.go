package layer

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Ignored is the label of a row that counts for nothing: no loss, no gradient, not correct, not counted. It fills up a batch
// that is short of samples, as the size of a batch is fixed in the graph.
const Ignored = -1

// CrossEntropy is the softmax cross-entropy, its node in the graph and what it counted in its last run. The node's value is
// the mean loss of the samples; the sums serve for means over many batches, which a mean of means would get wrong where a
// batch is short.
type CrossEntropy struct {
	Node        *gorgonia.Node // scalar: the mean of −log softmax(logits)[label] over the batch's samples
	LossSum     float64        // the sum of the losses
	Count       int            // the samples that have a label
	Correct     int            // those of them whose label has the largest logit
	Predictions []int32        // the class of the largest logit of each row, the first of equals, [batch]
}

// NewCrossEntropy adds the softmax cross-entropy to the graph. logits is float32 [batch, classes]; labels is int32 [batch],
// each from 0 to classes−1 or [Ignored]. Counting is done by the loss op itself: a node that the loss does not depend on
// makes Gorgonia's Grad fail.
func NewCrossEntropy(logits, labels *gorgonia.Node) (*CrossEntropy, error) {
	shape := logits.Shape()
	if len(shape) != 2 || !slices.Equal(labels.Shape(), shape[:1]) || labels.Dtype() != tensor.Int32 {
		return nil, fmt.Errorf("cross-entropy: expected logits [batch,classes] and int32 labels [batch], found %v and %v of %v",
			shape, labels.Shape(), labels.Dtype())
	}
	c := &CrossEntropy{Predictions: make([]int32, shape[0])}
	rows := &crossEntropy{
		Base:        op.NewBase("CrossEntropy", op.Vector, op.Matrix, op.Labels),
		predictions: c.Predictions,
		p:           op.New(shape...),
		exps:        make([]float64, shape.TotalSize()),
		losses:      op.New(shape[0]),
		exact:       make([]float64, shape[0]),
	}
	losses, err := gorgonia.ApplyOp(rows, logits, labels)
	if err != nil {
		return nil, err
	}
	gorgonia.WithName("losses")(losses)
	c.Node, err = gorgonia.ApplyOp(&mean{
		Base:   op.NewBase("Mean", op.Scalar, op.Vector, op.Labels),
		counts: c,
		rows:   rows,
		loss:   gorgonia.NewF32(0),
	}, losses, labels)
	return c, err
}

// crossEntropy is the forward op of the rows, (logits, labels) → losses. It keeps softmax(logits) for the backward op. An
// ignored row has loss 0.
type crossEntropy struct {
	op.Base
	predictions []int32
	p, losses   *tensor.Dense
	exact       []float64 // the losses in float64, for their sum
	exps        []float64 // working memory, as long as p
	logits      []float32 // of the run
	labels      []int32
}

// InferShape is [batch].
func (c *crossEntropy) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return c.losses.Shape(), nil
}

// Do computes the losses.
func (c *crossEntropy) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(c, inputs) }

// Bind takes the logits and the labels. A label that is not a class is an error.
func (c *crossEntropy) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if err := op.Read(inputs[:1], &c.logits); err != nil {
		return nil, err
	}
	var err error
	if c.labels, err = op.Ints(inputs[1]); err != nil {
		return nil, err
	}
	classes := c.p.Shape()[1]
	for r, label := range c.labels {
		if label != Ignored && (label < 0 || int(label) >= classes) {
			return nil, fmt.Errorf("expected labels from 0 to %d, found %d in row %d", classes-1, label, r)
		}
	}
	return c.losses, nil
}

// Part computes a share of the rows.
func (c *crossEntropy) Part(part, parts int) {
	p, losses, classes := c.p.Float32s(), c.losses.Float32s(), c.p.Shape()[1]
	top, bottom := op.Share(len(losses), part, parts)
	for r := top; r < bottom; r++ {
		lo, hi := r*classes, (r+1)*classes
		c.predictions[r] = int32(kernel.ArgMax(c.logits[lo:hi]))
		c.exact[r] = 0
		if label := c.labels[r]; label != Ignored {
			c.exact[r] = kernel.CrossEntropyRow(p[lo:hi], c.exps[lo:hi], c.logits[lo:hi], int(label))
		}
		losses[r] = float32(c.exact[r])
	}
}

// Aligned is true of the logits and the labels.
func (c *crossEntropy) Aligned(int) bool { return true }

// DiffWRT says that the losses are differentiable in the logits, not in the labels.
func (c *crossEntropy) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff adds the gradient of the logits.
func (c *crossEntropy) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(c.backward(), inputs[1], output, grad)
	return gorgonia.Nodes{dx, nil}, err
}

// DoDiff adds the gradient to that of the logits, as Gorgonia's LispMachine asks.
func (c *crossEntropy) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	back := c.backward()
	if _, err := back.Do(inputs[1].Value(), output.Value(), grad); err != nil {
		return err
	}
	return op.AddGrad(inputs[0], back.dx.Float32s())
}

func (c *crossEntropy) backward() *crossEntropyGrad {
	return &crossEntropyGrad{
		Base:    op.NewBase("CrossEntropyGrad", op.Matrix, op.Labels, op.Vector, op.Vector),
		forward: c,
		dx:      op.New(c.p.Shape()...),
	}
}

// crossEntropyGrad is the backward op, (labels, losses, dlosses) → dlogits, each row (softmax(logits) − onehot(label))·dloss.
// It does not read the losses; it has them as an input so that it runs after the forward op, whose softmax it does read.
type crossEntropyGrad struct {
	op.Base
	forward *crossEntropy
	dx      *tensor.Dense
	labels  []int32 // of the run
	dlosses []float32
}

// InferShape is that of the logits.
func (c *crossEntropyGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return c.dx.Shape(), nil
}

// Do computes the gradient of the logits.
func (c *crossEntropyGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return op.Do(c, inputs)
}

// Bind takes the labels and the gradients of the losses.
func (c *crossEntropyGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	var err error
	if c.labels, err = op.Ints(inputs[0]); err != nil {
		return nil, err
	}
	return c.dx, op.Read(inputs, nil, nil, &c.dlosses)
}

// Part computes a share of the rows.
func (c *crossEntropyGrad) Part(part, parts int) {
	p, dx, classes := c.forward.p.Float32s(), c.dx.Float32s(), c.dx.Shape()[1]
	top, bottom := op.Share(len(c.labels), part, parts)
	for r := top; r < bottom; r++ {
		row, label, scale := dx[r*classes:(r+1)*classes], c.labels[r], c.dlosses[r]
		if label == Ignored {
			clear(row)
			continue
		}
		for j, v := range p[r*classes : (r+1)*classes] {
			row[j] = v * scale
		}
		row[label] = (p[r*classes+int(label)] - 1) * scale
	}
}

// Aligned is true of every input.
func (c *crossEntropyGrad) Aligned(int) bool { return true }
