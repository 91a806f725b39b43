package model_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

// stacked is small with a stack of layers.
func stacked(stack string) model.Spec {
	spec := small()
	spec.Hidden, spec.Activation, spec.UpperLayers, spec.Stack = nil, "", 1, stack
	return spec
}

func TestParseStack(t *testing.T) {
	for text, want := range map[string]string{
		"784-300-LN-relu-dropout-100-LN-relu-10": "784-300-ln-relu-dropout:0.2-100-ln-relu-10",
		"10":                                     "784-10",
		"784-784-10":                             "784-784-10",
		"784@stem-10@Head":                       "784-784@stem-10@Head",
		" dropout:.5, 7 ,res( LN , selu - 7,res(7)) ,10": "784-dropout:0.5-7-res(ln-selu-7-res(7))-10",
	} {
		found, err := model.ParseStack(text, 784, 10)
		if err != nil || found != want {
			t.Errorf("%q: expected %s, found %s, %v", text, want, found, err)
		}
		if again, err := model.ParseStack(found, 784, 10); err != nil || again != found {
			t.Errorf("%s: expected the same again, found %s, %v", found, again, err)
		}
	}
}

func FuzzParseStack(f *testing.F) {
	for _, text := range []string{"784-300-LN-relu-dropout-10", "300@a-res(ln-300)-10", "dropout:0.99-10", "res(", "é-10", "1-res()-10"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		stack, err := model.ParseStack(text, 784, 10)
		if err != nil {
			return
		}
		if again, err := model.ParseStack(stack, 784, 10); err != nil || again != stack {
			t.Errorf("%q: expected %s to be read as it is, found %s, %v", text, stack, again, err)
		}
		if spec := (model.Spec{Inputs: 784, Classes: 10, Stack: stack, LayerNorm: model.NoLayerNorm, UpperLayers: 1}); len(spec.Layers()) == 0 {
			t.Errorf("%s: expected layers, found none", stack)
		}
	})
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
		ws := model.NewWeights(spec, 42)
		if diff := cmp.Diff(test.want, names(ws)); diff != "" {
			t.Errorf("%s (-expected +found):\n%s", test.stack, diff)
		}
		g := training(t, spec, ws, 2) // no name may stand for two nodes
		fill(g, 1, spec.Classes)
		run(t, g)
	}
}

// The short form is a stack: the weights, and a step, have the same names and the same bits.
func TestHiddenLayersAsAStack(t *testing.T) {
	spec, written := small(), stacked("7-ln-tanh-6-ln-tanh-5-ln-tanh-4")
	written.UpperLayers = spec.UpperLayers
	want, found := model.NewWeights(spec, 42), model.NewWeights(written, 42)
	if diff := cmp.Diff(names(want), names(found)); diff != "" {
		t.Fatalf("names (-hidden +stack):\n%s", diff)
	}
	a, b := training(t, spec, want, 3), training(t, written, found, 3)
	fill(a, 1, 4)
	fill(b, 1, 4)
	run(t, a)
	run(t, b)
	if a.Loss.LossSum != b.Loss.LossSum || !slices.EqualFunc(gradients(t, a), gradients(t, b), sameBits) {
		t.Error("expected the same loss and gradients to the bit")
	}
	if diff := cmp.Diff(spec.Layers(), written.Layers()); diff != "" {
		t.Errorf("layers (-hidden +stack):\n%s", diff)
	}
}

// The gradients of every weight are the differences of the loss, with dropout and blocks within blocks; the masks of a step stay.
func TestStackGradientsByDifferences(t *testing.T) {
	const batch = 5
	spec := stacked("7-tanh-dropout:0.3-res(ln-7-gelu-res(7)-7)-dropout:0.2-ln-4")
	ws := model.NewWeights(spec, 42)
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

// Dropout is off in evaluation, and another step draws another mask.
func TestDropoutOfAGraph(t *testing.T) {
	with, without := stacked("7-tanh-dropout:0.5-4"), stacked("7-tanh-4")
	ws := model.NewWeights(with, 42)
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
	for form, want := range map[layernorm.Form]string{
		layernorm.Book:    "784-8-res(ln-relu-8)-res(ln-relu-8)-ln-relu-10",
		model.NoLayerNorm: "784-8-res(relu-8)-res(relu-8)-relu-10",
	} {
		found := model.ResMLP([]int{8, 8, 8}, "relu", form, 784, 10)
		if found != want {
			t.Errorf("%s: expected %s, found %s", form, want, found)
		}
		if read, err := model.ParseStack(found, 784, 10); err != nil || read != found {
			t.Errorf("%s: read as %s, %v", found, read, err)
		}
	}
}
