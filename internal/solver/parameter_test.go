package solver

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"
)

// testParameter is a parameter with a gradient that the test sets.
type testParameter struct {
	name  string
	w, g  []float32
	fixed bool // says that it doesn't decay
	value *tensor.Dense
	grad  *tensor.Dense
}

func newParameter(name string, w ...float32) *testParameter {
	p := &testParameter{name: name, w: w, g: make([]float32, len(w))}
	p.value = tensor.New(tensor.WithShape(len(w)), tensor.WithBacking(p.w))
	p.grad = tensor.New(tensor.WithShape(len(w)), tensor.WithBacking(p.g))
	return p
}

func (p *testParameter) Name() string                  { return p.name }
func (p *testParameter) Decays() bool                  { return !p.fixed }
func (p *testParameter) Value() gorgonia.Value         { return p.value }
func (p *testParameter) Grad() (gorgonia.Value, error) { return p.grad, nil }

func mustNew(t rapid.TB, name string, rate float64, change func(*Options)) Solver {
	t.Helper()
	o, err := Defaults(name)
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&o)
	}
	s, err := New(name, rate, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustStep(t rapid.TB, s Solver, parameters ...gorgonia.ValueGrad) {
	t.Helper()
	if err := s.Step(parameters); err != nil {
		t.Fatal(err)
	}
}
