package loop

import (
	"fmt"
	"testing"
	"time"

	"fmtrain/internal/team"
)

// BenchmarkStep is a training step of the loop, with one thread and with several, for the models of the comparison with PyTorch. It
// leaves out validation and checkpoints.
func BenchmarkStep(b *testing.B) {
	for _, work := range []struct {
		name         string
		hidden       []int
		batch        int
		lower, upper string
	}{
		{"32x100-sgd-nadam", []int{100}, 32, "sgd", "nadam"},
		{"32x100-adam-nadam", []int{100}, 32, "adam", "nadam"},
		{"128x300x100-adam-nadam", []int{300, 100}, 128, "adam", "nadam"},
		{"512x512x512-adamw-adamw", []int{512, 512}, 512, "adamw", "adamw"},
	} {
		for members := 1; members <= team.Cores(); members *= 2 {
			b.Run(fmt.Sprintf("%s/team-%d", work.name, members), func(b *testing.B) {
				s := small()
				s.spec.Hidden, s.batch, s.images = work.hidden, work.batch, 64*512
				s.lower, s.upper = group{work.lower, 1e-4}, group{work.upper, 1e-4}
				benchmarkSteps(b, s, members)
			})
		}
	}
}

// benchmarkSteps times training steps on a team.
func benchmarkSteps(b *testing.B, s setup, members int) {
	trainer := s.trainer(b)
	trainer.Team = team.New(members)
	defer trainer.Team.Close()
	steps := NewStepper(trainer)
	for b.Loop() {
		must(b, steps.Step())
	}
	b.ReportMetric(float64(b.N*s.batch)/b.Elapsed().Seconds(), "images/s")
}

// BenchmarkAugmentedStep is a training step with and without augmentation, on one thread and on several.
func BenchmarkAugmentedStep(b *testing.B) {
	for members := 1; members <= team.Cores(); members *= 2 {
		for _, augment := range []string{"none", "flip,shift:2,cutout:8"} {
			b.Run(fmt.Sprintf("team-%d/%s", members, augment), func(b *testing.B) {
				s := stacked("784-512-relu-10")
				s.batch, s.images, s.augment = 128, 64*512, augment
				if augment == "none" {
					s.augment = ""
				}
				benchmarkSteps(b, s, members)
			})
		}
	}
}

// BenchmarkEvaluate is an evaluation of the default model on as many images as the test set has.
func BenchmarkEvaluate(b *testing.B) {
	spec := small().spec
	spec.Hidden = []int{100}
	images := noisyImages(10_000, 1)
	for members := 1; members <= team.Cores(); members *= 2 {
		b.Run(fmt.Sprintf("team-%d", members), func(b *testing.B) {
			e, err := NewEvaluator(spec.Model(), spec.Weights(1), images)
			must(b, err)
			t := team.New(members)
			defer t.Close()
			e.UseTeam(t)
			for b.Loop() {
				_, err := e.Evaluate()
				must(b, err)
			}
			b.ReportMetric(float64(b.N*images.Len())/b.Elapsed().Seconds(), "images/s")
		})
	}
}

// BenchmarkSave is the save of the default run at each epoch's end: the last checkpoint and the best, synced. The training waits only
// for the copy, copy-ns/op; the rest runs in the background.
func BenchmarkSave(b *testing.B) {
	s := small()
	s.spec.Hidden, s.epochs, s.validation = []int{100}, 1, 10
	trainer := s.trainer(b)
	train(b, trainer)
	var copying time.Duration
	for b.Loop() {
		begin := time.Now()
		must(b, trainer.save(trainer.done))
		copying += time.Since(begin)
		must(b, trainer.waitForSave())
	}
	b.ReportMetric(float64(copying.Nanoseconds())/float64(b.N), "copy-ns/op")
}
