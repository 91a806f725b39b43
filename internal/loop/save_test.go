package loop

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"
)

// syncing is an observer that lets each save begin when it is told to, or at once.
type syncing struct {
	recorder
	flushed, synced int
	begin           chan struct{} // nil: at once
}

func (s *syncing) Flush() error { s.flushed++; return nil }

func (s *syncing) Sync() error {
	if s.begin != nil {
		<-s.begin
	}
	s.synced++
	return nil
}

// The training goes on while a checkpoint is written, and what is written is of the moment at which the save began.
func TestSavesWhileTrainingGoesOn(t *testing.T) {
	begin := make(chan struct{})
	seen := syncing{begin: begin}
	trainer := small().trainer(t, &seen)
	initial := bits(trainer.Checkpoints.Weights)
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch > 1 || it.Iteration < it.Iterations {
			return nil
		}
		if seen.synced > 0 {
			t.Error("the initial checkpoint was written before anything was trained")
		}
		close(begin)
		must(t, trainer.settle())
		saved, err := Load(trainer.Checkpoints.Last())
		must(t, err)
		if saved.Progress.Epoch != 0 || !same(initial, bits(saved.Weights)) {
			t.Errorf("the initial checkpoint is of %v, or has other weights", saved.Progress)
		}
		return nil
	}
	train(t, trainer)
	if want := 1 + trainer.Epochs; seen.flushed != want || seen.synced != want {
		t.Errorf("flushed %d times and synced %d times, expected %d, before each save", seen.flushed, seen.synced, want)
	}
}

// However a run ends, a save that is under way is whole when it has ended, and what it says of the last checkpoint is true.
func TestRunWaitsForItsSave(t *testing.T) {
	broken := errors.New("the observer is broken")
	for name, test := range map[string]struct {
		stop func(trainer *Trainer, cancel func()) error
		want string // the last checkpoint
	}{
		"an observer fails": {func(*Trainer, func()) error { return broken }, "epoch 1"},
		"it diverges":       {func(trainer *Trainer, _ func()) error { return trainer.diverged(Iteration{}, "there") }, "epoch 1"},
		"it is interrupted": {func(_ *Trainer, cancel func()) error { cancel(); return nil }, "epoch 2, iteration 1"},
		"it goes on":        {func(*Trainer, func()) error { return nil }, "epoch 3"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		seen := syncing{begin: make(chan struct{})}
		release := func() { seen.begin <- struct{}{} }
		trainer := small().trainer(t, &seen)
		seen.onEpoch = func(e *Epoch) error {
			if e.Epoch == 1 {
				release() // the initial save
			}
			return nil
		}
		seen.onIteration = func(it *Iteration) error {
			if it.Epoch == 2 && it.Iteration == 1 {
				time.AfterFunc(10*time.Millisecond, func() { close(seen.begin) })
				return test.stop(trainer, cancel)
			}
			return nil
		}
		_, err := trainer.Run(ctx)
		cancel()
		if (err == nil) != (name == "it goes on") {
			t.Errorf("%s: error %v", name, err)
		}
		saved, loadErr := Load(trainer.Checkpoints.Last())
		must(t, loadErr)
		if got := saved.Progress.String(); got != test.want {
			t.Errorf("%s: the last checkpoint is of %s, expected %s", name, got, test.want)
		}
		var diverged *Diverged
		if errors.As(err, &diverged) && diverged.Saved.String() != test.want {
			t.Errorf("%s: it says that the last checkpoint is of %v", name, diverged.Saved)
		}
	}
}

// unflushed is an observer whose lines can't be written.
type unflushed struct {
	recorder
	err error
}

func (u *unflushed) Flush() error { return u.err }
func (u *unflushed) Sync() error  { return nil }

// What an observer fails to write ends the run, but not before it is saved.
func TestSavedThoughAnObserverFails(t *testing.T) {
	var seen unflushed
	trainer := small().trainer(t, &seen)
	seen.onEpoch = func(e *Epoch) error {
		if e.Epoch == 2 {
			seen.err = errors.New("the pipe is broken")
		}
		return seen.err
	}
	if _, err := trainer.Run(t.Context()); !errors.Is(err, seen.err) {
		t.Errorf("expected %v, found %v", seen.err, err)
	}
	saved, err := Load(trainer.Checkpoints.Last())
	must(t, err)
	if got := saved.Progress.String(); got != "epoch 2" {
		t.Errorf("the last checkpoint is of %s, expected epoch 2", got)
	}
}

// A save that has failed ends the run at the next iteration, not only when another is due.
func TestFailedSaveEndsTheRun(t *testing.T) {
	var seen recorder
	trainer := small().trainer(t, &seen)
	trainer.Checkpoints.Run = filepath.Join(t.TempDir(), "gone")
	seen.onIteration = func(*Iteration) error {
		for len(trainer.saving.ended) == 0 {
			time.Sleep(time.Millisecond)
		}
		return nil
	}
	_, err := trainer.Run(t.Context())
	var unsaved *Unsaved
	if !errors.As(err, &unsaved) || unsaved.Checkpoint != "" {
		t.Errorf("expected an Unsaved without a checkpoint, found %v", err)
	}
	if len(seen.iterations) != 1 {
		t.Errorf("%d iterations were done, expected 1", len(seen.iterations))
	}
}
