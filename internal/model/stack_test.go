package model_test

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

// stacked is small with a stack of layers.
func stacked(stack string) spec {
	spec := small()
	spec.Hidden, spec.Activation, spec.UpperLayers, spec.Stack = nil, "", 1, stack
	return spec
}

// The parameters have the names of the dense layers, by group, wherever they are.
func TestStackNames(t *testing.T) {
	for _, test := range []struct {
		stack string
		upper int
		want  []string
	}{
		{"7-relu-res(ln-relu-7-ln-7)-ln-ln-4", 1, []string{
			"lower.0.weight", "lower.0.bias", "lower.0.norm.alpha", "lower.0.norm.beta",
			"lower.1.weight", "lower.1.bias", "lower.1.norm.alpha", "lower.1.norm.beta",
			"lower.2.weight", "lower.2.bias", "lower.2.norm.alpha", "lower.2.norm.beta", "lower.2.norm2.alpha", "lower.2.norm2.beta",
			"upper.weight", "upper.bias",
		}},
		{"ln-7-5-4", 2, []string{
			"lower.norm.alpha", "lower.norm.beta", "lower.0.weight", "lower.0.bias", "upper.0.weight", "upper.0.bias", "upper.weight", "upper.bias",
		}},
		{"7@a-ln-6-5@b-4@a", 1, []string{
			"a.0.weight", "a.0.bias", "a.0.norm.alpha", "a.0.norm.beta", "a.1.weight", "a.1.bias", "b.0.weight", "b.0.bias", "a.weight", "a.bias",
		}},
		{"4", 1, []string{"upper.weight", "upper.bias"}},
	} {
		spec := stacked(test.stack)
		spec.UpperLayers = test.upper
		ws := newWeights(spec, 42)
		if diff := cmp.Diff(test.want, names(ws)); diff != "" {
			t.Errorf("%s (-expected +found):\n%s", test.stack, diff)
		}
		g := training(t, spec, ws, 2) // no two nodes may have the same name
		fill(g, 1, spec.Classes)
		run(t, g)
	}
}

// The short form equals the full list of layers: the weights, and those after a step, have the same names and the same bits.
func TestHiddenLayersAsAStack(t *testing.T) {
	spec, written := small(), stacked("7-ln-tanh-6-ln-tanh-5-ln-tanh-4")
	written.UpperLayers = spec.UpperLayers
	want, found := newWeights(spec, 42), newWeights(written, 42)
	if diff := cmp.Diff(names(want), names(found)); diff != "" {
		t.Fatalf("names (-hidden +stack):\n%s", diff)
	}
	a, b := training(t, spec, want, 3), training(t, written, found, 3)
	fill(a, 1, 4)
	fill(b, 1, 4)
	run(t, a)
	run(t, b)
	if a.Loss.LossSum != b.Loss.LossSum || !slices.EqualFunc(gradients(t, a), gradients(t, b), sameBits) {
		t.Error("expected the same loss and gradients, bit for bit")
	}
	if diff := cmp.Diff(spec.Layers(), written.Layers()); diff != "" {
		t.Errorf("layers (-hidden +stack):\n%s", diff)
	}
}

// The gradients of every weight match the differences of the loss, with dropout and blocks within blocks. The masks of a step stay.
func TestStackGradientsByDifferences(t *testing.T) {
	const batch = 5
	spec := stacked("7-tanh-dropout:0.3-res:0.2(ln-7-gelu-res(7)-7)-dropout:0.2-ln-4")
	ws := newWeights(spec, 42)
	g := training(t, spec, ws, batch)
	g.Draw.Seed, g.Draw.Step = 3, 4
	fill(g, 1, spec.Classes)
	loss := func() float64 {
		run(t, g)
		return g.Loss.LossSum / batch
	}
	loss()
	for i, got := range gradients(t, g) {
		checkDifferences(t, ws[i], got, loss, 2e-4)
	}
}

// Dropout is off in evaluation. Each step draws a new mask.
func TestDropoutOfAGraph(t *testing.T) {
	with, without := stacked("7-tanh-dropout:0.5-4"), stacked("7-tanh-4")
	ws := newWeights(with, 42)
	loss := func(g *model.Graph, step uint64) float64 {
		fill(g, 1, 4)
		g.Draw.Step = step
		run(t, g)
		return g.Loss.LossSum
	}
	plain := loss(inference(t, without, ws, 5), 0)
	if found := loss(inference(t, with, ws, 5), 1); found != plain {
		t.Errorf("evaluation: expected the loss %v of the model without dropout, found %v", plain, found)
	}
	g := training(t, with, ws, 5)
	first, second := loss(g, 1), loss(g, 2)
	if first == second || first == plain {
		t.Errorf("expected other losses in steps 1 and 2 and without dropout, found %v, %v and %v", first, second, plain)
	}
	if again := loss(g, 1); again != first {
		t.Errorf("expected step 1 to have the loss %v again, found %v", first, again)
	}
	if allocations := testing.AllocsPerRun(50, func() { run(t, g) }); allocations != 0 {
		t.Errorf("expected no allocation in a step, found %v", allocations)
	}
}

func TestResMLP(t *testing.T) {
	for want, norm := range map[string]layer.Norm{
		"784-8-res(ln-relu-8)-res(ln-relu-8)-ln-relu-10": {Form: layernorm.Book, Epsilon: 1e-3},
		"784-8-res(relu-8)-res(relu-8)-relu-10":          {},
	} {
		items, err := model.ResMLP(model.Hidden{Units: []int{8, 8, 8}, Activation: "relu", Norm: norm}, 10)
		if err != nil {
			t.Fatal(err)
		}
		if found := layer.Text(items, 784); found != want {
			t.Errorf("expected %s, found %s", want, found)
		}
	}
	_, err := model.ResMLP(model.Hidden{Units: []int{8, 9}, Activation: "relu"}, 10)
	wantError(t, err, "one width for all hidden layers, found [8 9]")
}

// An architecture is read back as it was written. One from an earlier version, with hidden layers instead of the list, is the same
// network.
func TestArchitectureAsJSON(t *testing.T) {
	for _, s := range []spec{small(), stacked("7@a-ln-gelu-res(ln-7)-dropout:0.25-4@b")} {
		want, err := s.Architecture()
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var found model.Architecture
		if err := json.Unmarshal(text, &found); err != nil {
			t.Fatal(err)
		}
		if again, _ := json.Marshal(found); string(again) != string(text) {
			t.Errorf("expected %s, found %s", text, again)
		}
	}
	var before model.Architecture
	text := `{"inputs":12,"hidden":[7,6,5],"classes":4,"activation":"tanh","layernorm":"book","epsilon":0.001,"upper_layers":2}`
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		t.Fatal(err)
	}
	want, _ := small().Architecture()
	if diff := cmp.Diff(want.Text(), before.Text()); diff != "" || before.Norm != want.Norm || before.UpperLayers != want.UpperLayers {
		t.Errorf("an earlier version's: expected %+v, found %+v", want, before)
	}
}
