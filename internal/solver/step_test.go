package solver

import (
	"errors"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// nameless is a parameter that doesn't implement gorgonia.Namer.
type nameless struct{ p *testParameter }

func (n nameless) Value() gorgonia.Value         { return n.p.Value() }
func (n nameless) Grad() (gorgonia.Value, error) { return n.p.Grad() }

// broken is a parameter whose value and gradient are replaced.
type broken struct {
	*testParameter
	value, grad gorgonia.Value
	err         error
}

func (b broken) Value() gorgonia.Value         { return b.value }
func (b broken) Grad() (gorgonia.Value, error) { return b.grad, b.err }

// An impossible step is refused before anything changes, and the next step works.
func TestStepRefuses(t *testing.T) {
	vector := func(n int) *tensor.Dense { return tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(n)) }
	double := tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2))
	bad := newParameter("bad", 1, 2)
	for _, c := range []struct {
		name string
		p    gorgonia.ValueGrad
		want []string
	}{
		{"without Name", nameless{bad}, []string{"parameter 1", "no name"}},
		{"empty name", newParameter("", 1), []string{"parameter 1", "no name"}},
		{"same name", newParameter("good", 1, 2, 3), []string{"parameter good", "twice"}},
		{"gradient of another length", broken{bad, vector(2), vector(3), nil}, []string{"parameter bad", "length 2", "found 3"}},
		{"no gradient", broken{bad, vector(2), nil, errors.New("never computed")}, []string{"parameter bad", "gradient", "never computed"}},
		{"nil gradient", broken{bad, vector(2), nil, nil}, []string{"parameter bad", "gradient"}},
		{"float64 value", broken{bad, double, vector(2), nil}, []string{"parameter bad", "value", "float64"}},
		{"float64 gradient", broken{bad, vector(2), double, nil}, []string{"parameter bad", "gradient", "float64"}},
		{"scalar value", broken{bad, gorgonia.NewF32(1), vector(2), nil}, []string{"parameter bad", "value"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range Names() {
				s := mustNew(t, name, 0.1, nil)
				good := newParameter("good", 1, 2, 3)
				copy(good.g, []float32{1, 1, 1})
				err := s.Step([]gorgonia.ValueGrad{good, c.p})
				checkError(t, err, append(c.want, "solver "+name)...)
				equalBits(t, name+": good", good.w, []float32{1, 2, 3})
				if st := s.State(); st.Steps != 0 {
					t.Errorf("%s: %d steps counted", name, st.Steps)
				}
				mustStep(t, s, good)
				if good.w[0] == 1 {
					t.Errorf("%s: the step after the refused one did nothing", name)
				}
			}
		})
	}
}

func TestStepNeedsTheSameParameters(t *testing.T) {
	for _, name := range Names() {
		s := mustNew(t, name, 0.1, nil)
		a, b := newParameter("a", 1), newParameter("b", 1)
		a.g[0], b.g[0] = 1, 1
		mustStep(t, s, a, b)
		w := a.w[0]
		checkError(t, s.Step([]gorgonia.ValueGrad{a}), "parameter b", "missing")
		checkError(t, s.Step([]gorgonia.ValueGrad{a, b, b}), "parameter b", "twice")
		checkError(t, s.Step([]gorgonia.ValueGrad{a, newParameter("b", 1, 2)}), "parameter b", "length 1", "found 2")
		if a.w[0] != w || s.State().Steps != 1 {
			t.Errorf("%s: a refused step changed a from %v to %v, and made %d steps", name, w, a.w[0], s.State().Steps)
		}
		mustStep(t, s, b, a)
	}
}

// A group may have no parameters, if all layers are in the other.
func TestStepOfNothing(t *testing.T) {
	for _, name := range Names() {
		s := mustNew(t, name, 0.1, nil)
		mustStep(t, s)
		again := mustNew(t, name, 0.1, nil)
		if err := again.SetState(s.State()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mustStep(t, again)
	}
}
