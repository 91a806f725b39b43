package loop

import (
	"context"
	"math"
	"runtime"
	"testing"

	"fmtrain/internal/team"
)

// silent is an observer that costs nothing.
type silent struct{}

func (silent) OnStart(*Start) error         { return nil }
func (silent) OnIteration(*Iteration) error { return nil }
func (silent) OnEpoch(*Epoch) error         { return nil }
func (silent) OnDone(*Done) error           { return nil }

// A training step allocates nothing, with any number of threads and all features: an epoch of many steps makes no more allocations
// than one of few.
func TestStepsAllocateNothing(t *testing.T) {
	all := everything()
	all.accumulate, all.validation = 2, 0 // the faster the better
	maps := all
	maps.spec.Stack = stacks["maps"]
	for _, members := range []int{1, 2} {
		stepsAllocateNothing(t, maps, members, 102) // each takes longer
		stepsAllocateNothing(t, small(), members, 602)
		stepsAllocateNothing(t, all, members, 602)
	}
}

func stepsAllocateNothing(t *testing.T, s setup, members, many int) {
	t.Helper()
	s.batch = 4
	samples := s.batch * max(1, s.accumulate)
	epoch := func(images int) float64 {
		s.images = images
		trainer := s.trainer(t, silent{})
		trainer.Team = team.New(members)
		defer trainer.Team.Close()
		return allocations(t, trainer)
	}
	const few, chance = 2, 60 // the runtime and earlier tests make some allocations; one a step would be more
	if more := epoch(many*samples) - epoch(few*samples); more > chance {
		t.Errorf("team of %d: %v allocations in %d steps", members, more, many-few)
	}
}

// allocations is the smallest number of allocations in five epochs with their saves. Unlike testing.AllocsPerRun it lets a team use
// all processors.
func allocations(t *testing.T, trainer *Trainer) float64 {
	t.Helper()
	trainer.share()
	epoch := func() {
		must(t, trainer.epoch(context.Background(), 1))
		must(t, trainer.waitForSave())
	}
	epoch() // the solvers allocate their slots
	least := math.Inf(1)
	for range 5 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		epoch()
		runtime.ReadMemStats(&after)
		least = min(least, float64(after.Mallocs-before.Mallocs))
	}
	return least
}
