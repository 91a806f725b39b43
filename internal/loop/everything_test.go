package loop

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/run"
	"fmtrain/internal/team"
)

// everything is a run with every feature on: 93 images in steps of 7 batches of 5. The last step has batches of 5, 5, 5, 5 and 3.
func everything() setup {
	s := stacked("784-12-ln-relu-dropout:0.2-res(12-relu)-10")
	s.images, s.batch, s.accumulate = 93, 5, 7
	s.epochs, s.validation = 6, 40
	s.lower, s.upper = group{"momentum", 0.01}, group{"nadam", 0.02}
	s.schedules = [2]string{"1cycle", "plateau:patience=0,threshold=0.05"}
	s.clipNorm, s.decay, s.patience = 0.5, 0.8, 5
	s.augment = "altflip,shift:1,cutout:6,erase"
	return s
}

// stacks are networks of vectors and of maps with every kind of layer that a step treats in its own way.
var stacks = map[string]string{
	"vectors": "784-24-ln-relu-dropout:0.2-res(ln-24-relu-dropout-24)-12-10",
	"maps":    "784-avgpool:3-conv:4-ln-relu-dropout:0.2-res(conv:5x1-relu-dropout-conv:4)-maxpool-12-10",
}

// With every feature on, the events and the bits are the same for any number of threads.
func TestEverythingIsTheSameForEveryTeam(t *testing.T) {
	for name, stack := range stacks {
		t.Run(name, func(t *testing.T) {
			s := everything()
			s.spec.Stack = stack
			sameForEveryTeam(t, s)
		})
	}
}

func sameForEveryTeam(t *testing.T, s setup) {
	run := func(members int) (*Trainer, []any) {
		var seen recorder
		trainer := s.trainer(t, &seen)
		trainer.Team = team.New(members)
		defer trainer.Team.Close()
		train(t, trainer)
		return trainer, seen.events
	}
	alone, events := run(1)
	for _, members := range []int{2, 3, 7} {
		trainer, seen := run(members)
		if diff := cmp.Diff(events, seen); diff != "" {
			t.Errorf("team of %d (-alone +team):\n%s", members, diff)
		}
		if !same(bits(alone.Weights), bits(trainer.Weights)) || !same(bits(alone.Average.Weights), bits(trainer.Average.Weights)) {
			t.Errorf("team of %d: the weights differ", members)
		}
	}
}

// A checkpoint holds all that these features need: a run that is interrupted after any epoch and resumed has the remaining events of
// an uninterrupted run, and the same weights and average, bit for bit.
func TestEverythingGoesOn(t *testing.T) {
	for name, stack := range stacks {
		t.Run(name, func(t *testing.T) {
			s := everything()
			s.spec.Stack = stack
			goesOn(t, s)
		})
	}
}

func goesOn(t *testing.T, s setup) {
	var all recorder
	whole := s.trainer(t, &all)
	train(t, whole)
	if losses := whole.done.ValLosses; len(losses) != whole.done.Epoch {
		t.Fatalf("%d validation losses after %d epochs", len(losses), whole.done.Epoch)
	}

	for epoch := 1; epoch < whole.done.Epoch; epoch++ {
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		begun := s.trainer(t, &recorder{onEpoch: func(e *Epoch) error {
			if e.Epoch == epoch {
				cancel()
			}
			return nil
		}})
		var interrupted *Interrupted
		if _, err := begun.Run(ctx); !errors.As(err, &interrupted) {
			t.Fatalf("expected an Interrupted, found %v", err)
		}

		other := s
		other.seed = 99
		var rest recorder
		resumed := other.trainer(t, &rest)
		resumed.Sampler, resumed.Graph.Draw.Seed, resumed.Augmenter = whole.Sampler, s.seed, whole.Augmenter
		resumed.Checkpoints.Dir = begun.Checkpoints.Dir
		at, err := run.Load(begun.Checkpoints.Dir.Last())
		must(t, err)
		must(t, resumed.Resume(at, false))
		train(t, resumed)
		if diff := cmp.Diff(all.events[1+4*epoch:], rest.events[1:]); diff != "" {
			t.Errorf("resumed after epoch %d (-whole +resumed):\n%s", epoch, diff)
		}
		if !same(bits(whole.Average.Weights), bits(resumed.Average.Weights)) {
			t.Errorf("resumed after epoch %d: another average", epoch)
		}
		saved, err := run.Load(resumed.Checkpoints.Dir.Last())
		must(t, err)
		want, err := run.Load(whole.Checkpoints.Dir.Last())
		must(t, err)
		if !same(bits(want.Weights), bits(saved.Weights)) || !same(bits(want.Average), bits(saved.Average)) || !cmp.Equal(want.Progress, saved.Progress) {
			t.Errorf("resumed after epoch %d: another last checkpoint", epoch)
		}
	}
}

// A run that is asked to stop ends between two steps, never between two batches of a step.
func TestInterruptedBetweenSteps(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	trainer := everything().trainer(t, &recorder{onIteration: func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == 2 {
			cancel()
		}
		return nil
	}})
	_, err := trainer.Run(ctx)
	var interrupted *Interrupted
	if !errors.As(err, &interrupted) || interrupted.Iteration != 2 || interrupted.Iterations != 3 {
		t.Fatalf("expected an Interrupted after 2 of 3 iterations, found %v", err)
	}
	saved, err := run.Load(interrupted.Checkpoint)
	must(t, err)
	if p := saved.Progress; p.Epoch != 1 || p.Iteration != 2 || p.Running.Seen != 70 || len(p.ValLosses) != 1 {
		t.Errorf("progress %+v", p)
	}
	if !same(bits(trainer.Average.Weights), bits(saved.Average)) {
		t.Error("another average is saved")
	}
}
