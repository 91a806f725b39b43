package loop

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fmtrain/internal/run"
)

// validated is a run with validation, with learning rates so high that its accuracy goes up and down.
func validated() setup {
	s := small()
	s.validation, s.epochs = 40, 6
	s.lower, s.upper = group{"adam", 3e-3}, group{"nadam", 3e-2}
	return s
}

// At each epoch's end the validation images are evaluated with the weights at that time.
func TestValidation(t *testing.T) {
	s := validated()
	var seen recorder
	trainer := s.trainer(t, &seen)
	validation := noisyImages(s.validation, 2)
	seen.onEpoch = func(e *Epoch) error {
		loss, correct, _ := newTwin(trainer.Weights, s.spec).measure(validation)
		if want := float64(correct) / float64(s.validation); e.ValAccuracy != want {
			t.Errorf("epoch %d: validation accuracy %v, expected %v", e.Epoch, e.ValAccuracy, want)
		}
		if math.Abs(e.ValLoss-loss) > 1e-5*loss {
			t.Errorf("epoch %d: validation loss %v, expected %v", e.Epoch, e.ValLoss, loss)
		}
		return nil
	}
	train(t, trainer)
	if len(seen.epochs) != s.epochs {
		t.Errorf("%d epochs", len(seen.epochs))
	}
}

// Validation does not change the training.
func TestValidationDoesNotTrain(t *testing.T) {
	s := validated()
	var with, without recorder
	a := s.trainer(t, &with)
	train(t, a)
	s.validation = 0
	b := s.trainer(t, &without)
	train(t, b)
	if !same(bits(a.Weights), bits(b.Weights)) {
		t.Error("other weights with validation than without")
	}
	if diff := cmp.Diff(with.iterations, without.iterations); diff != "" {
		t.Errorf("other iterations (-with +without):\n%s", diff)
	}
}

// The best checkpoint has the first epoch with the highest validation accuracy, the last checkpoint the last epoch.
func TestBestAndLastCheckpoint(t *testing.T) {
	between := 0 // runs whose best epoch is neither the first nor the last
	for seed := range uint64(6) {
		s := validated()
		s.seed = seed
		var seen recorder
		trainer := s.trainer(t, &seen)
		var weights []map[string][]uint32
		seen.onEpoch = func(*Epoch) error {
			weights = append(weights, bits(trainer.Weights))
			return nil
		}
		done := train(t, trainer)

		best := seen.epochs[0]
		for _, e := range seen.epochs {
			if e.ValAccuracy > best.ValAccuracy {
				best = e
			}
			if e.BestEpoch != best.Epoch {
				t.Errorf("seed %d: the best of %d epochs is %d, expected %d", seed, e.Epoch, e.BestEpoch, best.Epoch)
			}
		}
		if best.Epoch > 1 && best.Epoch < s.epochs {
			between++
		}
		path := trainer.Checkpoints.Dir.Best()
		if done.BestEpoch != best.Epoch || done.Checkpoint != path {
			t.Errorf("seed %d: done names epoch %d in %s, expected %d in %s", seed, done.BestEpoch, done.Checkpoint, best.Epoch, path)
		}
		for path, epoch := range map[string]int{path: best.Epoch, trainer.Checkpoints.Dir.Last(): s.epochs} {
			saved, err := run.Load(path)
			must(t, err)
			if !same(weights[epoch-1], bits(saved.Weights)) {
				t.Errorf("seed %d: %s: not the weights of epoch %d", seed, path, epoch)
			}
			want := run.Progress{Epoch: epoch, BestEpoch: best.Epoch, BestAccuracy: best.ValAccuracy, BestLoss: best.ValLoss}
			if diff := cmp.Diff(want, saved.Progress); diff != "" {
				t.Errorf("seed %d: %s: progress (-want +got):\n%s", seed, path, diff)
			}
		}
	}
	if between == 0 {
		t.Error("no run tells the best epoch from the first and the last")
	}
}

// Of epochs with equal accuracy the first is the best.
func TestFirstOfEqualsIsBest(t *testing.T) {
	s := validated()
	s.lower.rate, s.upper.rate, s.epochs = 0, 0, 3
	if done := train(t, s.trainer(t)); done.BestEpoch != 1 {
		t.Errorf("best epoch %d of three equal ones", done.BestEpoch)
	}
}

func TestWithoutValidation(t *testing.T) {
	s := small()
	var seen recorder
	trainer := s.trainer(t, &seen)
	done := train(t, trainer)
	for _, e := range seen.epochs {
		if !math.IsNaN(e.ValLoss) || !math.IsNaN(e.ValAccuracy) || e.BestEpoch != 0 {
			t.Errorf("epoch %d without validation: %+v", e.Epoch, e)
		}
	}
	if done.BestEpoch != 0 || done.Checkpoint != trainer.Checkpoints.Dir.Last() {
		t.Errorf("done: %+v", done)
	}
	if _, err := os.Stat(trainer.Checkpoints.Dir.Best()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("best.safetensors without validation: %v", err)
	}
}

// A run of 0 epochs writes the initial weights and ends.
func TestNoEpochs(t *testing.T) {
	s := validated()
	s.epochs = 0
	var seen recorder
	trainer := s.trainer(t, &seen)
	initial := bits(trainer.Weights)
	done := train(t, trainer)

	want := []any{Start{Iterations: 3, Samples: 70, Validated: true, Rates: trainer.rates()}, Done{BestLoss: math.NaN(), BestAccuracy: math.NaN(), WeightsSHA256: run.Digest(trainer.Weights)}}
	if diff := cmp.Diff(want, seen.events, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	if done.Checkpoint != trainer.Checkpoints.Dir.Last() {
		t.Errorf("done names %s", done.Checkpoint)
	}
	saved, err := run.Load(done.Checkpoint)
	must(t, err)
	if !same(initial, bits(saved.Weights)) || !cmp.Equal(saved.Progress, run.Progress{}) {
		t.Errorf("not the initial checkpoint: progress %+v", saved.Progress)
	}
	if _, err := os.Stat(trainer.Checkpoints.Dir.Best()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("best.safetensors of a run of no epochs: %v", err)
	}
}
