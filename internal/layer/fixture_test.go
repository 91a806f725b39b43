package layer_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
)

// normal is a tensor of normal values, a function of the seed.
func normal(seed uint64, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 11))
	values := make([]float32, tensor.Shape(shape).TotalSize())
	for i := range values {
		values[i] = float32(r.NormFloat64())
	}
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

func labelsOf(labels ...int32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(labels)), tensor.WithBacking(labels))
}

// static is the result of a problem on the static executor. The test fails on an error.
func static(t rapid.TB, p *gradcheck.Problem) *gradcheck.Result {
	t.Helper()
	r, err := p.Static()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// checkGradients compares the problem's gradients with central differences. The tolerance is relative to the largest entry of each
// gradient, plus the error of a difference from rounding y to float32, plus its error from the size of the step: twice what half the
// step changes. Where an entry is a sum whose terms cancel, that error is large beside the entry. It also compares them with the LispMachine's gradients, which
// must have the same bits because the functions are the same: that checks the wiring.
func checkGradients(t rapid.TB, p *gradcheck.Problem, step, tolerance float64) {
	t.Helper()
	symbolic := static(t, p)
	lisp, err := p.Lisp()
	if err != nil {
		t.Fatal(err)
	}
	if !sameBits(symbolic.Y, lisp.Y) {
		t.Errorf("y: Static has %v, the LispMachine %v", symbolic.Y, lisp.Y)
	}
	differences, err := p.FiniteDifferences(step)
	if err != nil {
		t.Fatal(err)
	}
	halved, err := p.FiniteDifferences(step / 2)
	if err != nil {
		t.Fatal(err)
	}
	rounding := 1e-6 / step
	for _, v := range p.DY {
		rounding = max(rounding, 1e-6/step*math.Abs(float64(v)))
	}
	for i, got := range symbolic.Gradients {
		if !sameNumbers(got, lisp.Gradients[i]) {
			t.Errorf("gradient %d: Static has %v, the LispMachine %v", i, got, lisp.Gradients[i])
		}
		if len(got) != len(differences[i]) {
			t.Fatalf("gradient %d: expected %d values, found %d", i, len(differences[i]), len(got))
		}
		var largest float64
		for _, v := range differences[i] {
			largest = max(largest, math.Abs(v))
		}
		for j, v := range got {
			curvature := 2 * math.Abs(differences[i][j]-halved[i][j])
			if !(math.Abs(float64(v)-differences[i][j]) <= tolerance*largest+rounding+curvature) {
				t.Errorf("gradient %d, entry %d: expected %v from differences, found %v", i, j, differences[i][j], v)
			}
		}
	}
}

// sameNumbers is sameBits, except that -0 equals 0: the LispMachine adds each gradient to 0.
func sameNumbers(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return x == y || math.Float32bits(x) == math.Float32bits(y) })
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
