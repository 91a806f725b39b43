package main

import (
	"io"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/schedule"
)

// warnings tells, once each, why a run is certainly not what one wants. It is a [loop.Observer].
type warnings struct {
	out       io.Writer
	schedules []schedule.Schedule // by group; nil for a constant rate
	guessing  bool                // it has warned of guessing
}

// OnStart warns of learning rates that will not do what they are meant to.
func (w *warnings) OnStart(s *loop.Start) error {
	steps := s.Epochs * s.Iterations
	if steps == 0 {
		return nil
	}
	moving := false
	for i, r := range s.Rates {
		if r.LearnRate == 0 {
			continue
		}
		switch sched := w.schedules[i].(type) {
		case nil:
			moving = true
		case *schedule.Cosine:
			moving = true
			if sched.Warmup >= float64(steps) {
				warn(w.out, "the warm-up of %s takes %.0f steps, but the run has only %d: the learning rate never reaches %s",
					r.Group, sched.Warmup, steps, shortest(r.LearnRate))
			}
		default:
			if peak(sched, steps, s.Iterations) > 0 {
				moving = true
			} else {
				warn(w.out, "the schedule of %s makes its learning rate 0 in every step", r.Group)
			}
		}
	}
	if !moving {
		warn(w.out, "no weight will change: every learning rate is 0")
	}
	return nil
}

// peak is the largest factor of a schedule, looked for at 1000 steps of the run.
func peak(s schedule.Schedule, steps, epochSteps int) (most float64) {
	for step := 0; step < steps; step += max(1, steps/1000) {
		most = max(most, s.Factor(schedule.Position{Step: step, Steps: steps, EpochSteps: epochSteps}))
	}
	return most
}

// OnIteration warns of nothing.
func (w *warnings) OnIteration(*loop.Iteration) error { return nil }

// guess is the accuracy up to which a model may just as well guess: that of guessing, and a fifth of it for luck.
const guess = 1.2 / dataset.Classes

// OnEpoch warns if neither the training nor the validation images are told apart.
func (w *warnings) OnEpoch(e *loop.Epoch) error {
	if w.guessing || e.Accuracy > guess || e.ValAccuracy > guess { // which is false of NaN
		return nil
	}
	w.guessing = true
	warn(w.out, "after epoch %d the accuracy is %.3f, as by guessing; try a lower learning rate", e.Epoch, e.Accuracy)
	return nil
}

// OnDone warns of nothing.
func (w *warnings) OnDone(*loop.Done) error { return nil }
