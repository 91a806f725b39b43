package loop

import (
	"errors"
	"fmt"
	"time"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
)

// Every says how often a run is saved within an epoch: every N iterations, or after a duration in the training loop. The zero value
// is never. The end of an epoch is always saved.
type Every struct {
	Iterations int
	Time       time.Duration
}

// due says whether to save after an iteration, other than the last of an epoch.
func (e Every) due(it Iteration, saved run.Progress) bool {
	if it.Iteration == it.Iterations {
		return false
	}
	return e.Iterations > 0 && it.Iteration%e.Iterations == 0 || e.Time > 0 && it.Elapsed-saved.Elapsed >= e.Time
}

// Unsaved ends a run whose checkpoint can't be written.
type Unsaved struct {
	At         run.Progress // that should have been saved
	Err        error
	Saved      run.Progress // of the last checkpoint that was written
	Checkpoint string       // its path; empty if there is none, or no more
}

func (u *Unsaved) Error() string {
	text := fmt.Sprintf("training stops, because %v can't be saved: %v", u.At, u.Err)
	if u.Checkpoint != "" {
		text += fmt.Sprintf("; the checkpoint of %v is whole in %s", u.Saved, u.Checkpoint)
	}
	return text
}

func (u *Unsaved) Unwrap() error { return u.Err }

// saving is the last save that was started. It runs in the background, with a copy of the state.
type saving struct {
	of    run.Progress
	ended chan error // gives the save's error; nil once that was received, or if there was no save
}

// save begins to write the checkpoint, after waiting for the save before it. The order is: the observers' lines, the last checkpoint,
// and the best if this is the end of the best epoch. So the best checkpoint never has an epoch that a resumed run has not reached.
// If an observer fails to flush, the checkpoint is still written.
func (t *Trainer) save(p run.Progress) error {
	if t.Checkpoints == nil {
		return nil
	}
	if err := t.waitForSave(); err != nil {
		return err
	}
	var flushed error
	for _, o := range t.observers {
		if s, ok := o.(Syncer); ok {
			flushed = errors.Join(flushed, s.Flush())
		}
	}
	image, err := t.Checkpoints.Image(t.state(p))
	if err != nil {
		return t.unsaved(p, err)
	}
	if p.IsBest() {
		t.bestLost = false
	}
	ended := make(chan error, 1)
	t.saving = saving{p, ended}
	go func() { ended <- t.write(image, p.IsBest()) }()
	return flushed
}

// state is what a checkpoint holds.
func (t *Trainer) state(p run.Progress) run.State {
	s := run.State{
		Model: t.Model, Settings: t.Settings, Data: t.Data, Weights: t.Weights, Groups: t.Graph.Groups, Solvers: t.Solvers, Progress: p,
	}
	if t.Average != nil {
		s.Average = t.Average.Weights
	}
	return s
}

// write runs in its own goroutine. It touches nothing that the training uses.
func (t *Trainer) write(image checkpoint.Image, best bool) error {
	for _, o := range t.observers {
		if s, ok := o.(Syncer); ok {
			if err := s.Sync(); err != nil {
				return err
			}
		}
	}
	if err := t.Checkpoints.SaveLast(image); err != nil || !best {
		return err
	}
	return t.Checkpoints.SaveBest()
}

// waitForSave waits for the end of a save, and returns the error that then ends the run.
func (t *Trainer) waitForSave() error {
	if t.saving.ended == nil {
		return nil
	}
	return t.saveEnded(<-t.saving.ended)
}

// checkSave is waitForSave if the save has ended; otherwise it does not wait.
func (t *Trainer) checkSave() error {
	select {
	case err := <-t.saving.ended:
		return t.saveEnded(err)
	default:
		return nil
	}
}

func (t *Trainer) saveEnded(err error) error {
	t.saving.ended = nil
	if err != nil {
		return t.unsaved(t.saving.of, err)
	}
	return nil
}

// saveFirst saves a new run, or one that resumes with other settings, and waits for it. So there is always a checkpoint to resume
// from, and a directory that can't be written is noticed at once and not after hours. If a run resumes at the end of its best epoch, it writes the
// best: a crash may have come between the last and the best.
func (t *Trainer) saveFirst() error {
	switch {
	case t.resumed == nil || t.changed:
		if err := t.save(t.done); err != nil {
			return err
		}
		return t.waitForSave()
	case t.Checkpoints != nil && t.done.IsBest():
		if err := t.Checkpoints.SaveBest(); err != nil {
			return t.unsaved(t.done, err)
		}
	}
	return nil
}

// best is the path of the best checkpoint, or of the last if there is no best or it is lost.
func (t *Trainer) best() string {
	switch {
	case t.Checkpoints == nil:
		return ""
	case t.done.BestEpoch == 0 || t.bestLost:
		return t.Checkpoints.Dir.Last()
	}
	return t.Checkpoints.Dir.Best()
}

// saveWithin saves within an epoch.
func (t *Trainer) saveWithin(it Iteration, running metric.Tally) error {
	if err := t.checkWeights(it); err != nil {
		return err
	}
	return t.save(t.within(it, running))
}

// within is the progress after an iteration. Before the first iteration of an epoch it is that of the epoch's beginning.
func (t *Trainer) within(it Iteration, running metric.Tally) run.Progress {
	p := t.done
	if it.Iteration == 0 {
		return p
	}
	p.Iteration, p.Running, p.Metrics, p.Elapsed = it.Iteration, running, t.Metrics.AppendSums(nil), it.Elapsed
	return p
}

// unsaved ends the run because its checkpoint can't be written.
func (t *Trainer) unsaved(at run.Progress, err error) error {
	u := &Unsaved{At: at, Err: err}
	u.Saved, u.Checkpoint = t.Checkpoints.LastIntact()
	return u
}
