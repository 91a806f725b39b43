package layernorm_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layernorm"
)

var forms = []layernorm.Form{layernorm.Book, layernorm.Keras}

// normal is a tensor of values of N(mean, sigma), a function of the seed.
func normal(seed uint64, mean, sigma float64, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 2016))
	values := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range values {
		values[i] = float32(mean + sigma*r.NormFloat64())
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

// problem is LayerNorm of x with α and β, differentiated for dy.
func problem(form layernorm.Form, epsilon float64, x, alpha, beta *tensor.Dense, dy []float32) *gradcheck.Problem {
	return &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			return layernorm.Apply(n[0], n[1], n[2], form, epsilon)
		},
		Inputs: []*tensor.Dense{x, alpha, beta},
		DY:     dy,
	}
}

// normalProblem is LayerNorm of normal values of a shape, with α and β around 1 and 0.
func normalProblem(form layernorm.Form, seed uint64, mean, sigma float64, shape ...int) *gradcheck.Problem {
	n := shape[len(shape)-1]
	return problem(form, layernorm.DefaultEpsilon, normal(seed, mean, sigma, shape...),
		normal(seed+1, 1, 0.5, n), normal(seed+2, 0, 0.5, n), normal(seed+3, 0, 1, shape...).Float32s())
}

// evaluate is the result of a problem on the static executor.
func evaluate(t rapid.TB, p *gradcheck.Problem) *gradcheck.Result {
	t.Helper()
	r, err := p.Static()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const (
	torchFile = "layernorm_torch.json" // float64 truth
	kerasFile = "layernorm_keras.json" // Keras's float32 output
)

// goldenFiles are the embedded golden files, read once.
var goldenFiles = sync.OnceValues(func() (map[string]*layernorm.Golden, error) {
	files := make(map[string]*layernorm.Golden)
	for _, name := range []string{torchFile, kerasFile} {
		text, err := os.ReadFile(filepath.Join("..", "..", "testdata", "golden", name))
		if err != nil {
			return nil, err
		}
		if files[name], err = layernorm.ReadGolden(name, bytes.NewReader(text)); err != nil {
			return nil, err
		}
	}
	return files, nil
})

// golden is a copy of an embedded golden file, with all cases or only those with these numbers, counted from 0.
func golden(t *testing.T, name string, cases ...int) *layernorm.Golden {
	t.Helper()
	files, err := goldenFiles()
	if err != nil {
		t.Fatal(err)
	}
	g := *files[name]
	g.Cases = nil
	for i, c := range files[name].Cases {
		if len(cases) > 0 && !slices.Contains(cases, i) {
			continue
		}
		c.X, c.Alpha, c.Y = slices.Clone(c.X), slices.Clone(c.Alpha), slices.Clone(c.Y)
		c.Sigma, c.Variance = clone(c.Sigma), clone(c.Variance)
		g.Cases = append(g.Cases, c)
	}
	return &g
}

func clone(t *layernorm.Truth) *layernorm.Truth {
	if t == nil {
		return nil
	}
	return &layernorm.Truth{Y: slices.Clone(t.Y), DX: slices.Clone(t.DX), DAlpha: slices.Clone(t.DAlpha), DBeta: slices.Clone(t.DBeta)}
}

// truth has the exact values of a case of layernorm_torch.json for one form.
func truth(c *layernorm.GoldenCase, form layernorm.Form) *layernorm.Truth {
	if form == layernorm.Book {
		return c.Sigma
	}
	return c.Variance
}

// ofCase is a golden case as a problem.
func ofCase(c *layernorm.GoldenCase, form layernorm.Form) *gradcheck.Problem {
	dense := func(values []float32, shape ...int) *tensor.Dense {
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(slices.Clone(values)))
	}
	dy := c.DY
	if dy == nil {
		dy = make([]float32, len(c.X))
	}
	return problem(form, c.Epsilon, dense(c.X, c.Shape...), dense(c.Alpha, len(c.Alpha)), dense(c.Beta, len(c.Beta)), dy)
}

// near fails where |got − want| exceeds the tolerance.
func near(t rapid.TB, what string, got []float32, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: expected %d values, found %d", what, len(want), len(got))
	}
	for i, v := range got {
		if !(math.Abs(float64(v)-want[i]) <= tolerance) {
			t.Errorf("%s[%d]: expected %v ± %v, found %v", what, i, want[i], tolerance, v)
		}
	}
}

// nearGradients fails if the error of dx, dα or dβ, relative to its largest entry, exceeds the tolerance.
func nearGradients(t rapid.TB, got [][]float32, want *layernorm.Truth, tolerance float64) {
	t.Helper()
	near(t, "dx", got[0], want.DX, tolerance*largest(want.DX))
	near(t, "dalpha", got[1], want.DAlpha, tolerance*largest(want.DAlpha))
	near(t, "dbeta", got[2], want.DBeta, tolerance*largest(want.DBeta))
}

// largest is the largest magnitude of the values.
func largest(values []float64) (most float64) {
	for _, v := range values {
		most = max(most, math.Abs(v))
	}
	return most
}

// allowed is the specified forward tolerance of a case: 4 float32 ULPs of the largest |y|, or 1e-6. It is written here a second time so
// that a test fails if the checks use a looser one.
func allowed(y []float64) float64 {
	most := float32(largest(y))
	ulp := float64(math.Nextafter32(most, float32(math.Inf(1)))) - float64(most)
	return max(4*ulp, 1e-6)
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

func wantError(t rapid.TB, err error, parts ...string) {
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
