package loop

import (
	"testing"

	"fmtrain/internal/run"
)

// A run ends when its best epoch is as many epochs old as the patience, and not earlier. The best checkpoint then has the best epoch,
// and the last checkpoint the last epoch.
func TestPatience(t *testing.T) {
	early, late := 0, 0
	for seed := range uint64(6) {
		for patience := 1; patience <= 3; patience++ {
			s := validated()
			s.seed, s.patience, s.epochs = seed, patience, 8
			var seen recorder
			trainer := s.trainer(t, &seen)
			var weights []map[string][]uint32
			seen.onEpoch = func(*Epoch) error {
				weights = append(weights, bits(trainer.Weights))
				return nil
			}
			done := train(t, trainer)

			for i, e := range seen.epochs {
				over := e.Epoch-e.BestEpoch >= patience
				if last := i == len(seen.epochs)-1; over && !last {
					t.Errorf("seed %d, patience %d: epoch %d continues although the best was %d", seed, patience, e.Epoch, e.BestEpoch)
				} else if last && !over && e.Epoch < s.epochs {
					t.Errorf("seed %d, patience %d: ended after epoch %d, though the best was %d", seed, patience, e.Epoch, e.BestEpoch)
				}
			}
			ended := len(seen.epochs)
			if done.Epochs != ended || done.StoppedEarly != (ended < s.epochs) || done.Checkpoint != trainer.Checkpoints.Dir.Best() {
				t.Errorf("seed %d, patience %d: %d epochs, done %+v", seed, patience, ended, *done)
			}
			if done.StoppedEarly {
				early++
			} else {
				late++
			}
			for path, epoch := range map[string]int{trainer.Checkpoints.Dir.Best(): done.BestEpoch, trainer.Checkpoints.Dir.Last(): ended} {
				saved, err := run.Load(path)
				must(t, err)
				if saved.Progress.Epoch != epoch || !same(weights[epoch-1], bits(saved.Weights)) {
					t.Errorf("seed %d, patience %d: %s has epoch %d, expected %d", seed, patience, path, saved.Progress.Epoch, epoch)
				}
			}

			// If it is resumed, it ends at once.
			if done.StoppedEarly {
				again := s.trainer(t)
				restore(t, again, trainer.Checkpoints.Dir.Last())
				if !again.outOfPatience() {
					t.Errorf("seed %d, patience %d: the resumed run continues", seed, patience)
				}
			}
		}
	}
	if early == 0 || late == 0 {
		t.Errorf("%d runs ended early, %d did not: the test shows nothing", early, late)
	}
}

// Without validation images there is no best epoch, so the patience has no effect.
func TestPatienceWithoutValidation(t *testing.T) {
	s := small()
	s.patience = 1
	if done := train(t, s.trainer(t)); done.Epochs != s.epochs || done.StoppedEarly {
		t.Errorf("done %+v", *done)
	}
}
