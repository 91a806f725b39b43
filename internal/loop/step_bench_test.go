package loop

import (
	"fmt"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/team"
)

// BenchmarkStep is a training step as the loop does it, of the models that are raced against PyTorch, alone and by a team. It
// leaves validation and checkpoints out.
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
				s.spec.Hidden, s.batch, s.images = work.hidden, work.batch, 8*512
				s.lower, s.upper = group{work.lower, 1e-4}, group{work.upper, 1e-4}
				trainer := s.trainer(b)
				trainer.Team = team.New(members)
				defer trainer.Team.Close()
				trainer.share()
				order := dataset.NewSampler(s.images, 1, true).Order(1)
				steps := 0
				for b.Loop() {
					first := steps * s.batch % s.images
					_, err := trainer.step(Iteration{}, order[first:first+s.batch])
					must(b, err)
					steps++
				}
				b.ReportMetric(float64(b.N*s.batch)/b.Elapsed().Seconds(), "images/s")
			})
		}
	}
}
