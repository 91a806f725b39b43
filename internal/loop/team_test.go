package loop

import (
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/solver"
	"fmtrain/internal/team"
)

// The events and the weights are the same for any number of threads, even if the number changes from step to step.
func TestTrainingIsTheSameForEveryTeam(t *testing.T) {
	names := solver.Names()
	for i, lower := range names {
		s := small()
		s.spec.Hidden, s.validation = []int{64, 12}, 30 // the first layer is shared by inputs
		s.lower, s.upper = group{lower, 1e-3}, group{names[(i+3)%len(names)], 1e-2}
		var alone recorder
		trainer := s.trainer(t, &alone)
		train(t, trainer)
		want := bits(trainer.Weights)

		for _, members := range []int{2, 3, 7} {
			var seen recorder
			trainer := s.trainer(t, &seen)
			trainer.Team = team.New(members)
			random := rand.New(rand.NewPCG(1, uint64(members)))
			seen.onIteration = func(*Iteration) error {
				trainer.Team.Resize(1 + random.IntN(members))
				return nil
			}
			train(t, trainer)
			trainer.Team.Close()
			if diff := cmp.Diff(alone.events, seen.events); diff != "" {
				t.Errorf("%s, team of %d (-alone +team):\n%s", lower, members, diff)
			}
			if !same(want, bits(trainer.Weights)) {
				t.Errorf("%s, team of %d: the weights differ", lower, members)
			}
		}
	}
}
