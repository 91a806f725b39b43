package layernorm_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

func TestGradientsByDifferences(t *testing.T) {
	for _, form := range forms {
		for _, shape := range [][]int{{8}, {3, 8}, {2, 3, 5}, {2, 2, 3, 4}} {
			t.Run(fmt.Sprint(form, shape), func(t *testing.T) {
				p := normalProblem(form, 3, 0.5, 1, shape...)
				got := evaluate(t, p)
				want, err := p.FiniteDifferences(1e-2)
				if err != nil {
					t.Fatal(err)
				}
				nearGradients(t, got.Gradients, &layernorm.Truth{DX: want[0], DAlpha: want[1], DBeta: want[2]}, 2e-3)
			})
		}
	}
}

// A tensor of any rank is treated as rows along its last axis: the same values in another shape give the same bits, on both machines.
func TestRanks(t *testing.T) {
	for _, form := range forms {
		want := evaluate(t, normalProblem(form, 7, 0, 1, 12, 5))
		for _, shape := range [][]int{{2, 6, 5}, {12, 1, 5}, {3, 2, 2, 5}, {1, 12, 1, 5}} {
			p := normalProblem(form, 7, 0, 1, shape...)
			got := evaluate(t, p)
			lisp, err := p.Lisp()
			if err != nil {
				t.Fatal(err)
			}
			if !sameBits(got.Y, want.Y) || !sameBits(lisp.Y, want.Y) {
				t.Errorf("%s %v: expected y = %v, found %v and of the LispMachine %v", form, shape, want.Y, got.Y, lisp.Y)
			}
			for i, g := range want.Gradients {
				if !sameBits(got.Gradients[i], g) || !sameBits(lisp.Gradients[i], g) {
					t.Errorf("%s %v: expected gradient %d = %v, found %v and of the LispMachine %v", form, shape, i, g, got.Gradients[i], lisp.Gradients[i])
				}
			}
		}
		vector := evaluate(t, normalProblem(form, 7, 0, 1, 5))
		row := evaluate(t, normalProblem(form, 7, 0, 1, 1, 5))
		if !sameBits(vector.Y, row.Y) || !sameBits(vector.Gradients[0], row.Gradients[0]) {
			t.Errorf("%s: expected a vector to be a matrix of one row", form)
		}
	}
}

// A single vector can't be split. The op after it can be split, and waits for the whole vector.
func TestVectorOnSeveralThreads(t *testing.T) {
	crew := team.New(4)
	defer crew.Close()
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]float32{1, 2, 3, 4, 5})), gorgonia.WithName("x"))
	alpha := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]float32{1, 1, 1, 1, 1})), gorgonia.WithName("alpha"))
	beta := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]float32{0, 0, 0, 0, 0})), gorgonia.WithName("beta"))
	normalised := gorgonia.Must(layernorm.Apply(x, alpha, beta, layernorm.Book, layernorm.DefaultEpsilon))
	sum := gorgonia.Must(op.Sum(normalised, x))
	machine, err := vm.NewStatic(sum)
	if err != nil {
		t.Fatal(err)
	}
	for run := range 20 {
		x.Value().Data().([]float32)[0] = float32(run) // so that the result is not the one in the buffers
		var found [2][]float32
		for i, members := range []*team.Team{crew, nil} {
			machine.UseTeam(members)
			if err := machine.RunAll(); err != nil {
				t.Fatal(err)
			}
			found[i] = slices.Clone(sum.Value().Data().([]float32))
		}
		if !sameBits(found[0], found[1]) {
			t.Errorf("run %d: expected %v, found %v", run, found[1], found[0])
		}
	}
}

// On rows that a careless LayerNorm gets wrong, the results are finite and within the tolerances of ordinary rows.
func TestHardRows(t *testing.T) {
	for _, form := range forms {
		for _, row := range []struct{ mean, sigma float64 }{{2000, 1}, {0, 1e-2}, {0, 1e4}, {-1e6, 1}, {0, 1e-20}, {3, 0}, {0, 0}} {
			for _, features := range []int{1, 2, 10, 300} {
				t.Run(fmt.Sprint(form, row, features), func(t *testing.T) {
					p := normalProblem(form, 9, row.mean, row.sigma, 3, features)
					got := evaluate(t, p)
					x, alpha, beta := p.Inputs[0].Float32s(), p.Inputs[1].Float32s(), p.Inputs[2].Float32s()
					want := layernorm.Reference(x, alpha, beta, p.DY, form, layernorm.DefaultEpsilon)
					near(t, "y", got.Y, want.Y, allowed(want.Y))
					nearGradients(t, got.Gradients, want, 1e-5)
					for i, v := range got.Y {
						if (row.sigma == 0 || features == 1) && v != beta[i%features] {
							t.Errorf("y[%d] of a constant row: expected beta = %v, found %v", i, beta[i%features], v)
						}
					}
				})
			}
		}
	}
}

// The book's derivative on a constant row: that of σ is defined as 0, which leaves (g − mean(g))/ε.
func TestConstantRowGradient(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		value, seed := rapid.Float64Range(-1e3, 1e3).Draw(t, "value"), rapid.Uint64().Draw(t, "seed")
		p := normalProblem(layernorm.Book, seed, value, 0, 1, n)
		got := evaluate(t, p).Gradients[0]
		alpha := p.Inputs[1].Float32s()
		var mean float64
		for j := range n {
			mean += float64(alpha[j]) * float64(p.DY[j]) / float64(n)
		}
		for j := range n {
			want := (float64(alpha[j])*float64(p.DY[j]) - mean) / layernorm.DefaultEpsilon
			if !(math.Abs(float64(got[j])-want) <= 1e-6*(1+math.Abs(want))) {
				t.Fatalf("dx[%d]: expected %v, found %v", j, want, got[j])
			}
		}
	})
}

// An input that is used twice gets both gradients: y(x) + y(x) has twice the gradient of y(x).
func TestSharedInput(t *testing.T) {
	once := normalProblem(layernorm.Book, 5, 0, 1, 4, 6)
	twice := normalProblem(layernorm.Book, 5, 0, 1, 4, 6)
	build := twice.Build
	twice.Build = func(n gorgonia.Nodes) (*gorgonia.Node, error) {
		a, err := build(n)
		if err != nil {
			return nil, err
		}
		b, err := build(n)
		if err != nil {
			return nil, err
		}
		return gorgonia.Add(a, b)
	}
	single, double := evaluate(t, once), evaluate(t, twice)
	for i, g := range single.Gradients {
		for j, v := range g {
			if double.Gradients[i][j] != 2*v {
				t.Errorf("gradient %d, entry %d: expected %v, found %v", i, j, 2*v, double.Gradients[i][j])
			}
		}
	}
}

func TestApplyRefuses(t *testing.T) {
	float64s := func(shape ...int) *tensor.Dense {
		return tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(shape...))
	}
	x, v := normal(0, 0, 1, 2, 3), normal(0, 0, 1, 3)
	for _, test := range []struct {
		what           string
		x, alpha, beta any
		form           layernorm.Form
		epsilon        float64
		parts          []string
	}{
		{"a float64 input", float64s(2, 3), v, v, layernorm.Book, 1e-3, []string{"float32 input", "float64"}},
		{"a float64 alpha", x, float64s(3), v, layernorm.Book, 1e-3, []string{"float32 alpha", "float64"}},
		{"a float64 beta", x, v, float64s(3), layernorm.Keras, 1e-3, []string{"float32 beta", "float64"}},
		{"a scalar input", float32(1), v, v, layernorm.Book, 1e-3, []string{"rank 1 or more", "scalar"}},
		{"a long alpha", x, normal(0, 0, 1, 4), v, layernorm.Book, 1e-3, []string{"shape (3)", "(2, 3)", "found (4) and (3)"}},
		{"a short beta", x, v, normal(0, 0, 1, 2), layernorm.Book, 1e-3, []string{"found (3) and (2)"}},
		{"a column for alpha", x, normal(0, 0, 1, 3, 1), v, layernorm.Book, 1e-3, []string{"found (3, 1) and (3)"}},
		{"a scalar beta", x, v, float32(1), layernorm.Book, 1e-3, []string{"found (3) and ()"}},
		{"no form", x, v, v, "", 1e-3, []string{`"book" or "keras"`, `found ""`}},
		{"another form", x, v, v, "none", 1e-3, []string{`found "none"`}},
		{"epsilon 0", x, v, v, layernorm.Book, 0, []string{"positive, finite epsilon", "found 0"}},
		{"a negative epsilon", x, v, v, layernorm.Book, -1, []string{"found -1"}},
		{"an infinite epsilon", x, v, v, layernorm.Keras, math.Inf(1), []string{"found +Inf"}},
		{"epsilon NaN", x, v, v, layernorm.Keras, math.NaN(), []string{"found NaN"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			g := gorgonia.NewGraph()
			node := func(name string, v any) *gorgonia.Node {
				return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name))
			}
			_, err := layernorm.Apply(node("x", test.x), node("alpha", test.alpha), node("beta", test.beta), test.form, test.epsilon)
			wantError(t, err, append(test.parts, "layernorm: expected")...)
		})
	}
}
