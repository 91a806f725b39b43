package solver

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/goldentest"
	"fmtrain/internal/team"
)

// newMatrix is a parameter of that shape.
func newMatrix(name string, shape []int, w ...float32) *testParameter {
	p := newParameter(name, w...)
	p.value = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.w))
	p.grad = tensor.New(tensor.WithShape(shape...), tensor.WithBacking(p.g))
	return p
}

// randomMatrix has normal weights and gradients.
func randomMatrix(name string, r *rand.Rand, shape ...int) *testParameter {
	p := newMatrix(name, shape, make([]float32, tensor.Shape(shape).TotalSize())...)
	for i := range p.w {
		p.w[i], p.g[i] = float32(r.NormFloat64()), float32(r.NormFloat64())
	}
	return p
}

type muonGolden struct {
	Shapes    [][]int       `json:"shapes"`
	Start     [][]float32   `json:"start"`
	Gradients [][][]float32 `json:"gradients"` // of each step, of each parameter
	Cases     []struct {
		Rate        float64     `json:"lr"`
		WeightDecay float64     `json:"weight_decay"`
		Momentum    float64     `json:"momentum"`
		After       [][]float64 `json:"after"`
	} `json:"cases"`
}

// The weights are those of the script in PyTorch, in float64.
func TestMuonGolden(t *testing.T) {
	for file, g := range goldentest.Read[muonGolden](t, "muon") {
		if len(g.Cases) == 0 {
			t.Fatalf("%s: expected cases, found none", file)
		}
		for i, c := range g.Cases {
			s := mustNew(t, "muon", c.Rate, func(o *Options) {
				o.Momentum, o.WeightDecay, o.DecayAll = c.Momentum, c.WeightDecay, true
			})
			var parameters []*testParameter
			var values []gorgonia.ValueGrad
			for j, start := range g.Start {
				p := newMatrix(fmt.Sprintf("parameter.%d", j), g.Shapes[j], slices.Clone(start)...)
				parameters, values = append(parameters, p), append(values, p)
			}
			for _, gradients := range g.Gradients {
				for j, p := range parameters {
					copy(p.g, gradients[j])
				}
				mustStep(t, s, values...)
			}
			for j, p := range parameters {
				e := relativeError(t, p.w, c.After[j])
				if !(e <= goldenTolerance) {
					t.Errorf("case %d, parameter %d: off by %.2g of its largest value, tolerance %.2g", i, j, e, goldenTolerance)
				}
				t.Logf("case %d, parameter %d: error %.2g", i, j, e)
			}
		}
	}
}

// muonReference is a matrix under muon in float64, by the formulas.
type muonReference struct {
	o             Options
	rate          float64
	rows, columns int
	w, velocity   []float64
}

func (r *muonReference) update(g []float32) {
	u := make([]float64, len(g))
	var sum float64
	for i, x := range g {
		r.velocity[i] = r.o.Momentum*r.velocity[i] + float64(x)
		u[i] = float64(x) + r.o.Momentum*r.velocity[i]
		sum += u[i] * u[i]
	}
	for i := range u {
		u[i] /= math.Sqrt(sum) + 1e-7
	}
	for range 5 {
		cube := times(times(u, transposed(u, r.rows, r.columns), r.rows, r.columns, r.rows), u, r.rows, r.rows, r.columns)
		fifth := times(times(u, transposed(u, r.rows, r.columns), r.rows, r.columns, r.rows), cube, r.rows, r.rows, r.columns)
		for i := range u {
			u[i] = 3.4445*u[i] - 4.7750*cube[i] + 2.0315*fifth[i]
		}
	}
	for i := range u {
		r.w[i] -= r.rate * (0.2*math.Sqrt(float64(max(r.rows, r.columns)))*u[i] + r.o.WeightDecay*r.w[i])
	}
}

func times(a, b []float64, m, k, n int) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for j := range n {
			for l := range k {
				c[i*n+j] += a[i*k+l] * b[l*n+j]
			}
		}
	}
	return c
}

func transposed(a []float64, rows, columns int) []float64 {
	t := make([]float64, len(a))
	for i := range rows {
		for j := range columns {
			t[j*rows+i] = a[i*columns+j]
		}
	}
	return t
}

func TestMuonAgainstFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o, _ := Defaults("muon")
		o.Momentum = rapid.SampledFrom([]float64{0, 0.5, 0.95}).Draw(t, "momentum")
		o.WeightDecay = rapid.SampledFrom([]float64{0, 0.1}).Draw(t, "weight decay")
		rate := rapid.SampledFrom([]float64{0, 1e-3, 0.02}).Draw(t, "rate")
		s, err := New("muon", rate, o)
		if err != nil {
			t.Fatal(err)
		}
		rows, columns := rapid.IntRange(1, 60).Draw(t, "rows"), rapid.IntRange(1, 60).Draw(t, "columns")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
		p := randomMatrix("w", r, rows, columns)
		want := muonReference{o, rate, rows, columns, make([]float64, len(p.w)), make([]float64, len(p.w))}
		for i, w := range p.w {
			want.w[i] = float64(w)
		}
		for range 4 {
			for i := range p.g {
				p.g[i] = float32(r.NormFloat64())
			}
			mustStep(t, s, p)
			want.update(p.g)
		}
		for i, w := range want.w {
			// An update is off by rounding errors that the five polynomials, of slope up to 3.4, magnify.
			if off := math.Abs(float64(p.w[i]) - w); !(off <= 1e-6+rate*2e-4) {
				t.Fatalf("%dx%d: w[%d] = %v, expected %v", rows, columns, i, p.w[i], w)
			}
		}
	})
}

// The singular values of an update are from 0.7 to 1.2: Σσ² and Σσ⁴ lie between the sums of those.
func TestMuonUpdateIsNearlyOrthogonal(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, shape := range [][]int{{100, 30}, {30, 100}, {3, 3, 4, 20}} {
		p := randomMatrix("w", r, shape...)
		before := slices.Clone(p.w)
		mustStep(t, mustNew(t, "muon", 1, func(o *Options) { o.WeightDecay = 0 }), p)
		columns := shape[len(shape)-1]
		rows := len(p.w) / columns
		u := make([]float64, len(p.w))
		for i := range u {
			u[i] = float64(before[i]-p.w[i]) / (0.2 * math.Sqrt(float64(max(rows, columns))))
		}
		gram := times(u, transposed(u, rows, columns), rows, columns, rows)
		var trace, squares float64
		for i := range rows {
			trace += gram[i*rows+i]
		}
		for _, x := range gram {
			squares += x * x
		}
		side := float64(min(rows, columns))
		if trace < 0.49*side || trace > 1.44*side || squares < 0.49*trace || squares > 1.44*trace {
			t.Errorf("%v: Σσ² = %.1f and Σσ⁴ = %.1f, expected from 0.49 to 1.44 and 0.24 to 2.07 times %v", shape, trace, squares, side)
		}
	}
}

// muonModel is parameters of different shapes, some large enough for a team.
func muonModel(seed uint64) (values []gorgonia.ValueGrad, parameters []*testParameter) {
	r := rand.New(rand.NewPCG(seed, 3))
	for _, shape := range [][]int{{784, 100}, {100}, {100, 130}, {3, 3, 8, 16}, {10, 3}} {
		p := randomMatrix(fmt.Sprintf("p.%v", shape), r, shape...)
		values, parameters = append(values, p), append(parameters, p)
	}
	return values, parameters
}

// The bits don't depend on the team.
func TestMuonOnTeams(t *testing.T) {
	values, want := muonModel(7)
	alone := mustNew(t, "muon", 0.02, nil)
	for range 2 {
		mustStep(t, alone, values...)
	}
	for _, size := range []int{2, 3, 7} {
		values, got := muonModel(7)
		members := team.New(size)
		s := mustNew(t, "muon", 0.02, nil)
		s.UseTeam(members)
		for range 2 {
			mustStep(t, s, values...)
		}
		members.Close()
		for i := range got {
			equalBits(t, fmt.Sprintf("team of %d: %s", size, got[i].name), got[i].w, want[i].w)
		}
	}
}

func TestMuonAllocatesNothing(t *testing.T) {
	values, _ := muonModel(7)
	members := team.New(2)
	defer members.Close()
	s := mustNew(t, "muon", 0.02, nil)
	s.UseTeam(members)
	mustStep(t, s, values...)
	if n := testing.AllocsPerRun(3, func() { mustStep(t, s, values...) }); n != 0 {
		t.Errorf("%v allocations a step", n)
	}
}

// A matrix keeps a velocity, a vector the averages of adamw. A new solver with the state continues with the same bits.
func TestMuonState(t *testing.T) {
	values, parameters := muonModel(7)
	s := mustNew(t, "muon", 0.02, nil)
	mustStep(t, s, values...)
	st := s.State()
	lengths := map[string]map[string]int{}
	for slot, of := range st.Slots {
		lengths[slot] = map[string]int{}
		for name, v := range of {
			lengths[slot][name] = len(v)
		}
	}
	want := map[string]map[string]int{
		"velocity": {"p.[784 100]": 78400, "p.[100 130]": 13000, "p.[3 3 8 16]": 1152, "p.[10 3]": 30},
		"m":        {"p.[100]": 100}, "v": {"p.[100]": 100},
	}
	if d := cmp.Diff(want, lengths); d != "" || st.Steps != 1 {
		t.Fatalf("%d steps, slots (-want +got):\n%s", st.Steps, d)
	}

	again, copies := muonModel(7)
	for i, p := range parameters {
		copy(copies[i].w, p.w)
	}
	second := mustNew(t, "muon", 0.02, nil)
	if err := second.SetState(st); err != nil {
		t.Fatal(err)
	}
	mustStep(t, s, values...)
	mustStep(t, second, again...)
	for i, p := range parameters {
		equalBits(t, p.name, copies[i].w, p.w)
	}
	if d := cmp.Diff(s.State(), second.State()); d != "" {
		t.Errorf("the states have parted (-first +second):\n%s", d)
	}
}

func TestMuonRefuses(t *testing.T) {
	matrix := map[string][]float32{"w": {1, 2}}
	for _, c := range []struct {
		name  string
		slots map[string]map[string][]float32
		want  []string
	}{
		{"unknown slot", map[string]map[string][]float32{"square": matrix}, []string{`unknown slot "square"`, "velocity, m, v"}},
		{"both", map[string]map[string][]float32{"velocity": matrix, "m": matrix, "v": matrix}, []string{"parameter w", "matrix and of a vector"}},
		{"half", map[string]map[string][]float32{"m": matrix}, []string{"slot v of parameter w is missing"}},
	} {
		s := mustNew(t, "muon", 0.1, nil)
		checkError(t, s.SetState(State{Steps: 1, Slots: c.slots}), append(c.want, "solver muon")...)
	}

	s := mustNew(t, "muon", 0.1, nil)
	checkError(t, s.Step([]gorgonia.ValueGrad{newMatrix("w", []int{1, 2}, 1, 2), newParameter("w", 1)}), "parameter w", "twice")
	vector := State{Steps: 1, Slots: map[string]map[string][]float32{"m": matrix, "v": matrix}}
	if err := s.SetState(vector); err != nil {
		t.Fatal(err)
	}
	checkError(t, s.Step([]gorgonia.ValueGrad{newMatrix("w", []int{1, 2}, 1, 2)}), "parameter w", "unknown to the solver")
}

// The momentum of muon is the matrices'.
func TestMuonMomentum(t *testing.T) {
	made := mustNew(t, "muon", 0.1, func(o *Options) { o.Momentum = 0.5 })
	set := mustNew(t, "muon", 0.1, nil)
	if err := set.SetMomentum(0.5); err != nil {
		t.Fatal(err)
	}
	a, left := muonModel(1)
	b, right := muonModel(1)
	for range 2 {
		mustStep(t, made, a...)
		mustStep(t, set, b...)
	}
	for i := range left {
		equalBits(t, left[i].name, right[i].w, left[i].w)
	}
}

// Weight decay shrinks a matrix without a gradient, unless the matrix says that it doesn't decay; a gradient of 0 moves nothing else.
func TestMuonWeightDecay(t *testing.T) {
	decay := func(o *Options) { o.WeightDecay = 0.25 }
	if got := decayed(t, "muon", newMatrix("w", []int{1, 1}, 1), decay); got != 0.5*0.25 {
		t.Errorf("a matrix decays by %v, expected %v", got, 0.5*0.25)
	}
	fixed := newMatrix("w", []int{1, 1}, 1)
	fixed.fixed = true
	if got := decayed(t, "muon", fixed, decay); got != 0 {
		t.Errorf("a matrix that doesn't decay decays by %v", got)
	}
}

// The strips of all parts are all rows, each once.
func TestStrips(t *testing.T) {
	for _, side := range []int{1, 24, 25, 100, 393} {
		for parts := 1; parts <= 5; parts++ {
			rows := make([]int, side)
			for part := range parts {
				for lo, hi := range strips(side, part, parts) {
					for i := lo; i < hi; i++ {
						rows[i]++
					}
				}
			}
			if slices.Min(rows) != 1 || slices.Max(rows) != 1 {
				t.Errorf("side %d in %d parts: the rows are computed %v times", side, parts, rows)
			}
		}
	}
}

func BenchmarkMuon(b *testing.B) {
	for _, shape := range [][]int{{784, 100}, {784, 384}, {384, 384}, {256, 256}, {100, 10}} {
		b.Run(fmt.Sprint(shape), func(b *testing.B) {
			p := randomMatrix("w", rand.New(rand.NewPCG(1, 2)), shape...)
			s := mustNew(b, "muon", 1e-3, nil)
			mustStep(b, s, p)
			for b.Loop() {
				mustStep(b, s, p)
			}
		})
	}
}
