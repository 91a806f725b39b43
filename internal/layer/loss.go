package layer

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/loss"
	"fmtrain/internal/op"
)

// Ignored is the label of a row that counts for nothing: no loss, no gradient, not correct, not counted. It fills up a batch
// that is short of samples, as the size of a batch is fixed in the graph.
const Ignored = -1

// BatchLoss is the loss of a batch, its node in the graph and what it counted in its last run. The node's value is the mean
// loss of the samples; the sums serve for means over many batches, which a mean of means would get wrong where a batch is
// short.
type BatchLoss struct {
	Node        *gorgonia.Node // scalar: the mean of the losses of the batch's samples
	LossSum     float64        // the sum of the losses
	Count       int            // the samples that have a label
	Correct     int            // those of them whose label has the largest logit
	Logits      []float32      // [batch, classes]; the graph's own, valid until the next run
	Predictions []int32        // the class of the largest logit of each row, the first of equals, [batch]
}

// NewBatchLoss adds the loss l of each row, and their mean, to the graph. logits is float32 [batch, classes]; labels is int32
// [batch], each from 0 to classes−1 or [Ignored]. Counting is done by the loss op itself: a node that the loss does not depend
// on makes Gorgonia's Grad fail.
func NewBatchLoss(l loss.Loss, logits, labels *gorgonia.Node) (*BatchLoss, error) {
	shape := logits.Shape()
	if len(shape) != 2 || !slices.Equal(labels.Shape(), shape[:1]) || labels.Dtype() != tensor.Int32 {
		return nil, fmt.Errorf("loss: expected logits [batch,classes] and int32 labels [batch], found %v and %v of %v",
			shape, labels.Shape(), labels.Dtype())
	}
	b := &BatchLoss{Predictions: make([]int32, shape[0])}
	rows := &lossRows{
		Base:     op.NewBase("Loss", op.Vector, op.Matrix, op.Labels),
		loss:     l,
		batch:    b,
		gradient: op.New(shape...),
		work:     make([]float64, shape.TotalSize()),
		losses:   op.New(shape[0]),
		exact:    make([]float64, shape[0]),
	}
	losses, err := gorgonia.ApplyOp(rows, logits, labels)
	if err != nil {
		return nil, err
	}
	gorgonia.WithName("losses")(losses)
	b.Node, err = gorgonia.ApplyOp(&mean{
		Base:   op.NewBase("Mean", op.Scalar, op.Vector, op.Labels),
		counts: b,
		rows:   rows,
		loss:   gorgonia.NewF32(0),
	}, losses, labels)
	return b, err
}

// lossRows is the forward op of the rows, (logits, labels) → losses. It keeps the gradient of each row's loss by its logits for
// the backward op: a loss has it at hand once it has been computed. An ignored row has loss 0.
type lossRows struct {
	op.Base
	loss             loss.Loss
	batch            *BatchLoss
	gradient, losses *tensor.Dense
	exact            []float64 // the losses in float64, for their sum
	work             []float64 // working memory, as long as gradient
	labels           []int32   // of the run
}

// InferShape is [batch].
func (l *lossRows) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return l.losses.Shape(), nil
}

// Do computes the losses.
func (l *lossRows) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(l, inputs) }

// Bind takes the logits and the labels. A label that is not a class is an error.
func (l *lossRows) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	if err := op.Read(inputs[:1], &l.batch.Logits); err != nil {
		return nil, err
	}
	var err error
	if l.labels, err = op.Ints(inputs[1]); err != nil {
		return nil, err
	}
	classes := l.gradient.Shape()[1]
	for r, label := range l.labels {
		if label != Ignored && (label < 0 || int(label) >= classes) {
			return nil, fmt.Errorf("expected labels from 0 to %d, found %d in row %d", classes-1, label, r)
		}
	}
	return l.losses, nil
}

// Part computes a share of the rows.
func (l *lossRows) Part(part, parts int) {
	gradient, losses, classes := l.gradient.Float32s(), l.losses.Float32s(), l.gradient.Shape()[1]
	top, bottom := op.Split(len(losses), part, parts)
	for r := top; r < bottom; r++ {
		lo, hi := r*classes, (r+1)*classes
		logits := l.batch.Logits[lo:hi]
		l.batch.Predictions[r] = int32(kernel.ArgMax(logits))
		l.exact[r] = 0
		if label := l.labels[r]; label != Ignored {
			l.exact[r] = l.loss.Row(gradient[lo:hi], l.work[lo:hi], logits, int(label))
		}
		losses[r] = float32(l.exact[r])
	}
}

// Aligned is true of the logits and the labels.
func (l *lossRows) Aligned(int) bool { return true }

// DiffWRT says that the losses are differentiable in the logits, not in the labels.
func (l *lossRows) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff adds the gradient of the logits.
func (l *lossRows) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(l.backward(), inputs[1], output, grad)
	return gorgonia.Nodes{dx, nil}, err
}

// DoDiff adds the gradient to that of the logits, as Gorgonia's LispMachine asks.
func (l *lossRows) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	return op.DoGrad(inputs[0], l.backward(), inputs[1].Value(), output.Value(), grad)
}

func (l *lossRows) backward() *lossRowsGrad {
	return &lossRowsGrad{
		Base:    op.NewBase("LossGrad", op.Matrix, op.Labels, op.Vector, op.Vector),
		forward: l,
		dx:      op.New(l.gradient.Shape()...),
	}
}

// lossRowsGrad is the backward op, (labels, losses, dlosses) → dlogits, each row the gradient of its loss times dloss. It does
// not read the losses; it has them as an input so that it runs after the forward op, whose gradients it does read.
type lossRowsGrad struct {
	op.Base
	forward *lossRows
	dx      *tensor.Dense
	labels  []int32 // of the run
	dlosses []float32
}

// InferShape is that of the logits.
func (l *lossRowsGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return l.dx.Shape(), nil
}

// Do computes the gradient of the logits.
func (l *lossRowsGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return op.Do(l, inputs)
}

// Bind takes the labels and the gradients of the losses.
func (l *lossRowsGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	var err error
	if l.labels, err = op.Ints(inputs[0]); err != nil {
		return nil, err
	}
	return l.dx, op.Read(inputs, nil, nil, &l.dlosses)
}

// Part computes a share of the rows.
func (l *lossRowsGrad) Part(part, parts int) {
	gradient, dx, classes := l.forward.gradient.Float32s(), l.dx.Float32s(), l.dx.Shape()[1]
	top, bottom := op.Split(len(l.labels), part, parts)
	for r := top; r < bottom; r++ {
		row, scale := dx[r*classes:(r+1)*classes], l.dlosses[r]
		if l.labels[r] == Ignored {
			clear(row)
			continue
		}
		for j, v := range gradient[r*classes : (r+1)*classes] {
			row[j] = v * scale
		}
	}
}

// Aligned is true of every input.
func (l *lossRowsGrad) Aligned(int) bool { return true }
