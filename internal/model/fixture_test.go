package model_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
	"fmtrain/internal/op"
)

type spec = modeltest.Spec

// small is an architecture that is quick to differentiate.
func small() spec {
	return spec{
		Inputs: 12, Hidden: []int{7, 6, 5}, Classes: 4, Activation: "tanh",
		LayerNorm: layernorm.Book, Epsilon: layernorm.DefaultEpsilon, UpperLayers: 2,
	}
}

// fill fills a graph with a batch of random images, a function of the seed, and labels 0, 1, ...
func fill(g *model.Graph, seed uint64, classes int) {
	r := rand.New(rand.NewPCG(seed, 28))
	for i := range g.Images {
		g.Images[i] = r.Float32()
	}
	for i := range g.Labels {
		g.Labels[i] = int32(i % classes)
	}
}

func newWeights(s spec, seed uint64) model.Weights { return s.Weights(seed) }

func training(t *testing.T, s spec, weights model.Weights, batch int) *model.Graph {
	t.Helper()
	g, err := s.Model().NewTraining(weights, batch, model.Training{})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func inference(t *testing.T, s spec, weights model.Weights, batch int) *model.Graph {
	t.Helper()
	g, err := s.Model().NewInference(weights, batch)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func run(t *testing.T, g *model.Graph) {
	t.Helper()
	if err := g.Run(); err != nil {
		t.Fatal(err)
	}
}

// gradients are copies of the gradients of a training graph, in order.
func gradients(t *testing.T, g *model.Graph) (all [][]float32) {
	t.Helper()
	for _, group := range g.Groups {
		for _, p := range group.Parameters {
			v, err := p.Grad()
			if err != nil {
				t.Fatal(err)
			}
			values, err := op.Floats(v)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, slices.Clone(values))
		}
	}
	return all
}

func names(ws model.Weights) (names []string) {
	for _, w := range ws {
		names = append(names, w.Name)
	}
	return names
}

// weight is the values of the weight of that name.
func weight(t *testing.T, ws model.Weights, name string) []float32 {
	t.Helper()
	_, values, ok := ws.Find(name)
	if !ok {
		t.Fatalf("expected a weight %s, found %v", name, names(ws))
	}
	return values
}

// checkDifferences compares the gradient of a weight with differences of the loss. The tolerance is a 500th of the largest
// difference, which it returns, plus the rounding of the forward pass. The loss is summed in float64, and each value is moved by h in
// float32: with h = 2⁻⁷ the rounding leaves about 1e-5, and the formula's own error is proportional to h².
func checkDifferences(t *testing.T, w model.Weight, gradient []float32, loss func() float64, rounding float64) (largest float64) {
	t.Helper()
	const h = 0x1p-7
	values, want := w.Value.Float32s(), make([]float64, len(gradient))
	for j, v := range values {
		values[j] = v + h
		above := loss()
		values[j] = v - h
		below := loss()
		values[j] = v
		want[j] = (above - below) / (2 * h)
		largest = max(largest, math.Abs(want[j]))
	}
	for j, v := range gradient {
		if !(math.Abs(float64(v)-want[j]) <= rounding+2e-3*largest) {
			t.Errorf("%s[%d]: expected %v from differences, found %v", w.Name, j, want[j], v)
		}
	}
	return largest
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("expected an error with %q, found none", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("expected an error with %q, found %q", part, err)
		}
	}
}
