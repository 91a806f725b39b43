package main

import (
	"io"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/schedule"
)

// warnings warns, once each, of a run that is certainly not what one wants. It is a [loop.Observer].
type warnings struct {
	out       io.Writer
	schedules []schedule.Schedule // by group; nil for a constant rate
	guessing  bool                // it has warned of guessing, or of its cause
}

// OnStart warns of learning rates that stay 0, and of warm-ups longer than the run.
func (w *warnings) OnStart(s *loop.Start) error {
	steps := s.Epochs * s.Iterations
	if steps == 0 {
		return nil
	}
	var still, short []string // groups
	moving := false
	longest := 0.0
	for i, r := range s.Rates {
		switch warmup, largest := plan(w.schedules[i], steps, s.Iterations); {
		case r.LearningRate == 0: // frozen
		case largest == 0:
			still = append(still, r.Group)
		case warmup >= float64(steps):
			short, longest = append(short, r.Group), max(longest, warmup)
			moving = true
		default:
			moving = true
		}
	}
	if short != nil {
		warn(w.out, "the warm-up of %s takes %.0f steps, but the run has only %d: the learning rate never reaches its full value",
			list(short), longest, steps)
	}
	if still != nil {
		warn(w.out, "the schedule of %s makes the learning rate 0 in every step", list(still))
	}
	w.guessing = !moving || short != nil // the warning above already explains a bad accuracy
	if !moving {
		warn(w.out, "no weight will change: every learning rate is 0")
	}
	return nil
}

// plan is the number of steps of a schedule's warm-up, and the schedule's largest factor, sampled at about 1000 steps of the run.
func plan(s schedule.Schedule, steps, epochSteps int) (warmup, largest float64) {
	if s == nil {
		return 0, 1
	}
	if cosine, ok := s.(*schedule.Cosine); ok {
		warmup = cosine.Warmup
	}
	for step := 0; step < steps; step += max(1, steps/1000) {
		largest = max(largest, s.Factor(schedule.Position{Step: step, Steps: steps, EpochSteps: epochSteps}))
	}
	return warmup, largest
}

// OnIteration warns of nothing.
func (w *warnings) OnIteration(*loop.Iteration) error { return nil }

// guess is the accuracy up to which a model is no better than guessing: the accuracy of guessing, plus a fifth of it for luck.
const guess = 1.2 / dataset.Classes

// OnEpoch warns if the accuracy is that of guessing, on the training and on the validation images.
func (w *warnings) OnEpoch(e *loop.Epoch) error {
	if w.guessing || e.Accuracy > guess || e.ValAccuracy > guess { // NaN > guess is false
		return nil
	}
	w.guessing = true
	warn(w.out, "after epoch %d the accuracy is %.3f, no better than guessing; try another learning rate", e.Epoch, e.Accuracy)
	return nil
}

// OnDone warns of nothing.
func (w *warnings) OnDone(*loop.Done) error { return nil }
