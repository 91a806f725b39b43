package loop

import (
	"runtime"
	"testing"

	"fmtrain/internal/run"
	"fmtrain/internal/team"
)

// watcher is an observer that handles only iterations.
type watcher struct {
	silent
	each func(*Iteration) error
}

func (w watcher) OnIteration(it *Iteration) error { return w.each(it) }

// In 3,000 steps with every feature on, and validations and saves between them, the heap doesn't grow and a step allocates nothing.
func TestLongRunKeepsItsHeap(t *testing.T) {
	const epochs, steps = 6, 500
	s := everything()
	s.batch, s.accumulate, s.epochs, s.patience = 4, 0, epochs, 0
	s.images = steps * s.batch
	var heap []uint64 // at the end of each epoch
	var before runtime.MemStats
	var allocations uint64
	var trainer *Trainer
	trainer = s.trainer(t, watcher{each: func(it *Iteration) error {
		switch it.Iteration {
		case 1:
			must(t, trainer.save(run.Progress{Epoch: it.Epoch - 1, Iteration: 1}))
			must(t, trainer.waitForSave())
			runtime.ReadMemStats(&before)
		case steps:
			var after runtime.MemStats
			runtime.ReadMemStats(&after)
			allocations += after.Mallocs - before.Mallocs
			runtime.GC()
			runtime.ReadMemStats(&after)
			heap = append(heap, after.HeapAlloc)
		}
		return nil
	}})
	trainer.Team = team.New(2)
	defer trainer.Team.Close()
	train(t, trainer)
	if len(heap) != epochs {
		t.Fatalf("expected %d epochs, found %d", epochs, len(heap))
	}
	if first, last := heap[1], heap[epochs-1]; last > first+32<<10 {
		t.Errorf("the heap grows from %d to %d bytes in %d steps: %v", first, last, (epochs-2)*steps, heap)
	}
	if each := float64(allocations) / (epochs * (steps - 1)); each > 0.1 {
		t.Errorf("a step makes %v allocations", each)
	}
}
