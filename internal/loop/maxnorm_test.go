package loop

import (
	"math"
	"slices"
	"testing"

	"fmtrain/internal/layer"
	"fmtrain/internal/team"
)

// After each step no column is longer than the norm. The bits are the same for every team. A norm that no column reaches changes
// nothing.
func TestMaxNorm(t *testing.T) {
	limitsNorms(t, small(), 0.5)
	limitsNorms(t, stacked("784-avgpool:3-conv:4-relu-maxpool-10"), 0.3)
}

func limitsNorms(t *testing.T, s setup, limit float64) {
	t.Helper()
	run := func(norm float64, members int) *Trainer {
		trainer := s.trainer(t)
		trainer.MaxNorm = norm
		trainer.Team = team.New(members)
		defer trainer.Team.Close()
		train(t, trainer)
		return trainer
	}
	free, loose, tight := run(0, 1), run(100, 1), run(limit, 1)
	if !same(bits(free.Weights), bits(loose.Weights)) {
		t.Error("expected a norm of 100 to change nothing")
	}
	if !same(bits(tight.Weights), bits(run(limit, 3).Weights)) {
		t.Error("expected the same weights from a team of 3")
	}
	for _, w := range tight.Weights {
		if w.Role != layer.Weight {
			continue
		}
		shape := w.Value.Shape()
		width := shape[len(shape)-1]
		norms := make([]float64, width)
		for i, v := range w.Value.Float32s() {
			norms[i%width] += float64(v) * float64(v)
		}
		if longest := math.Sqrt(slices.Max(norms)); longest > limit+1e-6 {
			t.Errorf("%s: expected norms up to %v, found %v", w.Name, limit, longest)
		}
	}
}
