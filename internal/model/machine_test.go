package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"fmtrain/internal/layer"
	"fmtrain/internal/model"
	"fmtrain/internal/solver"
)

// The static executor, the tape machine and the LispMachine give the same numbers at each step: losses, gradients and so weights.
func TestMachinesTrainToTheSameNumbers(t *testing.T) {
	plain, deep := small(), small()
	plain.Activation = "relu"
	deep.Stack = "9-ln-relu-res(9-ln-relu-dropout:0.3)-dropout:0.2-4"
	requireSameTraining(t, plain, model.Training{})
	requireSameTraining(t, deep, model.Training{L2: 0.01, Activity: 0.02})
	requireSameTraining(t, mapped("conv:3-ln-relu-dropout:0.2-maxpool-res(ln-relu-conv:3x3-avgpool:1)-5-4"), model.Training{})
	requireSameTraining(t, mapped("conv:4x2s2v-gelu-res(conv:2-tanh-conv:4x1)-globalmax-4"), model.Training{L2: 0.01, Activity: 0.02})
}

func requireSameTraining(t *testing.T, spec spec, penalties model.Training) {
	t.Helper()
	const steps, batch = 8, 6
	type twin struct {
		name    string
		weights model.Weights
		graph   *model.Graph
		solvers []solver.Solver
	}
	var twins []twin
	for _, name := range model.Machines() {
		w := twin{name: name, weights: newWeights(spec, 42)}
		var err error
		if w.graph, err = spec.Model().NewTraining(w.weights, batch, penalties); err != nil {
			t.Fatal(err)
		}
		if err := w.graph.Use(name); err != nil {
			t.Fatal(err)
		}
		for range w.graph.Groups {
			options, err := solver.Defaults("nadam")
			if err != nil {
				t.Fatal(err)
			}
			s, err := solver.New("nadam", 0.01, options)
			if err != nil {
				t.Fatal(err)
			}
			w.solvers = append(w.solvers, s)
		}
		twins = append(twins, w)
	}
	first := twins[0]
	for step := range steps {
		for _, w := range twins {
			fill(w.graph, uint64(step), spec.Classes)
			w.graph.Draw = layer.Draw{Seed: 5, Step: uint64(step)}
			run(t, w.graph)
			for i, group := range w.graph.Groups {
				if err := w.solvers[i].Step(group.ValueGrads()); err != nil {
					t.Fatalf("%s: %v", w.name, err)
				}
			}
			if w.graph.Loss.LossSum != first.graph.Loss.LossSum || w.graph.Loss.Correct != first.graph.Loss.Correct {
				t.Fatalf("step %d: %s has the loss %v and %d correct, %s %v and %d", step, w.name, w.graph.Loss.LossSum,
					w.graph.Loss.Correct, first.name, first.graph.Loss.LossSum, first.graph.Loss.Correct)
			}
			for i, g := range gradients(t, w.graph) {
				for j, v := range gradients(t, first.graph)[i] {
					if g[j] != v {
						t.Fatalf("step %d: %s has the gradient %v at %d of parameter %d, %s %v", step, w.name, g[j], j, i, first.name, v)
					}
				}
			}
		}
	}
	for _, w := range twins[1:] {
		for i := range w.weights {
			for j, v := range first.weights[i].Value.Float32s() {
				if found := w.weights[i].Value.Float32s()[j]; found != v {
					t.Fatalf("%s has %v for %s at %d, %s %v", w.name, found, w.weights[i].Name, j, first.name, v)
				}
			}
		}
	}
}

func TestUseRefuses(t *testing.T) {
	g := training(t, small(), newWeights(small(), 1), 2)
	wantError(t, g.Use("abacus"), "static, tape, lisp", "abacus")
}

// The nodes of a run know their pass and their group. On every machine, the first node that is not finite is named.
func TestNodesOfEachMachine(t *testing.T) {
	spec := small()
	for _, name := range model.Machines() {
		ws := newWeights(spec, 1)
		g := training(t, spec, ws, 4)
		if err := g.Use(name); err != nil {
			t.Fatal(err)
		}
		fill(g, 1, spec.Classes)
		run(t, g)
		found := map[string]model.Node{}
		for _, n := range g.Nodes() {
			for _, input := range n.Inputs {
				if _, ok := found[input]; !ok {
					t.Errorf("%s: %s comes before its input %s", name, n.Name, input)
				}
			}
			found[n.Name] = n
		}
		dense := found["lower.1.dense"]
		if dense.Backward || dense.Group != model.Lower || len(dense.Values) != 4*6 || dense.Op != "Dense" {
			t.Errorf("%s: expected lower.1.dense to be 24 values of the lower group's forward pass, found %+v", name, dense)
		}
		back, ok := found["gradient of upper.0.weight"]
		if want := name != model.LispMachine; ok != want || ok && (!back.Backward || back.Group != model.Upper) {
			t.Errorf("%s: expected a gradient of the upper group's backward pass to be %v, found %v, %+v", name, want, ok, back)
		}
		if first := g.FirstNonFinite(); first != "" {
			t.Errorf("%s: expected every value to be finite, found one in %s that is not", name, first)
		}
		weight(t, ws, "lower.1.weight")[3] = float32(math.Inf(1))
		run(t, g)
		if first := g.FirstNonFinite(); first != "lower.1.weight" {
			t.Errorf("%s: expected the first infinity in lower.1.weight, found it in %q", name, first)
		}
	}
}

// A graph that was run on the LispMachine gives its own gradients again once it is back on the static one.
func TestUseAfterLisp(t *testing.T) {
	s := small()
	g := training(t, s, newWeights(s, 1), 4)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(g.Use(model.LispMachine))
	fill(g, 1, s.Classes)
	run(t, g)
	must(g.Use(model.StaticMachine))
	fill(g, 2, s.Classes)
	run(t, g)
	fresh := training(t, s, newWeights(s, 1), 4)
	fill(fresh, 2, s.Classes)
	run(t, fresh)
	if !slices.EqualFunc(gradients(t, g), gradients(t, fresh), sameBits) {
		t.Error("expected the gradients of the second batch")
	}
}

// A drawing knows the groups that the weights were given, whatever they are called.
func TestWriteDotKnowsTheGroups(t *testing.T) {
	s := stacked("7@stem-ln-tanh-4@head")
	ws := newWeights(s, 1)
	for i := range ws {
		if strings.Contains(ws[i].Name, ".norm.") {
			ws[i].Group = "norms"
		}
	}
	g := training(t, s, ws, 2)
	fill(g, 1, s.Classes)
	run(t, g)
	groups := map[string]string{}
	for _, n := range g.Nodes() {
		groups[n.Name] = n.Group
	}
	for name, want := range map[string]string{
		"stem.0.weight": "stem", "stem.0.dense": "stem", "gradient of stem.0.weight": "stem", "stem.0.tanh": "stem",
		"stem.0.norm": "norms", "stem.0.norm.beta": "norms", "head.dense": "head", "images": "", "loss": "",
	} {
		if groups[name] != want {
			t.Errorf("%s: expected the group %q, found %q", name, want, groups[name])
		}
	}
	var dot strings.Builder
	if err := g.WriteDot(&dot); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"stem, forward" [style="filled", fillcolor="#cfe3f5"`, `"norms, backward"`, `"head, backward"`} {
		if !strings.Contains(dot.String(), want) {
			t.Errorf("expected %s in the drawing, found\n%s", want, dot.String())
		}
	}
	if strings.Contains(dot.String(), "lower") {
		t.Error("expected no group lower in the drawing")
	}
}
