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
	node, err := gorgonia.ApplyOp(&crossEntropy{
		Base:   op.NewBase("CrossEntropy", op.Scalar, op.Matrix, op.Labels),
		counts: c,
		p:      op.New(shape...),
		exps:   make([]float64, shape[1]),
		loss:   gorgonia.NewF32(0),
	}, logits, labels)
	c.Node = node
	return c, err
}

// crossEntropy is the forward op, (logits, labels) → mean loss. It keeps softmax(logits) for the backward op.
type crossEntropy struct {
	op.Base
	counts *CrossEntropy
	p      *tensor.Dense
	exps   []float64 // working memory, [classes]
	loss   *gorgonia.F32
}

// InferShape is that of a scalar.
func (c *crossEntropy) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}

// Do computes the mean loss, and counts.
func (c *crossEntropy) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	logits, err := op.Floats(inputs[0])
	if err != nil {
		return nil, err
	}
	labels, err := op.Ints(inputs[1])
	if err != nil {
		return nil, err
	}
	p, classes := c.p.Float32s(), c.p.Shape()[1]
	n := c.counts
	n.LossSum, n.Count, n.Correct = 0, 0, 0
	for r, label := range labels {
		row := logits[r*classes : (r+1)*classes]
		predicted := int32(kernel.ArgMax(row))
		n.Predictions[r] = predicted
		if label == Ignored {
			continue
		}
		if label < 0 || int(label) >= classes {
			return nil, fmt.Errorf("expected labels from 0 to %d, found %d in row %d", classes-1, label, r)
		}
		n.LossSum += kernel.CrossEntropyRow(p[r*classes:(r+1)*classes], c.exps, row, int(label))
		n.Count++
		if predicted == label {
			n.Correct++
		}
	}
	*c.loss = 0
	if n.Count > 0 {
		*c.loss = gorgonia.F32(n.LossSum / float64(n.Count))
	}
	return c.loss, nil
}

// DiffWRT says that the loss is differentiable in the logits, not in the labels.
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
		Base:    op.NewBase("CrossEntropyGrad", op.Matrix, op.Labels, op.Scalar, op.Scalar),
		forward: c,
		dx:      op.New(c.p.Shape()...),
	}
}

// crossEntropyGrad is the backward op, (labels, loss, dloss) → dlogits = (softmax(logits) − onehot(label))·dloss/count. It does
// not read the loss; it has it as an input so that it runs after the forward op, whose softmax it does read.
type crossEntropyGrad struct {
	op.Base
	forward *crossEntropy
	dx      *tensor.Dense
}

// InferShape is that of the logits.
func (c *crossEntropyGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return c.dx.Shape(), nil
}

// Do computes the gradient of the logits.
func (c *crossEntropyGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	labels, err := op.Ints(inputs[0])
	if err != nil {
		return nil, err
	}
	grad, err := op.Float(inputs[2])
	if err != nil {
		return nil, err
	}
	p, dx, classes := c.forward.p.Float32s(), c.dx.Float32s(), c.dx.Shape()[1]
	scale := grad / float32(max(c.forward.counts.Count, 1))
	for r, label := range labels {
		row := dx[r*classes : (r+1)*classes]
		if label == Ignored {
			clear(row)
			continue
		}
		for j, v := range p[r*classes : (r+1)*classes] {
			row[j] = v * scale
		}
		row[label] = (p[r*classes+int(label)] - 1) * scale
	}
	return c.dx, nil
}
