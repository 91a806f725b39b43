package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// smoothActivations are the activations with an exponential, with their formulas and those of their derivatives in float64.
var smoothActivations = []struct {
	name string
	Activation
	f, slope func(x float64) float64
}{
	{"gelu", GELU, func(x float64) float64 { return x * math.Erfc(-x/math.Sqrt2) / 2 }, func(x float64) float64 {
		return math.Erfc(-x/math.Sqrt2)/2 + x*math.Exp(-x*x/2)/math.Sqrt(2*math.Pi)
	}},
	{"tanh", Tanh, math.Tanh, func(x float64) float64 { return 1 / (math.Cosh(x) * math.Cosh(x)) }},
	{"elu", ELU, func(x float64) float64 { return scaledELU(x, 1, 1) }, func(x float64) float64 { return scaledELUSlope(x, 1, 1) }},
	{"selu", SELU,
		func(x float64) float64 { return scaledELU(x, 1.0507009873554805, 1.6732632423543772) },
		func(x float64) float64 { return scaledELUSlope(x, 1.0507009873554805, 1.6732632423543772) }},
}

func scaledELU(x, scale, alpha float64) float64 {
	if x < 0 {
		return scale * alpha * math.Expm1(x)
	}
	return scale * x
}

func scaledELUSlope(x, scale, alpha float64) float64 {
	if x > 0 {
		return scale
	}
	return scale * alpha * math.Exp(x)
}

// everyNth calls visit with every n-th finite float32 of each sign, in blocks.
func everyNth(n uint32, visit func(x []float32)) {
	const block = 1 << 14
	x := make([]float32, 0, block)
	for bits := uint32(0); bits < 0x7f800000; bits += n {
		v := math.Float32frombits(bits)
		if x = append(x, v, -v); len(x) == block {
			visit(x)
			x = x[:0]
		}
	}
	visit(x)
}

// stride is between the float32 values that are tried: every exponent has thousands of them. It is a prime number, so the last bits
// differ.
func stride() uint32 {
	if testing.Short() {
		return 99_991
	}
	return 997
}

// lastPlaces is the distance between y and want in units of the last place of a float32 near want. Beyond the largest float32, only
// an infinity is right.
func lastPlaces(y float32, want float64) float64 {
	if rounded := float32(want); math.IsInf(float64(rounded), 0) && y == rounded {
		return 0
	}
	_, exponent := math.Frexp(want)
	return math.Abs(float64(y)-want) / math.Ldexp(1, max(exponent-24, -149))
}

// A result is the true one, rounded, but for some that lie close to the middle of two float32 values.
func TestSmoothActivationsToTheLastPlace(t *testing.T) {
	const most = 0.51
	for _, a := range smoothActivations {
		t.Run(a.name, func(t *testing.T) {
			var worst, worstSlope float64
			check := func(x []float32) {
				y, dx, dy := nans(len(x)), nans(len(x)), make([]float32, len(x))
				for i := range dy {
					dy[i] = 1
				}
				a.Forward(y, x)
				a.Backward(dx, dy, x, nil)
				for i, v := range x {
					if e := lastPlaces(y[i], a.f(float64(v))); !(e <= worst) {
						worst = e
						if !(e <= most) {
							t.Fatalf("%v: expected %v, found %v: %.3f units of the last place", v, a.f(float64(v)), y[i], e)
						}
					}
					if e := lastPlaces(dx[i], a.slope(float64(v))); !(e <= worstSlope) {
						worstSlope = e
						if !(e <= most) {
							t.Fatalf("%v: expected the derivative %v, found %v: %.3f units of the last place", v, a.slope(float64(v)), dx[i], e)
						}
					}
				}
			}
			everyNth(stride(), check)
			check(neighbours(0.75179152469356445745790494677952403966447115342345)) // the root of GELU's derivative
			for exponent := -149; exponent < 128; exponent++ {
				check(neighbours(math.Ldexp(1, exponent)))
			}
			t.Logf("largest error %.4f units of the last place, of the derivative %.4f", worst, worstSlope)
		})
	}
}

// neighbours are the float32 values next to x and −x, those that are finite.
func neighbours(x float64) (all []float32) {
	bits := math.Float32bits(float32(x))
	for b := max(bits, 200) - 200; b < min(bits+200, 0x7f800000); b++ {
		v := math.Float32frombits(b)
		all = append(all, v, -v)
	}
	return all
}

// A gradient is multiplied by the derivative before the one rounding, whatever its size.
func TestSmoothGradients(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for _, a := range smoothActivations {
		var x, dy []float32
		for range 200_000 {
			x = append(x, float32(random.NormFloat64()*20))
			dy = append(dy, float32(math.Ldexp(random.NormFloat64(), random.IntN(274)-148)))
		}
		for i, v := range dy {
			if math.IsInf(float64(v), 0) {
				dy[i] = math.MaxFloat32
			}
		}
		dx := nans(len(x))
		a.Backward(dx, dy, x, nil)
		for i, v := range x {
			want := float64(dy[i]) * a.slope(float64(v))
			if e := lastPlaces(dx[i], want); !(e <= 0.51) {
				t.Fatalf("%s: gradient %v at %v: expected %v, found %v", a.name, dy[i], v, want, dx[i])
			}
		}
	}
}

// At an infinity a result is the limit. The sign of a zero stays.
func TestSmoothActivationsAtLimits(t *testing.T) {
	inf, zero := float32(math.Inf(1)), float32(math.Copysign(0, -1))
	x := []float32{-inf, zero, 0, inf, -math.SmallestNonzeroFloat32, math.SmallestNonzeroFloat32}
	const tiny = math.SmallestNonzeroFloat32
	scale, alpha := float32(seluScale), float32(seluAlpha*seluScale)
	eachSet(t, func(t *testing.T) {
		for i, want := range []struct{ y, slope []float32 }{
			{[]float32{zero, zero, 0, inf, zero, 0}, []float32{0, 0.5, 0.5, 1, 0.5, 0.5}},
			{[]float32{-1, zero, 0, 1, -tiny, tiny}, []float32{0, 1, 1, 0, 1, 1}},
			{[]float32{-1, zero, 0, inf, -tiny, tiny}, []float32{0, 1, 1, 1, 1, 1}},
			{[]float32{-alpha, zero, 0, inf, -2 * tiny, tiny}, []float32{0, alpha, alpha, scale, alpha, scale}},
		} {
			a := smoothActivations[i]
			y, dx, ones := nans(len(x)), nans(len(x)), []float32{1, 1, 1, 1, 1, 1}
			a.Forward(y, x)
			a.Backward(dx, ones, x, y)
			for j := range x {
				if math.Float32bits(y[j]) != math.Float32bits(want.y[j]) {
					t.Errorf("%s(%v): expected %v, found %v", a.name, x[j], want.y[j], y[j])
				}
				if dx[j] != want.slope[j] {
					t.Errorf("derivative of %s at %v: expected %v, found %v", a.name, x[j], want.slope[j], dx[j])
				}
			}
		}
	})
}

func TestSmoothActivationsPanicOnLengths(t *testing.T) {
	wantPanic(t, "kernel.GELU.Forward: expected len(y) = 3, found 2", func() { GELU.Forward(nans(2), nans(3)) })
	wantPanic(t, "kernel.SELU.Backward: expected len(dy) = 3, found 2", func() { SELU.Backward(nans(3), nans(2), nans(3), nil) })
}
