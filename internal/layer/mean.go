package layer

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/op"
)

// mean is the op from the losses of the rows to the loss of the batch, (losses, labels) → the mean over the rows that are not
// ignored, 0 if all are. It counts, too.
type mean struct {
	op.Base
	counts *BatchLoss
	rows   *lossRows // whose losses it sums in float64
	loss   *gorgonia.F32
}

// InferShape is that of a scalar.
func (m *mean) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return tensor.ScalarShape(), nil
}

// Do sums and counts.
func (m *mean) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	labels, err := op.Ints(inputs[1])
	if err != nil {
		return nil, err
	}
	n := m.counts
	n.LossSum, n.Count, n.Correct = 0, 0, 0
	for r, label := range labels {
		if label == Ignored {
			continue
		}
		n.LossSum += m.rows.exact[r]
		n.Count++
		if n.Predictions[r] == label {
			n.Correct++
		}
	}
	*m.loss = gorgonia.F32(n.LossSum / float64(max(n.Count, 1)))
	return m.loss, nil
}

// DiffWRT says that the mean is differentiable in the losses, not in the labels.
func (m *mean) DiffWRT(int) []bool { return []bool{true, false} }

// SymDiff adds the gradient of the losses.
func (m *mean) SymDiff(inputs gorgonia.Nodes, _, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dlosses, err := gorgonia.ApplyOp(newMeanGrad(inputs[1].Shape()), inputs[1], grad)
	return gorgonia.Nodes{dlosses, nil}, err
}

// DoDiff adds the gradient to that of the losses, as Gorgonia's LispMachine asks.
func (m *mean) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	return op.DoGrad(inputs[0], newMeanGrad(inputs[1].Shape()), inputs[1].Value(), grad)
}

// meanGrad is the backward op, (labels, dloss) → dlosses, each dloss/count, or 0 where the row is ignored. It needs nothing of
// the forward pass, so that a row can go back without waiting for the others' losses.
type meanGrad struct {
	op.Base
	dlosses *tensor.Dense
}

func newMeanGrad(shape tensor.Shape) *meanGrad {
	return &meanGrad{Base: op.NewBase("MeanGrad", op.Vector, op.Labels, op.Scalar), dlosses: op.New(shape...)}
}

// InferShape is that of the losses.
func (m *meanGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return m.dlosses.Shape(), nil
}

// Do shares the gradient out over the rows.
func (m *meanGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	labels, err := op.Ints(inputs[0])
	if err != nil {
		return nil, err
	}
	grad, err := op.Float(inputs[1])
	if err != nil {
		return nil, err
	}
	count := 0
	for _, label := range labels {
		if label != Ignored {
			count++
		}
	}
	dlosses, share := m.dlosses.Float32s(), grad/float32(max(count, 1))
	for r, label := range labels {
		dlosses[r] = share
		if label == Ignored {
			dlosses[r] = 0
		}
	}
	return m.dlosses, nil
}
