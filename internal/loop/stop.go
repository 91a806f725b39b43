package loop

import (
	"errors"
	"fmt"

	"fmtrain/internal/kernel"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
)

// Diverged ends a run whose loss or gradient is not finite; the step is not made. A step may also make a weight NaN or infinite from
// finite gradients. Then the run ends before the weights are saved, so the last checkpoint is always good.
type Diverged struct {
	Epoch, Iteration int
	Where            string       // the first node of the graph that is not finite
	Saved            run.Progress // of the last checkpoint
	Checkpoint       string       // its path; empty if it is gone
}

func (d *Diverged) Error() string {
	text := fmt.Sprintf("training diverged in epoch %d, iteration %d: NaN or Inf appeared first in %s; ", d.Epoch, d.Iteration, d.Where)
	if d.Checkpoint != "" {
		text += fmt.Sprintf("the weights after %v are in %s; ", d.Saved, d.Checkpoint)
	}
	return text + "try a lower learning rate"
}

// Interrupted ends a run before its last epoch: it was asked to stop, or an observer or an op has failed. Its state is saved.
type Interrupted struct {
	Epoch, Iteration, Iterations int    // the iterations done in the epoch that it was in
	Checkpoint                   string // empty if nothing is saved
	Err                          error  // what failed; nil if it was asked to stop
}

func (i *Interrupted) Error() string {
	text := "interrupted"
	if i.Err != nil {
		text = i.Err.Error() + "; stopped"
	}
	text += fmt.Sprintf(" in epoch %d, step %d of %d", i.Epoch, i.Iteration, i.Iterations)
	if i.Checkpoint != "" {
		text += "; saved"
	}
	return text
}

func (i *Interrupted) Unwrap() error { return i.Err }

// Finished says whether nothing is left to do, also of a resumed run.
func (t *Trainer) Finished() bool { return t.done.Epoch >= t.Epochs || t.outOfPatience() }

// outOfPatience says whether the run ends because its best epoch is as many epochs old as the patience. A resumed run knows both from
// its progress.
func (t *Trainer) outOfPatience() bool {
	return t.Patience > 0 && t.Validation != nil && t.done.Epoch-t.done.BestEpoch >= t.Patience
}

// checkWeights is an error if a step has made a weight NaN or infinite, as an absurd learning rate does with finite gradients. The
// next run of the graph would show it; before a save there is none.
func (t *Trainer) checkWeights(it Iteration) error {
	if name := firstNotFinite(t.Weights); name != "" {
		return t.diverged(it, name)
	}
	if t.Average != nil {
		if name := firstNotFinite(t.Average.Weights); name != "" {
			return t.diverged(it, "the average of "+name)
		}
	}
	return nil
}

func firstNotFinite(weights model.Weights) string {
	for _, w := range weights {
		if !kernel.AllFinite(w.Value.Float32s()) {
			return w.Name
		}
	}
	return ""
}

// interrupt saves what was done and ends the run: it was asked to stop or, with a reason, something failed.
func (t *Trainer) interrupt(it Iteration, p run.Progress, reason error) error {
	err := t.checkWeights(it)
	if err == nil && it.Iteration > t.done.Iteration { // otherwise it is saved already
		err = t.save(p)
	}
	if err == nil {
		err = t.waitForSave()
	}
	if err != nil {
		return errors.Join(reason, err)
	}
	i := &Interrupted{Epoch: it.Epoch, Iteration: it.Iteration, Iterations: it.Iterations, Err: reason}
	if t.Checkpoints != nil {
		i.Checkpoint = t.Checkpoints.Dir.Last()
	}
	return i
}

// notMade is the error of a step that has changed nothing.
type notMade struct{ error }

func (n notMade) Unwrap() error { return n.error }

// noGradient is the error of a step without a gradient.
func (t *Trainer) noGradient(it Iteration, err error) error {
	var bad *notFinite
	if errors.As(err, &bad) {
		return t.diverged(it, bad.where)
	}
	return notMade{fmt.Errorf("epoch %d, iteration %d: %w", it.Epoch, it.Iteration, err)}
}

// stepFailed ends the run after an error in a step. If the step was not made, the steps before it are saved.
func (t *Trainer) stepFailed(it Iteration, running metric.Tally, err error) error {
	var n notMade
	if !errors.As(err, &n) {
		return err
	}
	it.Iteration--
	t.Metrics.Restore(t.counted, running.Seen) // without the batches of this step
	return t.interrupt(it, t.within(it, running), n.error)
}

// diverged ends the run at an iteration.
func (t *Trainer) diverged(it Iteration, where string) error {
	failed := t.waitForSave()
	d := &Diverged{Epoch: it.Epoch, Iteration: it.Iteration, Where: where}
	d.Saved, d.Checkpoint = t.Checkpoints.LastIntact()
	return errors.Join(d, failed)
}
