package loop

import (
	"errors"
	"io/fs"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/metric"
	"fmtrain/internal/run"
)

// broken is a source of gradients with an op that fails at one step, in the last of its batches.
type broken struct {
	gradientSource
	at  uint64
	err error
}

func (b broken) compute(epoch int, step uint64, rows, next []int32) (metric.Tally, error) {
	counted, err := b.gradientSource.compute(epoch, step, rows, next)
	if step == b.at {
		err = b.err
	}
	return counted, err
}

// An op that fails ends the run, which saves the state after the previous step. The resumed run equals one that never failed.
func TestFailedOpIsSaved(t *testing.T) {
	s := small()
	s.batch, s.accumulate, s.validation = 8, 4, 20
	var all, before, after recorder
	whole := measured(t, s, &all)
	train(t, whole)

	failing := measured(t, s, &before)
	failure := errors.New("an op failed")
	before.onIteration = func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == 1 {
			failing.gradients = broken{failing.gradients, 6, failure} // the third step of the second epoch
		}
		return nil
	}
	_, err := failing.Run(t.Context())
	var interrupted *Interrupted
	if !errors.As(err, &interrupted) || !errors.Is(err, failure) {
		t.Fatalf("expected an Interrupted by the op's error, found %v", err)
	}
	if interrupted.Epoch != 2 || interrupted.Iteration != 2 || interrupted.Checkpoint != failing.Checkpoints.Dir.Last() {
		t.Errorf("found %v", err)
	}

	resumed := measured(t, s, &after)
	restore(t, resumed, interrupted.Checkpoint)
	train(t, resumed)
	if diff := cmp.Diff(all.events, append(before.events, after.events[1:]...)); diff != "" {
		t.Errorf("events (-whole +resumed):\n%s", diff)
	}
	if !same(bits(whole.Weights), bits(resumed.Weights)) {
		t.Error("other weights")
	}
}

// A run that stops early does not fail if its best checkpoint is gone.
func TestBestGoneBeforeAnEarlyStop(t *testing.T) {
	s := validated()
	s.lower.rate, s.upper.rate, s.patience, s.epochs = 0, 0, 2, 9 // the first epoch stays the best
	var seen recorder
	trainer := s.trainer(t, &seen)
	seen.onEpoch = func(e *Epoch) error {
		if e.Epoch == 2 {
			must(t, trainer.waitForSave())
			must(t, os.Rename(trainer.Checkpoints.Dir.Best(), trainer.Checkpoints.Dir.Best()+".moved"))
		}
		return nil
	}
	done := train(t, trainer)
	if !done.StoppedEarly || done.BestEpoch != 1 || !done.BestLost || done.Checkpoint != trainer.Checkpoints.Dir.Last() {
		t.Errorf("found %+v", *done)
	}
	if done.BestAccuracy != seen.epochs[0].ValAccuracy || done.BestLoss != seen.epochs[0].ValLoss {
		t.Errorf("best loss %v, accuracy %v; expected those of %+v", done.BestLoss, done.BestAccuracy, seen.epochs[0])
	}
}

// A trainer without a run directory trains to the same weights, and writes nothing.
func TestWithoutDirectory(t *testing.T) {
	s := everything()
	saved := s.trainer(t)
	want := train(t, saved)
	free := s.trainer(t)
	dir := free.Checkpoints.Dir
	free.Checkpoints, free.Every.Iterations = nil, 1
	got := train(t, free)
	if got.WeightsSHA256 != want.WeightsSHA256 || got.Checkpoint != "" || got.BestLost {
		t.Errorf("found %+v, expected the weights of %+v", *got, *want)
	}
	if found, err := os.ReadDir(dir.Checkpoints()); err != nil || len(found) > 0 {
		t.Errorf("it has written %v, %v", found, err)
	}

	var seen recorder
	stopped := s.trainer(t, &seen)
	stopped.Checkpoints = nil
	seen.onIteration = func(*Iteration) error { return fs.ErrInvalid }
	_, err := stopped.Run(t.Context())
	if want := "invalid argument; stopped in epoch 1, step 1 of "; err == nil || len(err.Error()) < len(want) || err.Error()[:len(want)] != want {
		t.Errorf("expected %q, found %v", want, err)
	}
}

// A resumed run says where it resumes, which settings changed, and how long it has trained.
func TestResumed(t *testing.T) {
	s := small()
	begun := s.trainer(t)
	begun.Settings = map[string]any{"epochs": 3, "seed": 7}
	train(t, begun)
	s.epochs = 4
	var seen recorder
	again := s.trainer(t, &seen)
	again.Settings = map[string]any{"epochs": 4, "seed": 7, "new": "x"}
	again.Before = 5e9
	restore(t, again, begun.Checkpoints.Dir.Last())
	done := train(t, again)
	resumed := seen.events[0].(Start).Resumed
	if resumed == nil || resumed.TotalSeconds != 5 || !cmp.Equal(resumed.From, run.Progress{Epoch: 3}) {
		t.Fatalf("found %+v", resumed)
	}
	if got := resumed.Changed; len(got) != 2 || string(got["epochs"]) != "4" || string(got["new"]) != `"x"` {
		t.Errorf("changed: %s", got)
	}
	if done.TotalSeconds != 5+done.Seconds {
		t.Errorf("%v seconds in total, %v in this session", done.TotalSeconds, done.Seconds)
	}
}
