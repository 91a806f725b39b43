package loop

import (
	"math"

	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
	"fmtrain/internal/model"
	"fmtrain/internal/op"
)

// Average keeps an exponential moving average of the weights (Polyak & Juditsky 1992). After t steps it is the mean of the weights
// after each step, where step k has the weight decayᵗ⁻ᵏ. The random initial weights are not included. Each step does
//
//	a ← a + share·(w − a)   with share = (1−decay)/(1−decayᵗ)
//
// which is Adam's bias correction. (PyTorch's AveragedModel has the same first step, but then uses the share 1−decay, so the
// weights of the first step keep a weight of decayᵗ⁻¹.)
type Average struct {
	Weights model.Weights // the average; before the first step the initial weights

	decay     float64
	trained   model.Weights
	evaluator *Evaluator // of the average; nil without validation images
	share     float32
}

// NewAverage makes the average of a model's weights. The decay is from 0 to below 1; 0 keeps only the weights of the last step. The
// validation set may be nil or empty.
func NewAverage(m *model.Model, weights model.Weights, decay float64, validation *dataset.Set) (*Average, error) {
	a := &Average{Weights: weights.Clone(), decay: decay, trained: weights}
	var err error
	if validation != nil && validation.Len() > 0 {
		a.evaluator, err = NewEvaluator(m, a.Weights, validation)
	}
	return a, err
}

// average adds the weights after a step to the average.
func (t *Trainer) average(it Iteration) {
	if a := t.Average; a != nil {
		step := float64(it.step())
		a.share = float32((1 - a.decay) / (1 - math.Pow(a.decay, step)))
		t.Team.Run(a)
	}
}

// Do averages a share of each weight, as a [team.Job]. A share of 1 is a copy, which rounds nothing.
func (a *Average) Do(part, parts int) {
	for i, w := range a.trained {
		values, average := w.Value.Float32s(), a.Weights[i].Value.Float32s()
		lo, hi := op.Split(len(values), part, parts)
		if a.share == 1 {
			copy(average[lo:hi], values[lo:hi])
		} else {
			kernel.Average(average[lo:hi], values[lo:hi], a.share)
		}
	}
}

// validateAverage measures the average on the validation images, if there is one.
func (t *Trainer) validateAverage(it Iteration, e *Epoch) error {
	if t.Average == nil || t.Average.evaluator == nil {
		return nil
	}
	v, err := t.Average.evaluator.Evaluate()
	if err != nil {
		return err
	}
	if !finite(v.Loss) {
		return t.diverged(it, "the validation loss of the averaged weights")
	}
	e.Average = &Validation{Loss: v.Loss, Accuracy: v.Accuracy}
	return nil
}
