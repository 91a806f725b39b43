// Package loop is the training loop: epochs of steps, validation, saving, stopping, and the observers that show it.
//
// One step is: compute the gradient of the next rows, clip it, let each group's solver change its weights. The order of the samples
// is a function of the seed and the epoch, so a run is a function of its settings and its data.
//
// This file is the loop. The others are:
//
//	trainer.go     the parts of a run
//	gradient.go    the gradient of a step's rows, in batches
//	clip.go, rates.go, maxnorm.go, average.go    optional features of a step
//	evaluate.go    evaluating a model on a set
//	stop.go        ends of a run before its last epoch
//	save.go, resume.go    saving and resuming a run; package run has the files
//	event.go       the events that observers get
package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"fmtrain/internal/metric"
	"fmtrain/internal/run"
)

// Run trains until the last epoch, and calls the observers. It saves the initial weights first, so there is always a checkpoint to resume
// from. Later saves run in the background; they are complete when Run returns.
//
// If the context is cancelled, an observer fails or an op fails, it saves and returns an [*Interrupted]. If a loss or a gradient is
// not finite, it returns a [*Diverged], and the step is not made. If a checkpoint can't be written, it returns an [*Unsaved].
func (t *Trainer) Run(ctx context.Context, observers ...Observer) (*Done, error) {
	t.observers = append(t.observers, observers...)
	done, err := t.run(ctx)
	return done, errors.Join(err, t.waitForSave())
}

func (t *Trainer) run(ctx context.Context) (*Done, error) {
	began := time.Now()
	before := t.Before + t.done.Elapsed
	t.share()
	if err := t.notifyStart(began, before); err != nil {
		return nil, err
	}
	if err := t.saveFirst(); err != nil {
		return nil, err
	}
	for !t.Finished() {
		if err := t.epoch(ctx, t.done.Epoch+1); err != nil {
			return nil, err
		}
	}
	if err := t.waitForSave(); err != nil {
		return nil, err
	}
	return t.notifyDone(time.Since(began), before)
}

// epoch trains on every sample once, or on the rest of an epoch that is resumed, validates, and saves.
func (t *Trainer) epoch(ctx context.Context, epoch int) error {
	size := t.stepSamples()
	running := t.done.Running
	order := t.Sampler.Order(epoch)[running.Seen:]
	it := Iteration{
		Epoch: epoch, Epochs: t.Epochs, Iteration: t.done.Iteration, Iterations: t.iterations(),
		Elapsed: t.done.Elapsed, Rates: t.rates(),
	}
	t.Metrics.Restore(t.done.Metrics, running.Seen)
	var notifyErr error
	begin := time.Now().Add(-it.Elapsed)
	t.pace.Begin()
	for it.Iteration < it.Iterations {
		if ctx.Err() != nil {
			return t.interrupt(it, t.within(it, running), nil)
		}
		rows := order[:min(size, len(order))]
		order = order[len(rows):]
		it.Iteration++

		counted, err := t.step(it, rows, order[:min(size, len(order))])
		if err != nil {
			return t.stepFailed(it, running, err)
		}
		running.Add(counted.LossSum, counted.Correct, counted.Seen)

		it.BatchLoss = counted.Loss()
		it.Loss, it.Accuracy, it.Seen = running.Loss(), running.Accuracy(), running.Seen
		it.Metrics = t.Metrics.Values()
		it.Elapsed = time.Since(begin)
		notifyErr = t.notify(func(o Observer) error { return o.OnIteration(&it) })
		if notifyErr != nil && it.Iteration < it.Iterations {
			return t.interrupt(it, t.within(it, running), notifyErr)
		}
		t.pace.Step()
		if err := t.checkSave(); err != nil {
			return err
		}
		if t.Every.due(it, t.saving.of) {
			if err := t.saveWithin(it, running); err != nil {
				return err
			}
			begin = time.Now().Add(-it.Elapsed)
			t.pace.Begin()
		}
	}
	return t.finish(it, notifyErr)
}

// step computes the gradient of the rows and lets each group's solver change its weights. The loss and the counts are those of the weights
// before the step. next are the rows of the following step.
func (t *Trainer) step(it Iteration, rows, next []int32) (counted metric.Tally, err error) {
	t.counted = t.Metrics.AppendSums(t.counted[:0])
	counted, err = t.gradients.compute(it.Epoch, uint64(it.step()), rows, next)
	if err != nil {
		return counted, t.noGradient(it, err)
	}
	t.clip()
	if err := t.schedule(it); err != nil {
		return counted, err
	}
	for i, group := range t.Graph.Groups {
		if err := t.Solvers[i].Step(group.ValueGrads()); err != nil {
			return counted, fmt.Errorf("epoch %d, iteration %d: %s solver: %w", it.Epoch, it.Iteration, group.Name, err)
		}
	}
	t.constrain()
	t.average(it)
	return counted, nil
}

// finish ends an epoch: it validates, notifies the observers, and saves. The best epoch is the first with the highest validation
// accuracy; without validation there is none. If an observer has failed, now or at the last iteration, the run ends after the save.
func (t *Trainer) finish(it Iteration, notifyErr error) error {
	if err := t.checkWeights(it); err != nil {
		return err
	}
	seconds := it.Elapsed.Seconds()
	t.done = run.Progress{
		Epoch: it.Epoch, BestEpoch: t.done.BestEpoch, BestAccuracy: t.done.BestAccuracy, BestLoss: t.done.BestLoss, ValLosses: t.done.ValLosses,
	}
	e := &Epoch{
		Epoch: it.Epoch, Epochs: it.Epochs, Iterations: it.Iterations,
		Loss: it.Loss, Accuracy: it.Accuracy, ValLoss: math.NaN(), ValAccuracy: math.NaN(),
		Seconds: seconds, SamplesPerSecond: float64(it.Seen) / seconds, Rates: it.Rates,
	}
	if err := t.validate(it, e); err != nil {
		return err
	}
	e.BestEpoch = t.done.BestEpoch
	if err := t.notify(func(o Observer) error { return o.OnEpoch(e) }); notifyErr == nil {
		notifyErr = err
	}
	if notifyErr != nil {
		return t.interrupt(it, t.done, notifyErr)
	}
	return t.save(t.done)
}

// validate measures the weights, and their average, on the validation images, if there are any.
func (t *Trainer) validate(it Iteration, e *Epoch) error {
	if t.Validation == nil {
		return nil
	}
	v, err := t.Validation.Evaluate()
	if err != nil {
		return err
	}
	if !finite(v.Loss) {
		return t.diverged(it, "the validation loss")
	}
	e.ValLoss, e.ValAccuracy, e.Metrics = v.Loss, v.Accuracy, v.Metrics
	t.keepLoss(v.Loss)
	if t.done.BestEpoch == 0 || v.Accuracy > t.done.BestAccuracy {
		t.done.BestEpoch, t.done.BestAccuracy, t.done.BestLoss = it.Epoch, v.Accuracy, v.Loss
	}
	return t.validateAverage(it, e)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
