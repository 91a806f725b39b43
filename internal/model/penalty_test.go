package model_test

import (
	"slices"
	"testing"

	"fmtrain/internal/model"
)

// The penalties are part of the gradients but not of the loss. Penalties on frozen weights are in neither. A step allocates nothing.
func TestPenalties(t *testing.T) {
	const l2 = 0.125
	spec := stacked("7-tanh-res(7)-4")
	ws := newWeights(spec, 42)
	penalised := func(p model.Training) *model.Graph {
		g, err := spec.Model().NewTraining(ws, 5, p)
		if err != nil {
			t.Fatal(err)
		}
		fill(g, 1, spec.Classes)
		run(t, g)
		return g
	}
	plain, weights := penalised(model.Training{}), penalised(model.Training{L2: l2})
	if plain.Loss.LossSum != weights.Loss.LossSum {
		t.Errorf("expected the loss %v without the penalty, found %v", plain.Loss.LossSum, weights.Loss.LossSum)
	}
	before := gradients(t, plain)
	for i, got := range gradients(t, weights) {
		want := slices.Clone(before[i])
		if ws[i].Value.Dims() == 2 {
			for j, v := range ws[i].Value.Float32s() {
				want[j] += 2 * l2 * v
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: expected %v, found %v", ws[i].Name, want, got)
		}
	}
	if found := gradients(t, penalised(model.Training{L2: l2, Frozen: []string{model.Upper}})); !slices.EqualFunc(found, gradients(t, weights)[:len(found)], sameBits) {
		t.Error("expected the gradients of the lower group as without freezing the upper")
	}
	all := penalised(model.Training{L2: l2, Activity: 0.5})
	if slices.EqualFunc(gradients(t, all), gradients(t, weights), sameBits) {
		t.Error("expected other gradients with a penalty of the activations")
	}
	if allocations := testing.AllocsPerRun(50, func() { run(t, all) }); allocations != 0 {
		t.Errorf("expected no allocation in a step, found %v", allocations)
	}
}
