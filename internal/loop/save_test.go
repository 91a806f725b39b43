package loop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fmtrain/internal/lock"
	"fmtrain/internal/run"
)

// syncing is an observer that holds up each save after the first until the test lets it begin.
type syncing struct {
	recorder
	flushed, synced int
	begin           chan struct{}
}

func (s *syncing) Flush() error { s.flushed++; return nil }

func (s *syncing) Sync() error {
	if s.synced++; s.synced > 1 {
		<-s.begin
	}
	return nil
}

// The training continues while a checkpoint is written. The checkpoint has the state at the start of the save. The observers' lines
// are synced before it, and it is in place before the run is done.
func TestSavesWhileTrainingGoesOn(t *testing.T) {
	seen := syncing{begin: make(chan struct{})}
	trainer := small().trainer(t, &seen)
	var first map[string][]uint32 // the weights at the end of the first epoch
	seen.onEpoch = func(*Epoch) error {
		if first == nil {
			first = bits(trainer.Weights)
		}
		return nil
	}
	last := func() *run.Saved {
		saved, err := run.Load(trainer.Checkpoints.Dir.Last())
		must(t, err)
		return saved
	}
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch != 2 || it.Iteration < it.Iterations {
			return nil
		}
		if saved := last(); saved.Progress.Epoch != 0 {
			t.Errorf("the checkpoint of %v was written before the observers were done", saved.Progress)
		}
		close(seen.begin)
		must(t, trainer.waitForSave())
		if saved := last(); saved.Progress.Epoch != 1 || !same(first, bits(saved.Weights)) {
			t.Errorf("the checkpoint has %v, or other weights", saved.Progress)
		}
		return nil
	}
	seen.onDone = func() {
		if saved := last(); saved.Progress.Epoch != trainer.Epochs {
			t.Errorf("the run is done, and its checkpoint has %v", saved.Progress)
		}
	}
	train(t, trainer)
	if want := 1 + trainer.Epochs; seen.flushed != want || seen.synced != want {
		t.Errorf("flushed %d times and synced %d times, expected %d, before each save", seen.flushed, seen.synced, want)
	}
}

// However a run ends, a save in progress is finished before, and the run names the right last checkpoint.
func TestRunWaitsForItsSave(t *testing.T) {
	broken := errors.New("the observer is broken")
	for name, test := range map[string]struct {
		stop func(trainer *Trainer, cancel func()) error
		want string // the last checkpoint
	}{
		"an observer fails": {func(*Trainer, func()) error { return broken }, "epoch 2, iteration 1"},
		"it diverges":       {func(trainer *Trainer, _ func()) error { poison(trainer); return nil }, "epoch 1"},
		"it is interrupted": {func(_ *Trainer, cancel func()) error { cancel(); return nil }, "epoch 2, iteration 1"},
		"it continues":      {func(*Trainer, func()) error { return nil }, "epoch 3"},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		seen := syncing{begin: make(chan struct{})}
		trainer := small().trainer(t, &seen)
		seen.onIteration = func(it *Iteration) error {
			if it.Epoch == 2 && it.Iteration == 1 {
				time.AfterFunc(10*time.Millisecond, func() { close(seen.begin) })
				return test.stop(trainer, cancel)
			}
			return nil
		}
		_, err := trainer.Run(ctx)
		cancel()
		if (err == nil) != (name == "it continues") {
			t.Errorf("%s: error %v", name, err)
		}
		saved, loadErr := run.Load(trainer.Checkpoints.Dir.Last())
		must(t, loadErr)
		if got := saved.Progress.String(); got != test.want {
			t.Errorf("%s: the last checkpoint has %s, expected %s", name, got, test.want)
		}
		var diverged *Diverged
		if errors.As(err, &diverged) && diverged.Saved.String() != test.want {
			t.Errorf("%s: the error says that the last checkpoint has %v", name, diverged.Saved)
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

// An observer that fails to write ends the run, after a save.
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
	saved, err := run.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	if got := saved.Progress.String(); got != "epoch 2" {
		t.Errorf("the last checkpoint has %s, expected epoch 2", got)
	}
}

// A failed save ends the run at the next iteration, not only at the next save. If something else ends the run first, the error reports
// both.
func TestFailedSaveEndsTheRun(t *testing.T) {
	for name, test := range map[string]struct {
		after    func(trainer *Trainer, cancel func()) // the first iteration after the save began
		diverged bool
	}{
		"nothing else":         {func(*Trainer, func()) {}, false},
		"it is interrupted":    {func(_ *Trainer, cancel func()) { cancel() }, false},
		"a weight becomes NaN": {func(trainer *Trainer, _ func()) { poison(trainer) }, true},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		seen := syncing{begin: make(chan struct{})}
		trainer := small().trainer(t, &seen)
		seen.onIteration = func(it *Iteration) error {
			if it.Epoch == 1 {
				return nil
			}
			must(t, os.RemoveAll(string(trainer.Checkpoints.Dir)))
			test.after(trainer, cancel)
			if test.diverged {
				time.AfterFunc(10*time.Millisecond, func() { close(seen.begin) })
				return nil
			}
			close(seen.begin)
			for len(trainer.saving.ended) == 0 {
				time.Sleep(time.Millisecond)
			}
			return nil
		}
		_, err := trainer.Run(ctx)
		cancel()
		var unsaved *Unsaved
		if !errors.As(err, &unsaved) || unsaved.Checkpoint != "" || unsaved.At.String() != "epoch 1" {
			t.Errorf("%s: expected an Unsaved of epoch 1 without a checkpoint, found %v", name, err)
		}
		var interrupted *Interrupted
		if errors.As(err, &interrupted) {
			t.Errorf("%s: it says that it is saved: %v", name, err)
		}
		var diverged *Diverged
		if errors.As(err, &diverged) != test.diverged {
			t.Errorf("%s: diverged is %v: %v", name, !test.diverged, err)
		}
		if strings.Contains(err.Error(), "the weights after") || strings.Contains(err.Error(), "is whole in") {
			t.Errorf("%s: it names a checkpoint, where none is left: %v", name, err)
		}
		if done := len(seen.iterations); done != 4 {
			t.Errorf("%s: %d iterations were done, expected 4", name, done)
		}
	}
}

// poison makes a weight NaN.
func poison(trainer *Trainer) {
	trainer.Weights[0].Value.Float32s()[0] = float32(math.NaN())
}

// If a save takes longer than the time between two saves, the next one is not tried at every iteration.
func TestSavesAreNotHurried(t *testing.T) {
	var seen syncing
	seen.begin = make(chan struct{})
	s := small()
	s.epochs, s.batch = 1, 7 // 10 iterations
	trainer := s.trainer(t, &seen)
	trainer.Every.Time = time.Hour
	seen.onIteration = func(it *Iteration) error {
		switch it.Iteration {
		case 3:
			it.Elapsed += 2 * time.Hour
		case 7:
			close(seen.begin)
		}
		return nil
	}
	train(t, trainer)
	if seen.synced != 3 {
		t.Errorf("%d saves, expected the first, one after two hours and the last", seen.synced)
	}
}

// If a crash came before the best checkpoint was linked, a resume links the last one if that has the best epoch. Otherwise the run
// warns, continues without a best checkpoint, and does not name one.
func TestLostBest(t *testing.T) {
	s := small()
	s.validation, s.epochs = 20, 1
	begun := s.trainer(t)
	train(t, begun)
	dir := begun.Checkpoints.Dir
	best, err := os.ReadFile(dir.Best())
	must(t, err)

	resume := func(epochs int) (*Done, []string) {
		s.epochs = epochs
		trainer := s.trainer(t)
		trainer.Checkpoints.Dir = dir
		saved, warnings, err := dir.Load()
		must(t, err)
		must(t, trainer.Resume(saved, false))
		trainer.done.BestAccuracy = 1 // no epoch is better
		return train(t, trainer), warnings
	}
	must(t, os.Remove(dir.Best()))
	done, warnings := resume(1)
	if made, err := os.ReadFile(dir.Best()); err != nil || !bytes.Equal(best, made) || len(warnings) > 0 || done.BestLost {
		t.Errorf("the best checkpoint was not made again: %v, %q", err, warnings)
	}
	done, warnings = resume(2)
	if len(warnings) > 0 || done.BestLost || done.Checkpoint != dir.Best() {
		t.Errorf("it is whole, but: %+v, %q", done, warnings)
	}
	must(t, os.WriteFile(dir.Best()+".new", best[:100], 0o644))
	must(t, os.Rename(dir.Best()+".new", dir.Best()))
	done, warnings = resume(3)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "the checkpoint of the best epoch, 1, is lost: ") || !done.BestLost || done.Checkpoint != dir.Last() {
		t.Errorf("it is damaged, but: %+v, %q", done, warnings)
	}
	must(t, os.Remove(dir.Best()))
	must(t, os.Link(dir.Last(), dir.Best()))
	if _, warnings = resume(4); len(warnings) != 1 || !strings.HasSuffix(warnings[0], "has the weights of epoch 3") {
		t.Errorf("the last checkpoint has another epoch, but: %q", warnings)
	}
}

// If the best checkpoint can't be written, the error names the last checkpoint that was.
func TestUnsavedBest(t *testing.T) {
	s := small()
	s.validation = 20
	trainer := s.trainer(t)
	must(t, os.MkdirAll(filepath.Join(trainer.Checkpoints.Dir.Best(), "inner"), 0o755))
	_, err := trainer.Run(t.Context())
	if want := "; the checkpoint of epoch 1 is whole in " + trainer.Checkpoints.Dir.Last(); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("expected %q at the end of %v", want, err)
	}
}

// A run whose directory was replaced by another run's does not write into the new one.
func TestAnotherRunsDirectory(t *testing.T) {
	var seen recorder
	trainer := small().trainer(t, &seen)
	dir := trainer.Checkpoints.Dir
	checkpoints, err := dir.Open()
	must(t, err)
	defer checkpoints.Close()
	trainer.Checkpoints = checkpoints
	seen.onEpoch = func(e *Epoch) error {
		if e.Epoch == 2 {
			must(t, trainer.waitForSave())
			must(t, os.Rename(string(dir), string(dir)+".moved"))
			must(t, os.MkdirAll(dir.Checkpoints(), 0o755))
			must(t, os.Link((dir+".moved").Last(), dir.Last())) // stands for the other run's checkpoint
			other, err := lock.Acquire(string(dir))
			must(t, err)
			defer other.Close()
		}
		return nil
	}
	_, err = trainer.Run(t.Context())
	var unsaved *Unsaved
	if !errors.Is(err, lock.ErrLost) || !errors.As(err, &unsaved) || unsaved.Checkpoint != "" {
		t.Errorf("expected an Unsaved because the directory is another's, found %v", err)
	}
	if found, err := os.ReadDir(dir.Checkpoints()); err != nil || len(found) != 1 {
		t.Errorf("it has written into the other's directory: %v, %v", found, err)
	}
	if last, err := run.Load(dir.Last()); err != nil || last.Progress.Epoch != 1 {
		t.Errorf("it has written over the other's checkpoint: %v", err)
	}
}

// A run that resumes with other settings is saved with them at once.
func TestResumeSavesChangedSettings(t *testing.T) {
	s := small()
	begun := s.trainer(t)
	begun.Settings = map[string]int{"epochs": 3}
	train(t, begun)
	for _, epochs := range []int{3, 5} {
		again := s.trainer(t)
		again.Checkpoints.Dir, again.Settings = begun.Checkpoints.Dir, map[string]int{"epochs": epochs}
		saved, _, err := begun.Checkpoints.Dir.Load()
		must(t, err)
		must(t, again.Resume(saved, false))
		must(t, again.saveFirst())
		if again.changed != (epochs == 5) {
			t.Errorf("%d epochs: changed is %v", epochs, again.changed)
		}
		saved, err = run.Load(again.Checkpoints.Dir.Last())
		must(t, err)
		if want := fmt.Sprintf(`{"epochs":%d}`, epochs); string(saved.Settings) != want {
			t.Errorf("it is saved with %s, expected %s", saved.Settings, want)
		}
	}
}
