package loop

import (
	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
)

// outputs are what a model has computed for a batch.
type outputs struct {
	logits      []float32 // [batch, classes]
	predictions []int32   // [batch]
	lossSum     float64
	correct     int
	count       int // of the images
}

// views averages the logits of several views of each image (test-time augmentation). The predictions, the loss and the metrics are those
// of the mean logits. The mean of probabilities would not do for every loss: for the squared error and the hinge loss, logits are no
// logarithms of probabilities. The sums are float64, so that equal views change nothing.
type views struct {
	of   []dataset.WeightedView
	loss loss.Loss
	sums []float64 // [batch, classes]
	outputs

	gradient []float32 // of a row's loss, which nobody needs
	work     []float64
}

// UseViews lets later evaluations average over views of each image.
func (e *Evaluator) UseViews(of []dataset.WeightedView) {
	batch := len(e.feed.graph.Labels)
	e.views = &views{
		of: of, loss: e.loss, sums: make([]float64, batch*dataset.Classes),
		outputs:  outputs{logits: make([]float32, batch*dataset.Classes), predictions: make([]int32, batch)},
		gradient: make([]float32, dataset.Classes), work: make([]float64, dataset.Classes),
	}
}

// run computes the outputs for these rows of the set. They are valid until the next run.
func (e *Evaluator) run(rows []int32) (outputs, error) {
	graph := e.feed.graph
	if e.views == nil {
		e.feed.fill(e.team, rows, nil)
		if err := graph.Run(); err != nil {
			return outputs{}, err
		}
		l := graph.Loss
		return outputs{l.Logits, l.Predictions, l.LossSum, l.Correct, l.Count}, nil
	}
	clear(e.views.sums)
	for i := range e.views.of {
		view := &e.views.of[i]
		e.feed.change(&view.View, e.team)
		e.feed.fill(e.team, rows, nil)
		if err := graph.Run(); err != nil {
			return outputs{}, err
		}
		e.views.add(graph.Loss.Logits, view.Weight)
	}
	e.views.measure(graph.Labels)
	return e.views.outputs, nil
}

// add adds the logits of a view.
func (v *views) add(logits []float32, weight float64) {
	for i, z := range logits {
		v.sums[i] += float64(weight * float64(z))
	}
}

// measure computes the outputs from the sums.
func (v *views) measure(labels []int32) {
	for i, sum := range v.sums {
		v.logits[i] = float32(sum)
	}
	v.lossSum, v.correct, v.count = 0, 0, 0
	for row, label := range labels {
		logits := v.logits[row*dataset.Classes : (row+1)*dataset.Classes]
		v.predictions[row] = int32(kernel.ArgMax(logits))
		if label == layer.Ignored {
			continue
		}
		v.lossSum += v.loss.Row(v.gradient, v.work, logits, int(label))
		v.count++
		if v.predictions[row] == label {
			v.correct++
		}
	}
}
