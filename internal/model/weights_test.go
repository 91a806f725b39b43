package model_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

func TestWeightNames(t *testing.T) {
	spec := small()
	want := []string{
		"lower.0.weight", "lower.0.bias", "lower.0.norm.alpha", "lower.0.norm.beta",
		"lower.1.weight", "lower.1.bias", "lower.1.norm.alpha", "lower.1.norm.beta",
		"upper.0.weight", "upper.0.bias", "upper.0.norm.alpha", "upper.0.norm.beta",
		"upper.weight", "upper.bias",
	}
	ws := newWeights(spec, 42)
	if diff := cmp.Diff(want, names(ws)); diff != "" {
		t.Errorf("with LayerNorm (-expected +found):\n%s", diff)
	}
	if lower, upper := ws.Count(model.Lower), ws.Count(model.Upper); lower != 12*7+3*7+7*6+3*6 || upper != 6*5+3*5+5*4+4 {
		t.Errorf("expected %d and %d values, found %d and %d", 12*7+3*7+7*6+3*6, 6*5+3*5+5*4+4, lower, upper)
	}
	if !ws.Has("upper.0.norm.beta") || ws.Has("upper.1.weight") {
		t.Error("expected upper.0.norm.beta and no upper.1.weight")
	}
	spec.LayerNorm = model.NoLayerNorm
	want = slices.DeleteFunc(want, func(name string) bool { return strings.Contains(name, ".norm.") })
	if diff := cmp.Diff(want, names(newWeights(spec, 42))); diff != "" {
		t.Errorf("without (-expected +found):\n%s", diff)
	}
}

// The weights of dense layers fill U(−r, r). The other parameters start with values that change nothing.
func TestInitialWeights(t *testing.T) {
	radius := map[string]func(in, out float64) float64{
		"relu": func(in, _ float64) float64 { return math.Sqrt(6 / in) },
		"gelu": func(in, _ float64) float64 { return math.Sqrt(6 / in) },
		"elu":  func(in, _ float64) float64 { return math.Sqrt(6 / in) },
		"selu": func(in, _ float64) float64 { return math.Sqrt(3 / in) },
		"tanh": func(in, out float64) float64 { return math.Sqrt(6 / (in + out)) },
	}
	for activation, hidden := range radius {
		spec := spec{Inputs: 784, Hidden: []int{100}, Classes: 10, Activation: activation, LayerNorm: layernorm.Keras, UpperLayers: 1}
		ws := newWeights(spec, 1)
		for name, r := range map[string]float64{"lower.0.weight": hidden(784, 100), "upper.weight": radius["tanh"](100, 10)} {
			values := weight(t, ws, name)
			n := float64(len(values))
			var sum, squares float64
			for _, v := range values {
				sum += float64(v)
				squares += float64(v) * float64(v)
			}
			if lowest, highest := float64(slices.Min(values)), float64(slices.Max(values)); lowest < -r || highest > r || lowest > -0.99*r || highest < 0.99*r {
				t.Errorf("%s, %s: expected values from −%v to %[3]v, found from %v to %v", activation, name, r, lowest, highest)
			}
			// The mean of n draws has the deviation r/√(3n), and their variance r²/3 the deviation 2r²/√(45n).
			if mean := sum / n; !(math.Abs(mean) < 5*r/math.Sqrt(3*n)) {
				t.Errorf("%s, %s: expected the mean 0, found %v", activation, name, mean)
			}
			if variance := squares / n; !(math.Abs(variance-r*r/3) < 5*2*r*r/math.Sqrt(45*n)) {
				t.Errorf("%s, %s: expected the variance %v, found %v", activation, name, r*r/3, variance)
			}
		}
		for name, want := range map[string]float32{"lower.0.bias": 0, "lower.0.norm.alpha": 1, "lower.0.norm.beta": 0, "upper.bias": 0} {
			if found := weight(t, ws, name); slices.ContainsFunc(found, func(v float32) bool { return v != want }) {
				t.Errorf("%s, %s: expected %v throughout, found %v", activation, name, want, found)
			}
		}
	}
}

// A weight is a function of the seed, its name and its shape. Nothing else in the architecture changes it.
func TestInitialWeightsAreIndependent(t *testing.T) {
	base := spec{Inputs: 20, Hidden: []int{20, 20}, Classes: 20, Activation: "relu", LayerNorm: model.NoLayerNorm, UpperLayers: 1}
	ws := newWeights(base, 42)
	for _, w := range newWeights(base, 42) {
		if !sameBits(w.Value.Float32s(), weight(t, ws, w.Name)) {
			t.Errorf("%s: expected the same weights for the same seed", w.Name)
		}
	}
	first := weight(t, ws, "lower.0.weight")
	for what, change := range map[string]func(*spec){
		"another second layer": func(s *spec) { s.Hidden = []int{20, 7} },
		"more layers":          func(s *spec) { s.Hidden = []int{20, 9, 8, 7} },
		"more classes":         func(s *spec) { s.Classes = 100 },
		"LayerNorm":            func(s *spec) { s.LayerNorm = layernorm.Book },
		"more upper layers":    func(s *spec) { s.UpperLayers = 2 },
	} {
		other := base
		change(&other)
		if !sameBits(first, weight(t, newWeights(other, 42), "lower.0.weight")) {
			t.Errorf("%s: expected lower.0.weight as it was", what)
		}
	}
}

// The weights of neighbouring seeds, and of the layers of one seed, are independent: their correlation is as small as by chance, with
// the standard deviation 1/√n.
func TestInitialWeightsAreUncorrelated(t *testing.T) {
	spec := spec{Inputs: 100, Hidden: []int{100, 100}, Classes: 10, Activation: "relu", LayerNorm: model.NoLayerNorm, UpperLayers: 1}
	var draws [][]float32
	for _, seed := range []uint64{0, 1, 2, 3, 42, 43, 1 << 63} {
		ws := newWeights(spec, seed)
		draws = append(draws, weight(t, ws, "lower.0.weight"), weight(t, ws, "lower.1.weight"))
	}
	for i, a := range draws {
		for j, b := range draws[:i] {
			var ab, aa, bb float64
			for k := range a {
				ab += float64(a[k]) * float64(b[k])
				aa += float64(a[k]) * float64(a[k])
				bb += float64(b[k]) * float64(b[k])
			}
			if r := ab / math.Sqrt(aa*bb); !(math.Abs(r) < 5/math.Sqrt(float64(len(a)))) {
				t.Errorf("draws %d and %d: expected no correlation, found %v", j, i, r)
			}
		}
	}
}

// The first draws are fixed here: a change of the generator would silently change the weights of every seed.
func TestInitialWeightsStay(t *testing.T) {
	ws := newWeights(spec{Inputs: 784, Hidden: []int{100}, Classes: 10, Activation: "relu", LayerNorm: model.NoLayerNorm, UpperLayers: 1}, 42)
	got := map[string][]float32{"lower.0.weight": weight(t, ws, "lower.0.weight")[:3], "upper.weight": weight(t, ws, "upper.weight")[:3]}
	want := map[string][]float32{
		"lower.0.weight": {0.013999568, -0.021634076, 0.08567735},
		"upper.weight":   {0.101878166, 0.014185894, -0.026953092},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-expected +found):\n%s", diff)
	}
}

// stored is weights as a checkpoint has them.
type stored map[string]struct {
	shape  []int
	values []float32
}

func (s stored) lookup(name string) (shape []int, values []float32, ok bool) {
	t, ok := s[name]
	return t.shape, t.values, ok
}

func store(ws model.Weights) stored {
	s := stored{}
	for _, w := range ws {
		s[w.Name] = struct {
			shape  []int
			values []float32
		}{slices.Clone([]int(w.Value.Shape())), slices.Clone(w.Value.Float32s())}
	}
	return s
}

func TestSet(t *testing.T) {
	ws := newWeights(small(), 1)
	other := store(newWeights(small(), 2))
	if err := ws.Set(other.lookup); err != nil {
		t.Fatal(err)
	}
	for name, w := range other {
		if !sameBits(weight(t, ws, name), w.values) {
			t.Errorf("%s: expected the values that were set", name)
		}
	}
	// They are copies.
	clear(other["upper.weight"].values)
	if slices.Max(weight(t, ws, "upper.weight")) == 0 {
		t.Error("expected a copy, found that the weights share the values")
	}
}

func TestSetRefuses(t *testing.T) {
	for _, test := range []struct {
		what   string
		change func(stored)
		parts  []string
	}{
		{"a missing tensor", func(s stored) { delete(s, "upper.bias") }, []string{"tensor upper.bias", "expected shape (4)", "no such tensor"}},
		{"another width", func(s stored) {
			w := s["upper.weight"]
			w.shape = []int{5, 3}
			s["upper.weight"] = w
		}, []string{"tensor upper.weight", "expected shape (5, 4)", "found (5, 3)"}},
		{"a transposed weight", func(s stored) {
			w := s["upper.weight"]
			w.shape = []int{4, 5}
			s["upper.weight"] = w
		}, []string{"tensor upper.weight", "expected shape (5, 4)", "found (4, 5)"}},
		{"a row for a vector", func(s stored) {
			w := s["upper.bias"]
			w.shape = []int{1, 4}
			s["upper.bias"] = w
		}, []string{"tensor upper.bias", "expected shape (4)", "found (1, 4)"}},
		{"a scalar", func(s stored) {
			w := s["upper.bias"]
			w.shape = nil
			s["upper.bias"] = w
		}, []string{"tensor upper.bias", "expected shape (4)", "found ()"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			ws, other := newWeights(small(), 1), store(newWeights(small(), 2))
			test.change(other)
			wantError(t, ws.Set(other.lookup), test.parts...)
			for _, w := range newWeights(small(), 1) {
				if !sameBits(w.Value.Float32s(), weight(t, ws, w.Name)) {
					t.Errorf("%s: expected it to be left as it was", w.Name)
				}
			}
		})
	}
}
