package loop

import (
	"testing"

	"fmtrain/internal/team"
)

// The steps of a stepper are those of a run: after as many as an epoch has, the weights are the same.
func TestStepper(t *testing.T) {
	s := small()
	s.epochs = 1
	run := s.trainer(t)
	train(t, run)
	trainer := s.trainer(t)
	trainer.Team = team.New(2)
	defer trainer.Team.Close()
	steps := NewStepper(trainer)
	for range 3 {
		must(t, steps.Step())
	}
	if !same(bits(run.Weights), bits(trainer.Weights)) {
		t.Error("expected the weights of the run, found others")
	}
	if rows, next := steps.Rows(); len(rows) != 32 || len(next) != 32 {
		t.Errorf("expected the first batches again, found %d and %d rows", len(rows), len(next))
	}
}
