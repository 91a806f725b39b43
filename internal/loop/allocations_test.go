package loop

import (
	"context"
	"testing"

	"fmtrain/internal/team"
)

// silent is an observer that costs nothing.
type silent struct{}

func (silent) OnStart(*Start) error         { return nil }
func (silent) OnIteration(*Iteration) error { return nil }
func (silent) OnEpoch(*Epoch) error         { return nil }
func (silent) OnDone(*Done) error           { return nil }

// A training step allocates nothing, whoever does it: an epoch of many steps costs as much as one of few.
func TestStepsAllocateNothing(t *testing.T) {
	for _, members := range []int{1, 2} {
		s := small()
		s.batch = 4
		epoch := func(images int) float64 {
			s.images = images
			trainer := s.trainer(t, silent{})
			trainer.Team = team.New(members)
			defer trainer.Team.Close()
			trainer.share()
			must(t, trainer.epoch(context.Background(), 1)) // the solvers make their slots
			return testing.AllocsPerRun(3, func() { must(t, trainer.epoch(context.Background(), 2)) })
		}
		few, many := 2, 102
		if step := (epoch(many*s.batch) - epoch(few*s.batch)) / float64(many-few); step > 0.1 {
			t.Errorf("team of %d: a step makes %v allocations", members, step)
		}
	}
}
