package solver

import (
	"fmt"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"pgregory.net/rapid"
)

// reference is one weight under a solver, in float64 and with the formulas of the papers and PyTorch's documentation. a and b are the
// solver's slots: the velocity or first moment, and the sum or average of squares.
type reference struct {
	solver  string
	rate    float64
	o       Options
	w, a, b float64
	product float64 // of nadam's momenta
	step    float64
}

func (r *reference) update(g float64) {
	o := r.o
	r.step++
	if r.solver == "adamw" {
		r.w *= 1 - r.rate*o.WeightDecay
	} else {
		g += o.WeightDecay * r.w
	}
	switch r.solver {
	case "sgd":
		r.w -= r.rate * g
	case "momentum":
		r.a = o.Momentum*r.a + g
		r.w -= r.rate * r.a
	case "nesterov":
		r.a = o.Momentum*r.a + g
		r.w -= r.rate * (g + o.Momentum*r.a)
	case "adagrad":
		r.b += g * g
		r.w -= r.rate * g / (math.Sqrt(r.b) + o.Epsilon)
	case "rmsprop":
		r.b = o.Rho*r.b + (1-o.Rho)*g*g
		r.a = o.Momentum*r.a + g/(math.Sqrt(r.b)+o.Epsilon)
		r.w -= r.rate * r.a
	case "adam", "adamw", "nadam":
		r.a = o.Beta1*r.a + (1-o.Beta1)*g
		r.b = o.Beta2*r.b + (1-o.Beta2)*g*g
		root := math.Sqrt(r.b/(1-math.Pow(o.Beta2, r.step))) + o.Epsilon
		mean := r.a / (1 - math.Pow(o.Beta1, r.step))
		if r.solver == "nadam" {
			mu := o.Beta1 * (1 - 0.5*math.Pow(0.96, r.step*o.MomentumDecay))
			next := o.Beta1 * (1 - 0.5*math.Pow(0.96, (r.step+1)*o.MomentumDecay))
			r.product *= mu
			mean = (1-mu)*g/(1-r.product) + next*r.a/(1-r.product*mu*next)
		}
		r.w -= r.rate * mean / root
	default:
		panic("no reference for " + r.solver)
	}
}

// drawOptions draws a learning rate and options. The squares are averaged over at least as many steps as the gradients, and the
// L2 penalty is small compared with any gradient that [drawGradient] draws. Otherwise sums could cancel, and their root could turn a
// difference in the last bit into a whole step, so a correct float32 solver could differ from the float64 one.
func drawOptions(t *rapid.T, name string) (float64, Options) {
	o, err := Defaults(name)
	if err != nil {
		t.Fatal(err)
	}
	set := func(field *float64, label string, values ...float64) {
		*field = rapid.SampledFrom(values).Draw(t, label)
	}
	switch name {
	case "momentum", "nesterov":
		set(&o.Momentum, "momentum", 0, 0.5, 0.9, 0.99)
	case "rmsprop":
		set(&o.Momentum, "momentum", 0, 0.5, 0.9)
		set(&o.Rho, "rho", 0, 0.5, 0.9, 0.999)
	case "adam", "adamw", "nadam", "muon":
		set(&o.Beta1, "beta1", 0, 0.4, 0.9)
		set(&o.Beta2, "beta2", 0.9, 0.99, 0.999, 0.9999)
	}
	if name == "nadam" {
		set(&o.MomentumDecay, "momentum decay", 0, 0.004, 0.5)
	}
	if o.Epsilon != 0 {
		set(&o.Epsilon, "epsilon", 1e-8, 1e-7, 1e-3)
	}
	set(&o.WeightDecay, "weight decay", 0, 0.004, 0.01)
	o.DecayAll = rapid.Bool().Draw(t, "decay all")
	return rapid.SampledFrom([]float64{0, 1e-4, 1e-3, 0.02}).Draw(t, "learning rate"), o
}

func drawWeights(t *rapid.T, name string) []float32 {
	return rapid.SliceOfN(rapid.Float32Range(-2, 2), 1, 6).Draw(t, name)
}

func drawGradient(t *rapid.T, g []float32) {
	for i := range g {
		g[i] = rapid.Float32Range(0.125, 4).Draw(t, "g")
		if rapid.Bool().Draw(t, "negative") {
			g[i] = -g[i]
		}
	}
}

// referenced are the solvers that [reference] knows.
var referenced = []string{"sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw", "nadam"}

func TestAgainstFloat64(t *testing.T) {
	for _, name := range referenced {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			rate, o := drawOptions(t, name)
			s, err := New(name, rate, o)
			if err != nil {
				t.Fatal(err)
			}
			p := newParameter("lower.0.weight", drawWeights(t, "w")...)
			want := make([]reference, len(p.w))
			for i, w := range p.w {
				want[i] = reference{solver: name, rate: rate, o: o, w: float64(w), product: 1}
			}
			path := make([]float64, len(p.w)) // how far each weight has gone, back and forth
			steps := rapid.IntRange(1, 60).Draw(t, "steps")
			for range steps {
				drawGradient(t, p.g)
				mustStep(t, s, p)
				for i := range want {
					before := want[i].w
					want[i].update(float64(p.g[i]))
					path[i] += math.Abs(want[i].w - before)
				}
			}
			for i := range want {
				// Each step rounds the weight once, by at most half of 2⁻²³ of its largest size. The step itself is wrong by a
				// few more such units.
				tolerance := 0x1p-24 * (float64(steps)*(2+path[i]) + 64*path[i])
				if !(math.Abs(float64(p.w[i])-want[i].w) <= tolerance) {
					t.Fatalf("w[%d] after %d steps: got %v, want %v ± %.2g", i, steps, p.w[i], want[i].w, tolerance)
				}
			}
		}))
	}
}

// Each solver finds the minimum of ½·Σ a·(w−c)², whose curvatures a differ a hundredfold, under a falling learning rate.
func TestConvergesOnQuadratic(t *testing.T) {
	rates := map[string]float64{
		"sgd": 0.1, "momentum": 0.02, "nesterov": 0.02, "rmsprop": 0.05, "adagrad": 0.5, "adam": 0.1, "adamw": 0.1, "nadam": 0.1,
	}
	curvature, centre := []float64{0.1, 1, 10}, []float64{1, -2, 0.5}
	for _, name := range referenced {
		t.Run(name, func(t *testing.T) {
			s := mustNew(t, name, rates[name], func(o *Options) { o.WeightDecay = 0 })
			p := newParameter("w", 0, 0, 0)
			for step := range 3000 {
				if err := s.SetLearningRate(rates[name] / (1 + float64(step)/300)); err != nil {
					t.Fatal(err)
				}
				for i, w := range p.w {
					p.g[i] = float32(curvature[i] * (float64(w) - centre[i]))
				}
				mustStep(t, s, p)
			}
			for i, w := range p.w {
				if off := math.Abs(float64(w) - centre[i]); off > 0.01 {
					t.Errorf("w[%d] = %v, the minimum is at %v", i, w, centre[i])
				}
			}
		})
	}
}

// The order of the parameters does not matter, nor do other parameters in the same step.
func TestParametersAreIndependent(t *testing.T) {
	for _, name := range Names() {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			rate, o := drawOptions(t, name)
			names := []string{"upper.weight", "upper.bias", "lower.0.norm.alpha"}
			var together, alone []*testParameter
			var single []Solver
			all, err := New(name, rate, o)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				w := drawWeights(t, n)
				together = append(together, newParameter(n, append([]float32(nil), w...)...))
				alone = append(alone, newParameter(n, w...))
				s, err := New(name, rate, o)
				if err != nil {
					t.Fatal(err)
				}
				single = append(single, s)
			}
			for range 4 {
				for i, p := range together {
					drawGradient(t, p.g)
					copy(alone[i].g, p.g)
					mustStep(t, single[i], alone[i])
				}
				var values []gorgonia.ValueGrad
				for _, i := range rapid.Permutation([]int{0, 1, 2}).Draw(t, "order") {
					values = append(values, together[i])
				}
				mustStep(t, all, values...)
			}
			for i, n := range names {
				equalBits(t, n, together[i].w, alone[i].w)
			}
		}))
	}
}

func equalBits(t rapid.TB, what string, got, want []float32) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	for i := range got {
		if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
			t.Fatalf("%s[%d]: got %v, want %v", what, i, got[i], want[i])
		}
	}
}

func TestLearningRateActsAtOnce(t *testing.T) {
	for _, name := range Names() {
		s := mustNew(t, name, 0.1, nil)
		p := newParameter("w", 1)
		p.g[0] = 1
		mustStep(t, s, p)
		if p.w[0] >= 1 {
			t.Errorf("%s: a step against the gradient went from 1 to %v", name, p.w[0])
		}
		if err := s.SetLearningRate(0); err != nil || s.LearningRate() != 0 {
			t.Errorf("%s: learning rate %v after SetLearningRate(0): %v", name, s.LearningRate(), err)
		}
		before := p.w[0]
		mustStep(t, s, p)
		if p.w[0] != before {
			t.Errorf("%s: moved by %v at a learning rate of 0", name, p.w[0]-before)
		}
	}
}

// decayed is how far a parameter of value 1 without a gradient moves in one step.
func decayed(t *testing.T, solver string, v gorgonia.ValueGrad, change func(*Options)) float32 {
	t.Helper()
	mustStep(t, mustNew(t, solver, 0.5, change), v)
	return 1 - v.Value().Data().([]float32)[0]
}

// silent is a parameter that doesn't say whether it decays.
type silent struct {
	gorgonia.ValueGrad
	gorgonia.Namer
}

// decoupled says whether a solver has decoupled weight decay, as adamw does. Then parameters may be left out of the decay.
func decoupled(t *testing.T, name string) bool {
	t.Helper()
	if p, ok := mustNew(t, name, 0.5, nil).(*pair); ok {
		return p.others.rule.decoupled
	}
	return mustNew(t, name, 0.5, nil).(*solver).rule.decoupled
}

// A parameter itself says whether it decays; its name says nothing.
func TestWeightDecay(t *testing.T) {
	decay := func(o *Options) { o.WeightDecay = 0.25 }
	decayAll := func(o *Options) { o.WeightDecay, o.DecayAll = 0.25, true }
	weight := func() gorgonia.ValueGrad { return newParameter("upper.bias", 1) }
	silentWeight := func() gorgonia.ValueGrad { p := newParameter("upper.bias", 1); return silent{p, p} }
	bias := func() gorgonia.ValueGrad { p := newParameter("upper.weight", 1); p.fixed = true; return p }
	for i, parameter := range []func() gorgonia.ValueGrad{weight, silentWeight, bias} {
		for _, solver := range Names() {
			if decayed(t, solver, parameter(), decayAll) == 0 {
				t.Errorf("%s does not decay parameter %d with DecayAll", solver, i)
			}
			if decoupled(t, solver) {
				continue
			}
			if decayed(t, solver, parameter(), decay) == 0 {
				t.Errorf("%s does not decay parameter %d", solver, i)
			}
			if decayed(t, solver, parameter(), nil) != 0 {
				t.Errorf("%s decays parameter %d unasked", solver, i)
			}
		}
	}
	for want, parameter := range map[float32]func() gorgonia.ValueGrad{0.5 * 0.25: weight, 0: bias} {
		if got := decayed(t, "adamw", parameter(), decay); got != want {
			t.Errorf("adamw decays a parameter by %v, expected %v", got, want)
		}
	}
}

// A state is restored before the solver has seen a parameter; whether it decays is asked at the step.
func TestWeightDecayAfterSetState(t *testing.T) {
	zeros := map[string][]float32{"w": {0}, "b": {0}}
	s := mustNew(t, "adamw", 0.5, func(o *Options) { o.WeightDecay = 0.25 })
	if err := s.SetState(State{Steps: 3, Slots: map[string]map[string][]float32{"m": zeros, "v": zeros}}); err != nil {
		t.Fatal(err)
	}
	w, b := newParameter("w", 1), newParameter("b", 1)
	b.fixed = true
	mustStep(t, s, w, b)
	if w.w[0] != 1-0.5*0.25 || b.w[0] != 1 {
		t.Errorf("expected %v and 1, found %v and %v", 1-0.5*0.25, w.w[0], b.w[0])
	}
}

func TestStepAllocatesNothing(t *testing.T) {
	for _, name := range Names() {
		s := mustNew(t, name, 0.001, nil)
		var values []gorgonia.ValueGrad
		for i := range 4 {
			values = append(values, newParameter(fmt.Sprintf("lower.%d.weight", i), 1, 2, 3))
		}
		mustStep(t, s, values...)
		if n := testing.AllocsPerRun(20, func() { mustStep(t, s, values...) }); n != 0 {
			t.Errorf("%s: %v allocations a step", name, n)
		}
	}
}
