package loop

import (
	"math"

	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
	"fmtrain/internal/model"
	"fmtrain/internal/op"
)

// Average keeps an exponential moving average of the weights, beside those that are trained (Polyak & Juditsky 1992). The
// average after t steps is that of the weights after each of them, the k-th weighing decayᵗ⁻ᵏ; the initial weights, which are
// random, have no part in it. Its sum is built up in the way that keeps it an average from the first step on:
//
//	a ← a + share·(w − a)   with share = (1−decay)/(1−decayᵗ)
//
// which is Adam's correction of its averages. (torch's AveragedModel begins with the same first step, but then takes 1−decay
// for the share, so that the weights of the first step keep a part of decayᵗ⁻¹.)
type Average struct {
	Weights model.Weights // the average; before the first step the initial weights

	decay     float64
	trained   model.Weights
	evaluator *Evaluator // of the average; nil without validation images
	share     float32
}

// NewAverage makes the average of a model's weights. Decay is from 0, for the weights of the last step alone, to below 1. The
// validation set may be nil.
func NewAverage(m *model.Model, weights model.Weights, decay float64, validation *dataset.Set) (*Average, error) {
	a := &Average{Weights: weights.Clone(), decay: decay, trained: weights}
	var err error
	if validation != nil {
		a.evaluator, err = NewEvaluator(m, a.Weights, validation)
	}
	return a, err
}

// average takes the weights after a step into the average.
func (t *Trainer) average(it Iteration) {
	if a := t.Average; a != nil {
		step := float64((it.Epoch-1)*it.Iterations + it.Iteration)
		a.share = float32((1 - a.decay) / (1 - math.Pow(a.decay, step)))
		t.Team.Run(a)
	}
}

// Do takes in a share of each weight, as a [team.Job]. A share of 1 is a copy, which no sum rounds.
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
