package solver

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

func TestDefaults(t *testing.T) {
	want := map[string]Options{
		"sgd":      {},
		"momentum": {Momentum: 0.9},
		"nesterov": {Momentum: 0.9},
		"rmsprop":  {Rho: 0.9, Epsilon: 1e-7},
		"adagrad":  {Epsilon: 1e-7},
		"adam":     {Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7},
		"adamw":    {Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, WeightDecay: 0.004},
		"nadam":    {Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, MomentumDecay: 0.004},
	}
	for _, k := range Kinds() {
		name := k.Name
		o, err := Defaults(name)
		if err != nil {
			t.Fatal(err)
		}
		if known, ok := want[name]; ok && o != known {
			t.Errorf("%s: expected the defaults %+v, found %+v", name, known, o)
		}
		if k.About == "" || !strings.HasSuffix(k.Usage, fmt.Sprintf("weight decay %v", o.WeightDecay)) {
			t.Errorf("expected a phrase and the options, found %+v", k)
		}
		if s := mustNew(t, name, 0.25, nil); s.Name() != name || s.LearningRate() != 0.25 {
			t.Errorf("New(%q, 0.25) has the name %q and the learning rate %v", name, s.Name(), s.LearningRate())
		}
	}
}

func TestUnknownName(t *testing.T) {
	known := []string{`"adm"`, strings.Join(Names(), ", ")}
	_, err := New("adm", 0.1, Options{})
	checkError(t, err, known...)
	_, err = Defaults("adm")
	checkError(t, err, known...)
}

func TestImpossibleOptions(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	for _, c := range []struct {
		option, allowed string
		set             func(*Options, float64)
		values          []float64
	}{
		{"epsilon", "above 0", func(o *Options, x float64) { o.Epsilon = x }, []float64{0, -1e-7, 1e-50, nan, inf, 1e39}},
		{"momentum", "from 0 to below 1", func(o *Options, x float64) { o.Momentum = x }, []float64{-0.1, 1, 2, nan, inf}},
		{"beta1", "from 0 to below 1", func(o *Options, x float64) { o.Beta1 = x }, []float64{-0.1, 1, nan, inf}},
		{"beta2", "from 0 to below 1", func(o *Options, x float64) { o.Beta2 = x }, []float64{-0.1, 1, nan, inf}},
		{"rho", "from 0 to below 1", func(o *Options, x float64) { o.Rho = x }, []float64{-0.1, 1, nan, inf}},
		{"momentum decay", "at least 0", func(o *Options, x float64) { o.MomentumDecay = x }, []float64{-0.1, nan, inf}},
		{"weight decay", "at least 0", func(o *Options, x float64) { o.WeightDecay = x },
			[]float64{-0.1, nan, inf, 1e39}},
	} {
		for _, k := range registry {
			name, o := k.name, k.defaults
			has := func(o option) bool { return o.name == c.option }
			if c.option != weightDecayOption.name && !slices.ContainsFunc(k.has, has) {
				c.set(&o, 0.5)
				_, err := New(name, 0.1, o)
				checkError(t, err, "solver "+name, "no option "+c.option, "0.5", "weight decay")
				continue
			}
			for _, x := range c.values {
				c.set(&o, x)
				_, err := New(name, 0.1, o)
				checkError(t, err, "solver "+name, c.option, c.allowed, "found")
			}
		}
	}
}

func TestImpossibleLearningRate(t *testing.T) {
	for _, rate := range []float64{-1e-9, math.NaN(), math.Inf(1), 1e39} {
		_, err := New("sgd", rate, Options{})
		checkError(t, err, "learning rate", "at least 0", "found")
		s := mustNew(t, "sgd", 0.5, nil)
		checkError(t, s.SetLearningRate(rate), "learning rate", "at least 0", "found")
		if s.LearningRate() != 0.5 {
			t.Errorf("the refused rate %v was set: %v", rate, s.LearningRate())
		}
	}
}
