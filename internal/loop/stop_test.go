package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/kernel"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
)

// values are the weight of that name.
func values(t *testing.T, weights model.Weights, name string) []float32 {
	t.Helper()
	for _, w := range weights {
		if w.Name == name {
			return w.Value.Float32s()
		}
	}
	t.Fatalf("no weight %s", name)
	return nil
}

func fill(values []float32, with float32) {
	for i := range values {
		values[i] = with
	}
}

func scale(values []float32, by float32) {
	for i := range values {
		values[i] *= by
	}
}

// A NaN or an infinity, wherever it appears, stops the run before the step. The error says where, the weights are those before the
// step, and the last checkpoint stays.
func TestDiverged(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(model.Weights)
		where string
	}{
		"NaN in a lower weight": {
			func(w model.Weights) { values(t, w, "lower.0.weight")[1000] = float32(math.NaN()) }, "lower.0.weight",
		},
		"NaN in an upper weight": {
			func(w model.Weights) { values(t, w, "upper.weight")[3] = float32(math.NaN()) }, "upper.weight",
		},
		"overflow of the lower product": {
			func(w model.Weights) { fill(values(t, w, "lower.0.weight"), 3e38) }, "lower.0.dense",
		},
		"overflow of the upper product": {
			func(w model.Weights) { fill(values(t, w, "upper.weight"), 3e38) }, "upper.dense",
		},
		// All samples except those of class 0 have an infinite loss, but a finite gradient.
		"infinite loss": {
			func(w model.Weights) { fill(values(t, w, "upper.bias")[1:], float32(math.Inf(-1))) }, "upper.bias",
		},
		// The logits stay finite, and so does the loss; on the way back 1/σ is about 1/ε.
		"overflow of a gradient": {
			func(w model.Weights) {
				scale(values(t, w, "lower.0.weight"), 1e-6)
				scale(values(t, w, "lower.0.norm.alpha"), 1e12)
				scale(values(t, w, "upper.weight"), 1e25)
			},
			"lower.0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := small()
			var seen recorder
			trainer := s.trainer(t, &seen)
			weights := trainer.Weights
			var before map[string][]uint32
			seen.onIteration = func(it *Iteration) error {
				if it.Epoch == 2 && it.Iteration == 2 {
					test.spoil(weights)
					before = bits(weights)
				}
				return nil
			}
			_, err := trainer.Run(context.Background())
			var diverged *Diverged
			if !errors.As(err, &diverged) {
				t.Fatalf("expected a Diverged, found %v", err)
			}
			if diverged.Epoch != 2 || diverged.Iteration != 3 || !strings.Contains(diverged.Where, test.where) {
				t.Errorf("expected it in %s in epoch 2, iteration 3, found: %v", test.where, err)
			}
			if !same(before, bits(weights)) {
				t.Error("the step was made")
			}
			checkLastIsFinite(t, trainer, run.Progress{Epoch: 1})
		})
	}
}

// checkLastIsFinite fails the test unless the last checkpoint has this progress, and weights that are all finite.
func checkLastIsFinite(t *testing.T, trainer *Trainer, want run.Progress) {
	t.Helper()
	saved, err := run.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	if diff := cmp.Diff(want, saved.Progress); diff != "" {
		t.Errorf("the last checkpoint's progress (-want +got):\n%s", diff)
	}
	for _, w := range saved.Weights {
		if !kernel.AllFinite(w.Value.Float32s()) {
			t.Errorf("the last checkpoint's %s is not finite", w.Name)
		}
	}
}

// An absurd learning rate ends as a divergence, wherever the steps overflow: within an epoch, or in its last step, after which there
// is no gradient. Weights that are not finite are never saved.
func TestAbsurdLearningRate(t *testing.T) {
	for _, form := range []string{"book", "none"} {
		for _, batch := range []int{32, 70} {
			for _, validation := range []int{0, 20} {
				t.Run(fmt.Sprintf("LayerNorm %s, batch %d, validation %d", form, batch, validation), func(t *testing.T) {
					s := small()
					s.spec.LayerNorm = model.NoLayerNorm
					if form == "book" {
						s.spec.LayerNorm = "book"
					}
					s.batch, s.validation, s.epochs = batch, validation, 1
					s.lower.rate = 1e38
					trainer := s.trainer(t)
					_, err := trainer.Run(context.Background())
					var diverged *Diverged
					if !errors.As(err, &diverged) {
						t.Fatalf("expected a Diverged, found %v", err)
					}
					if diverged.Epoch != 1 || diverged.Iteration < 1 || !strings.HasPrefix(diverged.Where, "lower.0") {
						t.Errorf("expected it in lower.0 in epoch 1, found: %v", err)
					}
					checkLastIsFinite(t, trainer, run.Progress{})
				})
			}
		}
	}
}

// Finite weights that are too large for the validation images end the run, too.
func TestValidationOverflow(t *testing.T) {
	s := small()
	s.validation = 20
	var seen recorder
	trainer := s.trainer(t, &seen)
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == 3 {
			fill(values(t, trainer.Weights, "upper.weight"), 3e38)
		}
		return nil
	}
	_, err := trainer.Run(context.Background())
	var diverged *Diverged
	if !errors.As(err, &diverged) || diverged.Epoch != 2 || diverged.Where != "the validation loss" {
		t.Fatalf("expected a Diverged in the validation loss of epoch 2, found %v", err)
	}
	checkLastIsFinite(t, trainer, run.Progress{Epoch: 1, BestEpoch: 1, BestAccuracy: seen.epochs[0].ValAccuracy, BestLoss: seen.epochs[0].ValLoss})
}

// A run that is asked to stop while its weights are not finite keeps its last good checkpoint.
func TestInterruptedAfterOverflow(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var seen recorder
	trainer := small().trainer(t, &seen)
	seen.onIteration = func(*Iteration) error {
		values(t, trainer.Weights, "upper.bias")[0] = float32(math.Inf(1))
		cancel()
		return nil
	}
	_, err := trainer.Run(ctx)
	var diverged *Diverged
	if !errors.As(err, &diverged) || diverged.Where != "upper.bias" {
		t.Fatalf("expected a Diverged in upper.bias, found %v", err)
	}
	checkLastIsFinite(t, trainer, run.Progress{})
}

// A cancelled run saves its state, also in mid-epoch.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s := small()
	s.validation = 20
	var seen recorder
	trainer := s.trainer(t, &seen)
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == 2 {
			cancel()
		}
		return nil
	}
	done, err := trainer.Run(ctx)
	var interrupted *Interrupted
	if !errors.As(err, &interrupted) || done != nil {
		t.Fatalf("expected an Interrupted, found %v, %v", done, err)
	}
	if diff := cmp.Diff(&Interrupted{Epoch: 2, Iteration: 2, Iterations: 3, Checkpoint: trainer.Checkpoints.Dir.Last()}, interrupted); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	saved, err := run.Load(interrupted.Checkpoint)
	must(t, err)
	if !same(bits(trainer.Weights), bits(saved.Weights)) {
		t.Error("the checkpoint has other weights than the run")
	}
	last := seen.iterations[len(seen.iterations)-1]
	p := saved.Progress
	if got := [4]int{p.Epoch, p.Iteration, p.Running.Seen, p.BestEpoch}; got != [4]int{1, 2, 64, 1} {
		t.Errorf("epoch, iteration, seen, best epoch: %v", got)
	}
	if p.Running.Loss() != last.Loss || p.Running.Accuracy() != last.Accuracy || p.BestAccuracy != seen.epochs[0].ValAccuracy {
		t.Errorf("progress %+v does not continue iteration %+v", p, last)
	}
}

// At the edges: before the first step, between two epochs, after the last.
func TestInterruptedBetweenEpochs(t *testing.T) {
	for _, test := range []struct {
		epoch, steps int // cancelled after this number of steps of this epoch
		want         *Interrupted
	}{
		{0, 0, &Interrupted{Epoch: 1, Iteration: 0, Iterations: 3}},
		{1, 3, &Interrupted{Epoch: 2, Iteration: 0, Iterations: 3}},
		{3, 3, nil},
	} {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		if test.epoch == 0 {
			cancel()
		}
		var seen recorder
		seen.onIteration = func(it *Iteration) error {
			if it.Epoch == test.epoch && it.Iteration == test.steps {
				cancel()
			}
			return nil
		}
		trainer := small().trainer(t, &seen)
		done, err := trainer.Run(ctx)
		if test.want == nil {
			if err != nil || done.Epochs != 3 {
				t.Errorf("cancelled after the last step: %+v, %v; expected the run to be done", done, err)
			}
			continue
		}
		test.want.Checkpoint = trainer.Checkpoints.Dir.Last()
		var interrupted *Interrupted
		if !errors.As(err, &interrupted) || *interrupted != *test.want {
			t.Errorf("cancelled after epoch %d, step %d: expected %v, found %v", test.epoch, test.steps, test.want, err)
		}
	}
}
