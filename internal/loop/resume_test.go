package loop

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
	"fmtrain/internal/solver"
)

// resumable is a run for a pair of solvers, with other features drawn at random. An epoch has 4 iterations, the last with a short batch.
func resumable(lower, upper string, source *rand.Rand) setup {
	s := stacked("784-5-ln-relu-dropout:0.3-10")
	s.epochs, s.validation = 3, 20
	s.lower, s.upper = group{lower, 0.002}, group{upper, 0.004}
	if s.batch = 19; source.IntN(2) == 0 {
		s.batch, s.accumulate = 7, 3
	}
	schedules := []string{"", "", "step:epochs=1,factor=0.5", "exponential:epochs=2", "cosine:warmup=3", "1cycle", "plateau:patience=0,threshold=0.3"}
	for i := range s.schedules {
		s.schedules[i] = schedules[source.IntN(len(schedules))]
	}
	if source.IntN(2) == 0 {
		s.clipNorm = 0.4
	}
	if source.IntN(2) == 0 {
		s.decay = 0.7
	}
	s.patience = source.IntN(3)
	s.augment = []string{"", "flip", "altflip,erase", "flip,shift:2,cutout:8"}[source.IntN(4)]
	return s
}

// measured is the trainer of a setup, with a metric over the training images.
func measured(t testing.TB, s setup, observers ...Observer) *Trainer {
	t.Helper()
	trainer := s.trainer(t, observers...)
	set, err := metric.NewSet([]string{"top3"}, dataset.ClassNames[:])
	must(t, err)
	trainer.Metrics = set
	return trainer
}

// For every pair of solvers and any features: a run that is stopped after any iteration and resumed, many times, equals a run that was
// never stopped. It has the same events and the same bytes in its checkpoints.
func TestResumeIsExact(t *testing.T) {
	source := rand.New(rand.NewPCG(5, 6))
	for _, lower := range solver.Names() {
		for _, upper := range solver.Names() {
			s := resumable(lower, upper, source)
			var all recorder
			whole := measured(t, s, &all)
			done := train(t, whole)

			var events []any
			var dir run.Dir
			for stops := 0; ; stops++ {
				ctx, cancel := context.WithCancel(context.Background())
				left := 1 + source.IntN(5)
				var seen recorder
				seen.onIteration = func(*Iteration) error {
					if left--; left == 0 {
						cancel()
					}
					return nil
				}
				other := s
				if other.seed = 99; stops == 0 {
					other.seed = s.seed
				}
				trainer := measured(t, other, &seen)
				trainer.Sampler, trainer.Graph.Draw.Seed = dataset.NewSampler(s.images, s.seed, true), s.seed
				trainer.Augmenter = whole.Augmenter
				if stops > 0 {
					trainer.Checkpoints.Dir = dir
					saved, warnings, err := dir.Load()
					must(t, err)
					if len(warnings) > 0 {
						t.Errorf("%s, %s: %s", lower, upper, warnings)
					}
					must(t, trainer.Resume(saved, false))
					seen.events = seen.events[:0]
				}
				dir = trainer.Checkpoints.Dir
				got, err := trainer.Run(ctx)
				cancel()
				if stops > 0 {
					seen.events = seen.events[1:] // the start
				}
				events = append(events, seen.events...)
				var interrupted *Interrupted
				if errors.As(err, &interrupted) {
					continue
				}
				must(t, err)
				if got.WeightsSHA256 != done.WeightsSHA256 {
					t.Errorf("%s, %s: the weights have the SHA-256 %s, expected %s", lower, upper, got.WeightsSHA256, done.WeightsSHA256)
				}
				break
			}
			if diff := cmp.Diff(all.events, events); diff != "" {
				t.Errorf("%s, %s: events (-whole +resumed):\n%s", lower, upper, diff)
			}
			for _, path := range []func(run.Dir) string{run.Dir.Last, run.Dir.Best} {
				want, err := os.ReadFile(path(whole.Checkpoints.Dir))
				must(t, err)
				got, err := os.ReadFile(path(dir))
				must(t, err)
				if string(want) != string(got) {
					t.Errorf("%s, %s: another %s", lower, upper, path(""))
				}
			}
		}
	}
}

// A finished run that is resumed ends at once, in the same state.
func TestResumeOfADoneRun(t *testing.T) {
	s := everything()
	begun := s.trainer(t)
	want := train(t, begun)
	again := s.trainer(t)
	again.Checkpoints.Dir = begun.Checkpoints.Dir
	restore(t, again, begun.Checkpoints.Dir.Last())
	got := train(t, again)
	want.Seconds, want.TotalSeconds = got.Seconds, got.TotalSeconds
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-first +again):\n%s", diff)
	}
}

// A run is saved every N iterations or after a duration, and always at an epoch's end. The previous checkpoint is kept.
func TestSavedWithinAnEpoch(t *testing.T) {
	for name, test := range map[string]struct {
		every Every
		want  []string // last at each iteration of the first epoch, before it is saved
	}{
		"each iteration":       {Every{Iterations: 1}, []string{"epoch 0", "epoch 1, iteration 1", "epoch 1, iteration 2", "epoch 1, iteration 3"}},
		"every other":          {Every{Iterations: 2}, []string{"epoch 0", "epoch 0", "epoch 1, iteration 2", "epoch 1, iteration 2"}},
		"each moment":          {Every{Time: 1}, []string{"epoch 0", "epoch 1, iteration 1", "epoch 1, iteration 2", "epoch 1, iteration 3"}},
		"at its end":           {Every{}, []string{"epoch 0", "epoch 0", "epoch 0", "epoch 0"}},
		"more than it lasts":   {Every{Iterations: 4}, []string{"epoch 0", "epoch 0", "epoch 0", "epoch 0"}},
		"longer than it lasts": {Every{Time: 1 << 60}, []string{"epoch 0", "epoch 0", "epoch 0", "epoch 0"}},
	} {
		s := small()
		s.batch, s.epochs = 19, 1
		var seen recorder
		var got []string
		trainer := s.trainer(t, &seen)
		trainer.Every = test.every
		seen.onIteration = func(*Iteration) error {
			must(t, trainer.waitForSave())
			saved, err := run.Load(trainer.Checkpoints.Dir.Last())
			must(t, err)
			got = append(got, saved.Progress.String())
			return nil
		}
		train(t, trainer)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		previous, err := run.Load(trainer.Checkpoints.Dir.Previous())
		must(t, err)
		if want := got[3]; previous.Progress.String() != want {
			t.Errorf("%s: the checkpoint before the last has %v, expected %s", name, previous.Progress, want)
		}
	}
}

// A checkpoint that does not fit is refused with an error that names the file.
func TestResumeRefuses(t *testing.T) {
	s := everything()
	s.validation, s.patience, s.schedules = 0, 0, [2]string{}
	begun := s.trainer(t)
	begun.Data = run.Data{"images": "89ab", "labels": "4567"}
	train(t, begun)
	path := begun.Checkpoints.Dir.Last()
	for name, test := range map[string]struct {
		change func(*setup)
		spoil  func(*run.Saved)
		want   string
	}{
		"another width":   {func(s *setup) { s.spec.Stack = "784-13-ln-relu-res(13-relu)-10" }, nil, "expected shape (784, 13), found (784, 12)"},
		"another solver":  {func(s *setup) { s.lower.solver = "sgd" }, nil, "lower group: expected the state of the solver sgd, found that of momentum"},
		"no solver":       {nil, func(s *run.Saved) { delete(s.Solvers, "upper") }, "expected the state of the upper solver, found none"},
		"a missing slot":  {nil, func(s *run.Saved) { delete(s.Solvers["upper"].State.Slots["m"], "upper.bias") }, "upper group: solver nadam: expected m of 2 parameters, found 1"},
		"no average":      {nil, func(s *run.Saved) { s.Average = nil }, "expected averaged weights (tensors ema.…), found none"},
		"epochs below 0":  {nil, func(s *run.Saved) { s.Progress.Epoch = -1 }, "invalid progress: epoch -1"},
		"an epoch's end":  {nil, func(s *run.Saved) { s.Progress.Iteration = 3 }, "iteration 3 of 3"},
		"images left out": {nil, func(s *run.Saved) { s.Progress.Iteration, s.Progress.Running.Seen = 1, 34 }, "expected 35 images in 1 iterations of 35, found 34"},
		"other data":      {nil, func(s *run.Saved) { s.Data = run.Data{"images": "0123", "labels": "4567"} }, "expected the run's own images, with the SHA-256 0123, found another, 89ab"},
		"unknown data":    {nil, func(s *run.Saved) { s.Data = nil }, "expected the SHA-256 of the training files, found none"},
		"a best to come":  {nil, func(s *run.Saved) { s.Progress.BestEpoch = 7 }, "invalid progress: epoch 6, best epoch 7"},
	} {
		other := s
		if test.change != nil {
			test.change(&other)
		}
		saved, err := run.Load(path)
		must(t, err)
		if test.spoil != nil {
			test.spoil(saved)
		}
		trainer := other.trainer(t)
		trainer.Data = begun.Data
		err = trainer.Resume(saved, false)
		if err == nil || !strings.HasPrefix(err.Error(), path+": ") || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: expected %q, found %v", name, test.want, err)
		}
	}
}

// With override, a new solver starts without state, and a new average starts from the weights.
func TestResumeOverridden(t *testing.T) {
	s := small()
	begun := s.trainer(t)
	train(t, begun)
	saved, err := run.Load(begun.Checkpoints.Dir.Last())
	must(t, err)
	s.lower, s.decay, s.epochs = group{"sgd", 0.01}, 0.9, 4
	trainer := s.trainer(t)
	saved.Data = run.Data{"images": "0123"}
	must(t, trainer.Resume(saved, true))
	if !same(bits(trainer.Average.Weights), bits(begun.Weights)) {
		t.Error("the average does not begin at the weights")
	}
	if got := fmt.Sprint(trainer.Solvers[0].State().Steps, trainer.Solvers[1].State().Steps); got != "0 9" {
		t.Errorf("the solvers begin after %s steps, expected 0 and 9", got)
	}
	train(t, trainer)
}
