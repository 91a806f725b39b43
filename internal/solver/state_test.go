package solver

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"pgregory.net/rapid"
)

// A new solver with the saved state continues with the same bits, and the two solvers share no memory.
func TestStateContinues(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			rate, o := drawOptions(t, name)
			first, err := New(name, rate, o)
			if err != nil {
				t.Fatal(err)
			}
			pairs := [][2]*testParameter{}
			var left, right []gorgonia.ValueGrad
			for _, n := range []string{"lower.0.weight", "lower.0.bias", "upper.weight"} {
				w := drawWeights(t, n)
				p, q := newParameter(n, w...), newParameter(n, slices.Clone(w)...)
				pairs = append(pairs, [2]*testParameter{p, q})
				left, right = append(left, p), append(right, q)
			}
			before, after := rapid.IntRange(0, 5).Draw(t, "before"), rapid.IntRange(1, 5).Draw(t, "after")
			for range before {
				for _, pair := range pairs {
					drawGradient(t, pair[0].g)
				}
				mustStep(t, first, left...)
			}
			for _, pair := range pairs {
				copy(pair[1].w, pair[0].w)
			}

			second, err := New(name, rate, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := second.SetState(first.State()); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(first.State(), second.State()); d != "" {
				t.Fatalf("the state is not what was set (-was +is):\n%s", d)
			}
			for range after {
				for _, pair := range pairs {
					drawGradient(t, pair[0].g)
					copy(pair[1].g, pair[0].g)
				}
				mustStep(t, first, left...)
				mustStep(t, second, right...)
				for _, pair := range pairs {
					equalBits(t, pair[0].name, pair[1].w, pair[0].w)
				}
			}
			if d := cmp.Diff(first.State(), second.State()); d != "" {
				t.Fatalf("the states have parted (-first +second):\n%s", d)
			}
		}))
	}
}

// The names and sizes are the checkpoint's format.
func TestStateNames(t *testing.T) {
	slots := map[string][]string{
		"sgd": {}, "momentum": {"velocity"}, "nesterov": {"velocity"}, "rmsprop": {"square"}, "adagrad": {"sum"},
		"adam": {"m", "v"}, "adamw": {"m", "v"}, "nadam": {"m", "v"},
	}
	for _, name := range referenced {
		s := mustNew(t, name, 0.1, nil)
		mustStep(t, s, newParameter("a.weight", 1, 2), newParameter("a.bias", 3))
		mustStep(t, s, newParameter("a.weight", 1, 2), newParameter("a.bias", 3))
		checkState(t, s, 2, slots[name], map[string]int{"a.weight": 2, "a.bias": 1})
	}
	withVelocity := mustNew(t, "rmsprop", 0.1, func(o *Options) { o.Momentum = 0.9 })
	mustStep(t, withVelocity, newParameter("a.weight", 1))
	checkState(t, withVelocity, 1, []string{"square", "velocity"}, map[string]int{"a.weight": 1})
}

func checkState(t *testing.T, s Solver, steps uint64, slots []string, lengths map[string]int) {
	t.Helper()
	st := s.State()
	if st.Steps != steps {
		t.Errorf("%s: %d steps, want %d", s.Name(), st.Steps, steps)
	}
	want := map[string]map[string]int{}
	for _, slot := range slots {
		want[slot] = lengths
	}
	got := map[string]map[string]int{}
	for slot, values := range st.Slots {
		got[slot] = map[string]int{}
		for name, v := range values {
			got[slot][name] = len(v)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("%s: slots (-want +got):\n%s", s.Name(), d)
	}
	if _, ok := st.Scalars["mu_product"]; ok != (s.Name() == "nadam") || len(st.Scalars) > 1 {
		t.Errorf("%s: scalars %v", s.Name(), st.Scalars)
	}
}

// The state of a new solver in a checkpoint has scalars but no tensors.
func TestStateOfFreshSolverWithoutSlots(t *testing.T) {
	for _, name := range Names() {
		st := mustNew(t, name, 0.1, nil).State()
		st.Slots = nil
		s := mustNew(t, name, 0.1, nil)
		if err := s.SetState(st); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		mustStep(t, s, newParameter("w", 1))
	}
}

// JSON keeps nadam's product of momenta to the last bit.
func TestStateThroughJSON(t *testing.T) {
	s := mustNew(t, "nadam", 0.1, nil)
	for range 7 {
		mustStep(t, s, newParameter("w", 1))
	}
	raw, err := json.Marshal(s.State())
	if err != nil {
		t.Fatal(err)
	}
	var st State
	if err := json.Unmarshal(raw, &st); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(s.State(), st); d != "" {
		t.Errorf("(-state +read back):\n%s", d)
	}
}

func TestSetStateRefuses(t *testing.T) {
	fresh := func() State {
		return State{Steps: 3, Scalars: map[string]float64{"mu_product": 0.1}, Slots: map[string]map[string][]float32{
			"m": {"w": {1, 2}, "b": {3}}, "v": {"w": {1, 2}, "b": {3}},
		}}
	}
	for _, c := range []struct {
		name   string
		solver string
		change func(*State)
		want   []string
	}{
		{"unknown slot", "nadam", func(s *State) { s.Slots["velocity"] = nil }, []string{`"velocity"`, "m, v"}},
		{"slot of a solver without", "sgd", func(s *State) { s.Scalars = nil }, []string{"unknown slot", "none"}},
		{"unknown scalar", "nadam", func(s *State) { s.Scalars["x"] = 1 }, []string{`"x"`, "mu_product"}},
		{"scalar of a solver without", "adam", func(*State) {}, []string{`"mu_product"`, "none"}},
		{"missing scalar", "nadam", func(s *State) { s.Scalars = nil }, []string{"mu_product", "missing"}},
		{"impossible scalar", "nadam", func(s *State) { s.Scalars["mu_product"] = 1.5 }, []string{"mu_product", "1.5", "from 0 to 1"}},
		{"NaN scalar", "nadam", func(s *State) { s.Scalars["mu_product"] = math.NaN() }, []string{"mu_product", "NaN"}},
		{"missing slot", "nadam", func(s *State) { delete(s.Slots, "v") }, []string{"slot v", "missing"}},
		{"missing parameter in a slot", "nadam", func(s *State) { delete(s.Slots["m"], "b") }, []string{"slot m", "parameter b"}},
		{"lengths", "nadam", func(s *State) { s.Slots["m"]["w"] = []float32{1} }, []string{"parameter w", "1", "2"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := mustNew(t, c.solver, 0.1, nil)
			mustStep(t, s, newParameter("mine", 1))
			before, err := json.Marshal(s.State())
			if err != nil {
				t.Fatal(err)
			}
			st := fresh()
			c.change(&st)
			checkError(t, s.SetState(st), append(c.want, "solver "+c.solver)...)
			after, err := json.Marshal(s.State())
			if err != nil {
				t.Fatal(err)
			}
			if string(before) != string(after) {
				t.Errorf("the state changed from %s to %s", before, after)
			}
		})
	}
}

// A state whose shapes are not the model's is refused at the first step.
func TestStateOfAnotherModel(t *testing.T) {
	st := State{Steps: 3, Slots: map[string]map[string][]float32{"velocity": {"w": {1, 2}}}}
	for _, c := range []struct {
		parameters []gorgonia.ValueGrad
		want       []string
	}{
		{[]gorgonia.ValueGrad{newParameter("w", 1, 2, 3)}, []string{"parameter w", "length 2", "found 3"}},
		{[]gorgonia.ValueGrad{newParameter("w", 1, 2), newParameter("b", 1)}, []string{"parameter b", "unknown", "3 steps"}},
		{[]gorgonia.ValueGrad{}, []string{"parameter w", "missing"}},
	} {
		s := mustNew(t, "momentum", 0.1, nil)
		if err := s.SetState(st); err != nil {
			t.Fatal(err)
		}
		checkError(t, s.Step(c.parameters), c.want...)
	}
}

func checkError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, expected one that has %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error %q lacks %q", err, w)
		}
	}
}
