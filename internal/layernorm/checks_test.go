package layernorm_test

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"fmtrain/internal/layernorm"
)

// checkAll runs the checks on golden files.
func checkAll(t *testing.T, files ...*layernorm.Golden) []layernorm.Check {
	t.Helper()
	checks, err := layernorm.CheckAll(files)
	if err != nil {
		t.Fatal(err)
	}
	return checks
}

// find is the check with this name against this reference.
func find(t *testing.T, checks []layernorm.Check, name, against string) layernorm.Check {
	t.Helper()
	for _, c := range checks {
		if c.Name == name && c.Against == against {
			return c
		}
	}
	t.Fatalf("expected a check %q against %q, found none in %v", name, against, checks)
	return layernorm.Check{}
}

func TestChecksPass(t *testing.T) {
	checks := checkAll(t, golden(t, kerasFile), golden(t, torchFile))
	for _, c := range checks {
		if !c.Passed || !(c.Error <= c.Tolerance) || c.Values == 0 {
			t.Errorf("expected it to pass, found %+v", c)
		}
	}
	values, parameters := 0, 0
	for _, c := range golden(t, torchFile).Cases {
		values += len(c.X)
		parameters += len(c.Alpha) + len(c.Beta)
	}
	for _, want := range []struct {
		name, against string
		values        int
		tolerance     float64 // at most; 0 if none is allowed
	}{
		{"keras forward", kerasFile, values, math.Inf(1)},
		{"keras mean error", kerasFile, 0, 4e-8},
		{"keras forward, far rows", kerasFile, 0, 2e-4},
		{"book forward", torchFile, values, math.Inf(1)},
		{"keras forward", torchFile, values, math.Inf(1)},
		{"book gradients", torchFile, values + parameters, 1e-5},
		{"keras gradients", torchFile, values + parameters, 1e-5},
		{"book forward, hard rows", "float64 reference", 0, math.Inf(1)},
		{"keras forward, hard rows", "float64 reference", 0, math.Inf(1)},
		{"book gradients, hard rows", "float64 reference", 0, 1e-5},
		{"keras gradients, hard rows", "float64 reference", 0, 1e-5},
		{"book forward, gradients", "Gorgonia's own nodes", 0, 1e-5},
		{"keras forward, gradients", "Gorgonia's own nodes", 0, 1e-5},
		{"book gradients", "finite differences", 0, 1e-3},
		{"keras gradients", "finite differences", 0, 1e-3},
		{"book forward, gradients", "Gorgonia's LispMachine", 0, 0},
		{"keras forward, gradients", "Gorgonia's LispMachine", 0, 0},
	} {
		c := find(t, checks, want.name, want.against)
		if want.values > 0 && c.Values != want.values {
			t.Errorf("%s against %s: expected %d values, found %d", want.name, want.against, want.values, c.Values)
		}
		if c.Tolerance > want.tolerance {
			t.Errorf("%s against %s: expected a tolerance of at most %v, found %v", want.name, want.against, want.tolerance, c.Tolerance)
		}
	}
	if len(checks) != 17 {
		t.Errorf("expected 17 checks, found %d", len(checks))
	}
}

// move is a value of a golden file that the test moves away from the op's own result, in each form of LayerNorm in the file.
type move struct {
	what, check, file string // check without the form that its name begins with
	forms             []layernorm.Form
	number            int // of the case
	// values are the reference that is moved, the op's own result, and the tolerance.
	values func(c *layernorm.GoldenCase, form layernorm.Form) (reference []float64, own []float32, tolerance float64)
}

// movedValue is which value of its kind is moved: not the largest, which sets the tolerance.
const movedValue = 4

// moves has one move for each kind of value. Case 1, of shape [4,10], has a largest |y| below 4, where 1e-6 is the larger of the forward
// tolerances. Case 4, of shape [32,100], has it above 4, where 4 ULPs are larger. Case 7 has rows far from zero, where the tolerance
// includes the rounding of Keras's own float32.
func moves(t *testing.T) []move {
	keras := func(c *layernorm.GoldenCase, form layernorm.Form) ([]float64, []float32, float64) {
		mean, sigma := moments(c.X[:len(c.Alpha)])
		conditioning := math.Abs(mean) / math.Sqrt(sigma*sigma+c.Epsilon)
		return c.Y, evaluate(t, ofCase(c, form)).Y, allowed(c.Y) + 4*0x1p-24*conditioning*math.Abs(float64(c.Alpha[movedValue]))
	}
	forward := func(c *layernorm.GoldenCase, form layernorm.Form) ([]float64, []float32, float64) {
		y := truth(c, form).Y
		return y, evaluate(t, ofCase(c, form)).Y, allowed(y)
	}
	all := []move{
		{"y", " forward", kerasFile, []layernorm.Form{layernorm.Keras}, 1, keras},
		{"y", " forward", kerasFile, []layernorm.Form{layernorm.Keras}, 7, keras},
		{"y", " forward", torchFile, forms, 1, forward},
		{"y", " forward", torchFile, forms, 4, forward},
	}
	for i, what := range []string{"dx", "dalpha", "dbeta"} {
		all = append(all, move{what, " gradients", torchFile, forms, 1, func(c *layernorm.GoldenCase, form layernorm.Form) ([]float64, []float32, float64) {
			w := truth(c, form)
			d := [][]float64{w.DX, w.DAlpha, w.DBeta}[i]
			return d, evaluate(t, ofCase(c, form)).Gradients[i], 1e-5 * largest(d)
		}})
	}
	return all
}

// The tolerances of the golden checks are the specified ones, no looser and no tighter: a reference that is 0.99 of the tolerance away
// from the op's own result passes, and one that is 1.01 of it away fails.
func TestCheckTolerances(t *testing.T) {
	for _, m := range moves(t) {
		t.Run(fmt.Sprintf("%s of case %d of %s", m.what, m.number+1, m.file), func(t *testing.T) {
			for _, share := range []float64{0.99, -1.01} {
				g := golden(t, m.file, m.number)
				for _, form := range m.forms {
					reference, own, tolerance := m.values(&g.Cases[0], form)
					reference[movedValue] = float64(own[movedValue]) + share*tolerance
				}
				checks := checkAll(t, g)
				for _, form := range m.forms {
					c := find(t, checks, string(form)+m.check, m.file)
					if want := math.Abs(share) < 1; c.Passed != want {
						t.Errorf("moved by %v of the tolerance: expected passed = %v, found %+v", share, want, c)
					}
				}
			}
		})
	}
	low, high := allowed(golden(t, torchFile, 1).Cases[0].Sigma.Y), allowed(golden(t, torchFile, 4).Cases[0].Sigma.Y)
	if low != 1e-6 || high <= 1e-6 {
		t.Errorf("expected the tolerances 1e-6 and more, found %v and %v", low, high)
	}
}

// The book's mean error is over all rows except the far ones.
func TestCheckOfTheMeanError(t *testing.T) {
	g := golden(t, kerasFile)
	before := find(t, checkAll(t, g), "keras mean error", kerasFile)
	count := float64(before.Values)
	for _, share := range []float64{0.99, 1.01} {
		g = golden(t, kerasFile)
		c := &g.Cases[4]
		own := float64(evaluate(t, ofCase(c, layernorm.Keras)).Y[0])
		known := math.Abs(c.Y[0] - own)
		c.Y[0] = own + known + (share*4e-8-before.Error)*count
		after := find(t, checkAll(t, g), "keras mean error", kerasFile)
		if want := share < 1; after.Passed != want {
			t.Errorf("at %v of the book's figure: expected passed = %v, found %+v", share, want, after)
		}
	}
}

// asKeras is y of a case as Keras computes it in float32: the mean and the variance are rounded, and then
// y = x·(α/s) + (β − μ·(α/s)).
func asKeras(c *layernorm.GoldenCase) []float64 {
	n := len(c.Alpha)
	y := make([]float64, len(c.X))
	for at := 0; at < len(c.X); at += n {
		row := c.X[at : at+n]
		mean, sigma := moments(row)
		mu, variance := float32(mean), float32(sigma*sigma)
		inverse := float32(1 / math.Sqrt(float64(variance+float32(c.Epsilon))))
		for j, x := range row {
			factor := inverse * c.Alpha[j]
			y[at+j] = float64(float32(x*factor) + (c.Beta[j] - float32(mu*factor)))
		}
	}
	return y
}

// farCase is a case of rows around mu, whose |μ|/s is the conditioning, with α and β times the scale.
func farCase(mu, conditioning, scale float64) layernorm.GoldenCase {
	const rows, features, epsilon = 4, 513, 1e-3
	s := mu / conditioning
	sigma := math.Sqrt(s*s - epsilon)
	backing := func(seed uint64, mean, sigma float64, shape ...int) []float32 {
		return normal(seed, mean, sigma, shape...).Data().([]float32)
	}
	return layernorm.GoldenCase{
		Shape: []int{rows, features}, Epsilon: epsilon,
		X:     backing(1, mu, sigma, rows, features),
		Alpha: backing(2, scale, 0.3*scale, features),
		Beta:  backing(3, 0, 0.3*scale, features),
	}
}

// The allowed mean error grows with |μ|/s and with |y|, because the rounding of the reference does. A reference whose entries are all
// slightly wrong still fails, and so does one in the other form.
func TestMeanErrorOfRowsFarFromZero(t *testing.T) {
	for _, at := range []struct{ mu, conditioning, scale float64 }{
		{3, 90, 1}, {3, 40, 1}, {3.9, 99, 1}, {1.01, 1, 1}, {3, 1, 1}, {1.5, 5, 1}, {3, 2, 100}, {3, 90, 100}, {0.01, 0.1, 1000},
	} {
		c := farCase(at.mu, at.conditioning, at.scale)
		c.Y = asKeras(&c)
		g := &layernorm.Golden{Name: "far.json", EpsilonForm: "variance", Cases: []layernorm.GoldenCase{c}}
		right := find(t, checkAll(t, g), "keras mean error", g.Name)
		if !right.Passed {
			t.Errorf("%+v: expected it to pass, found %+v", at, right)
		}
		if limit := 4e-8 * max(1, 2*at.scale, 2*at.scale*at.conditioning); right.Tolerance > limit {
			t.Errorf("%+v: expected a tolerance of at most %v, found %v", at, limit, right.Tolerance)
		}
		for i := range c.Y {
			c.Y[i] += 3 * right.Tolerance
		}
		if wrong := find(t, checkAll(t, g), "keras mean error", g.Name); wrong.Passed {
			t.Errorf("%+v: expected a shifted reference to fail, found %+v", at, wrong)
		}
		g.Cases[0].Y = layernorm.Reference(c.X, c.Alpha, c.Beta, make([]float32, len(c.X)), layernorm.Book, c.Epsilon).Y
		if wrong := find(t, checkAll(t, g), "keras mean error", g.Name); wrong.Passed {
			t.Errorf("%+v: expected a reference in the book's form to fail, found %+v", at, wrong)
		}
	}
}

// On far rows the op's error may be as large as that of Keras, but not larger: it fails against a Keras that is slightly more exact.
func TestCheckOfFarRows(t *testing.T) {
	for _, share := range []float64{0.99, 1.01} {
		torch, keras := golden(t, torchFile), golden(t, kerasFile)
		for i := range torch.Cases {
			c := &torch.Cases[i]
			want, got, n := c.Variance.Y, evaluate(t, ofCase(c, layernorm.Keras)).Y, len(c.Alpha)
			copy(keras.Cases[i].Y, want)
			for at := 0; at < len(got); at += n {
				var most float64
				for j := at; j < at+n; j++ {
					most = max(most, math.Abs(float64(got[j])-want[j]))
				}
				keras.Cases[i].Y[at] = want[at] + share*most
			}
		}
		c := find(t, checkAll(t, torch, keras), "keras forward, far rows", kerasFile)
		if want := share > 1; c.Passed != want {
			t.Errorf("Keras at %v of the op's error: expected passed = %v, found %+v", share, want, c)
		}
	}
}

// A NaN fails its check, whether the op or the reference has it, and the result can be printed as JSON.
func TestChecksOfNonFiniteValues(t *testing.T) {
	corrupt := map[string]func(c *layernorm.GoldenCase, v float64){
		"x":     func(c *layernorm.GoldenCase, v float64) { c.X[3] = float32(v) },
		"alpha": func(c *layernorm.GoldenCase, v float64) { c.Alpha[3] = float32(v) },
		"y":     func(c *layernorm.GoldenCase, v float64) { c.Sigma.Y[3] = v },
		"dx":    func(c *layernorm.GoldenCase, v float64) { c.Sigma.DX[3] = v },
	}
	for what, set := range corrupt {
		for _, v := range []float64{math.NaN(), math.Inf(1)} {
			if math.IsInf(v, 1) && (what == "y" || what == "dx") {
				continue // a reference has no infinities: JSON cannot hold them
			}
			t.Run(fmt.Sprint(what, v), func(t *testing.T) {
				g := golden(t, torchFile, 1)
				set(&g.Cases[0], v)
				checks := checkAll(t, g)
				name := "book forward"
				if what == "dx" {
					name = "book gradients"
				}
				if c := find(t, checks, name, torchFile); c.Passed {
					t.Errorf("expected it to fail, found %+v", c)
				}
				if _, err := json.Marshal(checks); err != nil {
					t.Error(err)
				}
				if !slices.ContainsFunc(checks, func(c layernorm.Check) bool { return c.Against == "float64 reference" && c.Passed }) {
					t.Error("expected the checks without the file to pass still")
				}
			})
		}
	}
}

// The reference of the hard rows shares no code with the op; it is itself checked against PyTorch.
func TestReferenceAgainstTorch(t *testing.T) {
	for i, c := range golden(t, torchFile).Cases {
		for _, form := range forms {
			got, want := layernorm.Reference(c.X, c.Alpha, c.Beta, c.DY, form, c.Epsilon), truth(&c, form)
			for k, pair := range [][2][]float64{{got.Y, want.Y}, {got.DX, want.DX}, {got.DAlpha, want.DAlpha}, {got.DBeta, want.DBeta}} {
				tolerance := 1e-10 * max(1, largest(pair[1]))
				for j, v := range pair[0] {
					if !(math.Abs(v-pair[1][j]) <= tolerance) {
						t.Errorf("case %d, %s, result %d, entry %d: expected %v, found %v", i+1, form, k, j, pair[1][j], v)
					}
				}
			}
		}
	}
}
