package kernel

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// activationFormulas are the activations with their textbook formulas. kink says whether the derivative jumps at 0.
var activationFormulas = []struct {
	name string
	Activation
	f    func(x float64) float64
	kink bool
}{
	{"relu", ReLU, func(x float64) float64 { return math.Max(0, x) }, true},
	{"gelu", GELU, func(x float64) float64 { return x * (1 + math.Erf(x/math.Sqrt2)) / 2 }, false},
	{"tanh", Tanh, func(x float64) float64 { return (math.Exp(2*x) - 1) / (math.Exp(2*x) + 1) }, false},
	{"elu", ELU, func(x float64) float64 {
		if x < 0 {
			return math.Exp(x) - 1
		}
		return x
	}, false},
	{"selu", SELU, func(x float64) float64 {
		if x < 0 {
			return 1.0507009873554805 * 1.6732632423543772 * (math.Exp(x) - 1)
		}
		return 1.0507009873554805 * x
	}, true},
}

func TestActivationsAgainstFloat64(t *testing.T) {
	for _, a := range activationFormulas {
		t.Run(a.name, rapid.MakeCheck(func(t *rapid.T) {
			x := rapid.SliceOf(rapid.Float32Range(-12, 12)).Draw(t, "x")
			dy := normals(rapid.Uint64().Draw(t, "seed"), len(x), 0, 1)
			y, dx := nans(len(x)), nans(len(x))
			a.Forward(y, x)
			a.Backward(dx, dy, x, y)
			for i, v := range x {
				want := a.f(float64(v))
				within(t, "y", i, float64(y[i]), want, 1e-7*(1e-6+math.Abs(want)))
				const h = 1e-5 // a kink of the slope at 0, as in ELU, gives an error of h/4
				if a.kink && math.Abs(float64(v)) < h {
					continue
				}
				slope := (a.f(float64(v)+h) - a.f(float64(v)-h)) / (2 * h)
				within(t, "dx", i, float64(dx[i]), float64(dy[i])*slope, 4e-6*(1+math.Abs(float64(dy[i]))))
			}
		}))
	}
}

// The derivative of ReLU at 0 is defined as 0, as usual, for both signs of the zero.
func TestReLUAtZero(t *testing.T) {
	x := []float32{0, float32(math.Copysign(0, -1)), math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32}
	y, dx := nans(4), nans(4)
	ReLU.Forward(y, x)
	ReLU.Backward(dx, []float32{2, 2, 2, 2}, x, y)
	for i, want := range []float32{0, 0, 2, 0} {
		if dx[i] != want {
			t.Errorf("x = %v: expected dx = %v, found %v", x[i], want, dx[i])
		}
	}
}

func TestActivationsKeepNaN(t *testing.T) {
	for _, a := range activationFormulas {
		y := make([]float32, 3)
		a.Forward(y, []float32{1, float32(math.NaN()), -1})
		if !AllFinite(y[:1]) || y[1] == y[1] || !AllFinite(y[2:]) {
			t.Errorf("%s: expected a NaN in the middle alone, found %v", a.name, y)
		}
	}
}

func TestActivationsOfExtremeValues(t *testing.T) {
	x := []float32{-3e38, -1e4, -104, -88, -40, -1e-40, 1e-40, 40, 88, 104, 1e4, 3e38}
	for _, a := range activationFormulas {
		y, dx, ones := nans(len(x)), nans(len(x)), make([]float32, len(x))
		for i := range ones {
			ones[i] = 1
		}
		a.Forward(y, x)
		a.Backward(dx, ones, x, y)
		if !AllFinite(y) || !AllFinite(dx) {
			t.Errorf("%s of %v: expected finite values, found %v with derivative %v", a.name, x, y, dx)
		}
	}
}
