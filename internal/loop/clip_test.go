package loop

import (
	"math"
	"slices"
	"testing"

	"fmtrain/internal/team"
)

// clipped are the gradients of a first step before and after clipping to a norm, with this number of threads.
func clipped(t *testing.T, to float64, members int) (before, after [][]float32) {
	t.Helper()
	s := small()
	s.spec.Hidden, s.clipNorm = []int{24, 12}, to
	trainer := s.trainer(t)
	trainer.Team = team.New(members)
	defer trainer.Team.Close()
	trainer.share()
	_, err := trainer.gradients.compute(1, 1, trainer.Sampler.Order(1)[:s.batch], nil)
	must(t, err)
	for _, g := range trainer.gradients.values() {
		before = append(before, slices.Clone(g))
	}
	trainer.clip()
	return before, trainer.gradients.values()
}

// plainNorm is the norm over all gradients, written plainly.
func plainNorm(gradients [][]float32) float64 {
	var sum float64
	for _, g := range gradients {
		for _, x := range g {
			sum += float64(x) * float64(x)
		}
	}
	return math.Sqrt(sum)
}

// Gradients whose norm over both groups is above the limit are all scaled by one factor to that limit. Other gradients keep their bits.
func TestClip(t *testing.T) {
	unclipped, _ := clipped(t, 0, 1)
	norm := plainNorm(unclipped)
	for _, to := range []float64{1e-30, 0.1, norm / 2, norm * (1 - 1e-6)} {
		before, after := clipped(t, to, 1)
		if got := plainNorm(after); math.Abs(got-to) > 1e-6*to {
			t.Errorf("a norm of %v clipped to %v is %v", norm, to, got)
		}
		for i, g := range after {
			for j, x := range g {
				if want := float64(before[i][j]) * (to / norm); math.Abs(float64(x)-want) > 1e-6*math.Abs(want)+math.SmallestNonzeroFloat32 {
					t.Fatalf("clipped to %v: value %d of gradient %d is %v, expected %v", to, j, i, x, want)
				}
			}
		}
	}
	for _, to := range []float64{0, norm * (1 + 1e-6), 1e30} {
		before, after := clipped(t, to, 1)
		for i, g := range after {
			if !slices.Equal(before[i], g) {
				t.Errorf("a norm of %v clipped to %v changes gradient %d", norm, to, i)
			}
		}
	}
}

// The bits of a clipped gradient don't depend on the number of threads.
func TestClipIsTheSameForEveryTeam(t *testing.T) {
	_, want := clipped(t, 0.1, 1)
	for _, members := range []int{2, 3, 7} {
		_, got := clipped(t, 0.1, members)
		for i, g := range got {
			if !slices.Equal(want[i], g) {
				t.Errorf("team of %d: another gradient %d", members, i)
			}
		}
	}
}

// A limit that no gradient reaches changes no bit of a run; one that all reach does.
func TestClipNormOfARun(t *testing.T) {
	run := func(to float64) map[string][]uint32 {
		s := small()
		s.clipNorm = to
		trainer := s.trainer(t)
		train(t, trainer)
		return bits(trainer.Weights)
	}
	without := run(0)
	if !same(without, run(1e6)) {
		t.Error("a limit far above changes the weights")
	}
	if same(without, run(1e-3)) {
		t.Error("a limit far below does not change the weights")
	}
}
