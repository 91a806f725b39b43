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

// Ignored is the label of a row without a sample: it has no loss and no gradient, and it is not counted. Such rows fill up a short batch,
// because the batch size of a graph is fixed.
const Ignored = -1

// BatchLoss is the loss of a batch: its node in the graph, and what was counted in the last run. The node's value is the mean loss
// of the samples. The sums are there for means over many batches: a mean of means would be wrong where a batch is short.
type BatchLoss struct {
	Node        *gorgonia.Node // scalar: the mean of the losses of the batch's samples
	LossSum     float64        // the sum of the losses
	Count       int            // the samples that have a label
	Correct     int            // the samples whose label has the largest logit
	Logits      []float32      // [batch, classes]; the graph's own, valid until the next run
	Predictions []int32        // the class of the largest logit of each row, the first of equals, [batch]

	losses []float64 // of each row
}

// NewBatchLoss adds the loss l of each row, and the mean of the losses, to the graph. logits is float32 [batch, classes]; labels is
// int32 [batch], each from 0 to classes−1 or [Ignored]. The ops of the loss do the counting, because Gorgonia's Grad fails if there
// is a node that the loss does not depend on.
func NewBatchLoss(l loss.Loss, logits, labels *gorgonia.Node) (*BatchLoss, error) {
	shape := logits.Shape()
	if len(shape) != 2 || !slices.Equal(labels.Shape(), shape[:1]) || labels.Dtype() != tensor.Int32 {
		return nil, fmt.Errorf("loss: expected logits [batch,classes] and int32 labels [batch], found %v and %v of %v",
			shape, labels.Shape(), labels.Dtype())
	}
	b := &BatchLoss{Predictions: make([]int32, shape[0]), losses: make([]float64, shape[0])}
	losses, err := b.addRows(l, logits, labels)
	if err != nil {
		return nil, err
	}
	gorgonia.WithName("losses")(losses)
	b.Node, err = b.addMean(losses, labels)
	return b, err
}

// addRows adds the loss of each row to the graph, 0 for an ignored row. A loss computes its gradient together with its value, so
// the forward function keeps the gradient.
func (b *BatchLoss) addRows(l loss.Loss, logits, labels *gorgonia.Node) (*gorgonia.Node, error) {
	batch, classes := logits.Shape()[0], logits.Shape()[1]
	kept, work := make([]float32, batch*classes), make([]float64, batch*classes)
	return op.Apply(op.Definition{
		Name:  "Loss",
		Shape: tensor.Shape{batch},
		Rows:  []int{0, 1},
		Bind: func(r *op.Run) error {
			b.Logits = r.Inputs[0]
			for row, label := range r.Labels {
				if label != Ignored && (label < 0 || int(label) >= classes) {
					return fmt.Errorf("expected labels from 0 to %d, found %d in row %d", classes-1, label, row)
				}
			}
			return nil
		},
		Forward: func(r *op.Run, part, parts int) {
			top, bottom := op.Split(batch, part, parts)
			for row := top; row < bottom; row++ {
				lo, hi := row*classes, (row+1)*classes
				logits := r.Inputs[0][lo:hi]
				b.Predictions[row] = int32(kernel.ArgMax(logits))
				b.losses[row] = 0
				if label := r.Labels[row]; label != Ignored {
					b.losses[row] = l.Row(kept[lo:hi], work[lo:hi], logits, int(label))
				}
				r.Y[row] = float32(b.losses[row])
			}
		},
		Gradients: []op.Gradient{{
			Of:   []int{0},
			Rows: []op.Operand{op.DY, op.Forward},
			Compute: func(r *op.Run, d [][]float32, part, parts int) {
				top, bottom := op.Split(batch, part, parts)
				for row := top; row < bottom; row++ {
					lo, hi := row*classes, (row+1)*classes
					dlogits, scale := d[0][lo:hi], r.DY[row]
					if r.Labels[row] == Ignored {
						clear(dlogits)
						continue
					}
					for j, v := range kept[lo:hi] {
						dlogits[j] = v * scale
					}
				}
			},
		}},
	}, logits, labels)
}

// addMean adds the mean of the losses to the graph, over the rows that are not ignored; it is 0 if all are. It sums in float64. The
// gradient reads only the labels and dloss, nothing of the forward pass, so the backward pass of a row does not wait for the
// losses of the other rows.
func (b *BatchLoss) addMean(losses, labels *gorgonia.Node) (*gorgonia.Node, error) {
	batch := losses.Shape()[0]
	return op.Apply(op.Definition{
		Name: "Mean",
		Forward: func(r *op.Run, _, _ int) {
			b.LossSum, b.Count, b.Correct = 0, 0, 0
			for row, label := range r.Labels {
				if label == Ignored {
					continue
				}
				b.LossSum += b.losses[row]
				b.Count++
				if b.Predictions[row] == label {
					b.Correct++
				}
			}
			r.Y[0] = float32(b.LossSum / float64(max(b.Count, 1)))
		},
		Gradients: []op.Gradient{{
			Of:    []int{0},
			Whole: []op.Operand{op.DY, 1},
			Compute: func(r *op.Run, d [][]float32, part, parts int) {
				each := r.DY[0] / float32(max(counted(r.Labels), 1))
				top, bottom := op.Split(batch, part, parts)
				for row := top; row < bottom; row++ {
					d[0][row] = each
					if r.Labels[row] == Ignored {
						d[0][row] = 0
					}
				}
			},
		}},
	}, losses, labels)
}

// counted is the number of labels that are not ignored.
func counted(labels []int32) (n int) {
	for _, label := range labels {
		if label != Ignored {
			n++
		}
	}
	return n
}
