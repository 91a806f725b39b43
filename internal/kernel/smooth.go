package kernel

import (
	"math"
	"unsafe"
)

// The activations with an exponential in them, and their derivatives, for one value. They compute in float64 and round once, to float32.
// Their relative error before that is below 1e-9, so a result is at most 0.51 units of its last place away from the true value.
//
// The assembly does the same operations in the same order, several values at a time. A product and a sum that it rounds once are an
// [fma] here. So a result has the same bits everywhere.

// smooth are the constants, in the order in which the assembly reads them. scripts/fit-activations has made the coefficients.
var smooth = struct {
	least float64    // where the exponential becomes 0: −1023·ln 2
	log2E float64    // 1/ln 2
	shift float64    // a number added to it is rounded to a whole one, which its last bits hold
	ln2   float64    //
	expm1 [7]float64 // (exp(r) − 1)/r within ln(2)/2 of 0, with a relative error of 4.8e-10

	one, two, four float64
	alpha, scale   float64 // SELU's

	half      float64    //
	perSquare float64    // exp(−a²/2) = 2^(a²·perSquare)
	power     [3]float64 // coefficients of 2^r within 1/2 of 0, with a relative error of 9.3e-11
	far       float64    // beyond it GELU and its derivative are those at far: 0, or x and 1
	tailAbove [6]float64 // exp(a²/2)·Φ(−a), numerator and
	tailBelow [7]float64 // denominator, for a from 0 to 15, with a relative error of 9.4e-11
	root      float64    // GELU'(−root) = 0
	above     [6]float64 // exp(a²/2)·GELU'(−a)/(root − a), numerator and
	below     [6]float64 // denominator, for a from 0 to 20, with a relative error of 1.9e-10
}{
	least: -1023 * math.Ln2,
	log2E: math.Log2E,
	shift: 3 << 51,
	ln2:   math.Ln2,
	expm1: [...]float64{
		0x1.a124e3f154d32p-13, 0x1.6d431504c53d3p-10, 0x1.1110e0f726534p-7, 0x1.5554e9114ecf9p-5, 0x1.5555555a78232p-3,
		0x1.0000000b8f62bp-1, 1,
	},

	one:   1,
	two:   2,
	four:  4,
	alpha: seluAlpha,
	scale: seluScale,

	half:      0.5,
	perSquare: -1 / (2 * math.Ln2),
	power:     [...]float64{0x1.897cfa2e06ce0p-5, 0x1.6b34b9042ca37p-9, 0x1.62e42fe4783eap-2},
	far:       20,
	tailAbove: [...]float64{
		0x1.d367f8a3c661bp-11, 0x1.7e3e51cc91725p-7, 0x1.248248ec470bcp-4, 0x1.00da76c9aa55ep-2, 0x1.0404c71557cfbp-1, 0.5,
	},
	tailBelow: [...]float64{
		0x1.24e7594dcd67ap-9, 0x1.df1172a5ca2bdp-6, 0x1.73317d964b5f5p-3, 0x1.50d6c79fa50dcp-1, 0x1.72ddc2acd536ep+0,
		0x1.d046f09b91ba9p+0, 1,
	},
	root: 0x1.80ead197f00b4p-1,
	above: [...]float64{
		0x1.5b25740ca2a56p-9, 0x1.05a09bc172fdbp-5, 0x1.635e2c8713f64p-3, 0x1.0b9668ffaef1dp-1, 0x1.be9e6c1b5c33bp-1,
		0x1.54851a5cc1ec8p-1,
	},
	below: [...]float64{
		0x1.b3155ec85cc63p-8, 0x1.337521f603545p-4, 0x1.868fa9e4f1f65p-2, 0x1.0edc60c020ba8p+0, 0x1.93c2df5c184bbp+0, 1,
	},
}

// smoothLanes are the constants of smooth, each in all lanes of a vector.
//
//lint:ignore U1000 The assembly reads it.
var smoothLanes = func() (lanes [unsafe.Sizeof(smooth) / 8][8]float64) {
	for i, c := range (*[len(lanes)]float64)(unsafe.Pointer(&smooth)) {
		for j := range lanes[i] {
			lanes[i][j] = c
		}
	}
	return lanes
}()

// expParts gives exp(x) = power + power·p for x ≤ 0. With x = n·ln 2 + r, power is 2ⁿ and p is exp(r) − 1 (Cody and Waite, "Software
// Manual for the Elementary Functions", 1980; n·ln 2 is subtracted unrounded, so one constant is enough). Where n is −1023 the bits of
// power are those of 0.
func expParts(x float64) (power, p float64) {
	c := &smooth
	if x < c.least {
		x = c.least
	}
	shifted := fma(x, c.log2E, c.shift)
	n := shifted - c.shift
	r := fma(-n, c.ln2, x)
	p = r * horner(c.expm1[:], r)
	return math.Float64frombits(math.Float64bits(shifted)<<52 + math.Float64bits(1)), p
}

// expOf is exp(x) for x ≤ 0.
func expOf(x float64) float64 {
	power, p := expParts(x)
	return fma(power, p, power)
}

// expm1Of is exp(x) − 1 for x ≤ 0, with a small relative error even near 0, where power is 1.
func expm1Of(x float64) float64 {
	power, p := expParts(x)
	return fma(power, p, power-1)
}

// timesBell is exp(−a²/2)·factor·above/below for 0 ≤ a ≤ far, with polynomials of a above and below. a² is exact if a is a float32.
// a²·perSquare is n + r, with n the whole number next to it. So the exponential is 2ⁿ·2^r, and n is added to an exponent. 2^r is
// (u + v)/(u − v), a Padé approximant with coefficients for this range. So one division is enough for both quotients.
func timesBell(a float64, above []float64, factor float64, below []float64) float64 {
	c := &smooth
	square := float64(a * a)
	shifted := fma(square, c.perSquare, c.shift)
	r := fma(square, c.perSquare, -(shifted - c.shift))
	square = float64(r * r)
	u := fma(c.power[0], square, 1)
	v := float64(fma(c.power[1], square, c.power[2]) * r)
	numerator := math.Float64frombits(math.Float64bits(u+v) + math.Float64bits(shifted)<<52)
	return float64(float64(numerator*horner(above, a))*factor) / float64((u-v)*horner(below, a))
}

// geluOf is x·Φ(x) = max(x, 0) − a·Φ(−a), with a = |x|. The tail Φ(−a) is exp(−a²/2) times a slowly falling function, which a quotient of
// polynomials follows.
func geluOf(x float64) float64 {
	c := &smooth
	a := atMost(math.Abs(x), c.far)
	return atLeast(x, 0) - timesBell(a, c.tailAbove[:], a, c.tailBelow[:])
}

// geluSlope is Φ(x) + x·φ(x), which is 1 minus its value at −x. The factor root − a keeps the relative error small near the root.
func geluSlope(x float64) float64 {
	c := &smooth
	a := atMost(math.Abs(x), c.far)
	slope := timesBell(a, c.above[:], c.root-a, c.below[:])
	if math.Signbit(x) {
		return slope
	}
	return 1 - slope
}

// tanhOf is (1 − exp(−2|x|))/(1 + exp(−2|x|)), with the sign of x.
func tanhOf(x float64) float64 {
	e := expm1Of(-2 * math.Abs(x))
	return math.Copysign((0-e)/(2+e), x)
}

// tanhSlope is 1 − tanh²(x) in a form in which nothing cancels: 4·exp(−2|x|)/(1 + exp(−2|x|))².
func tanhSlope(x float64) float64 {
	e := expOf(-2 * math.Abs(x))
	return float64(4*e) / float64((1+e)*(1+e))
}

func eluOf(x float64) float64 {
	if x < 0 {
		return expm1Of(x)
	}
	return x
}

func eluSlope(x float64) float64 { return expOf(atMost(x, 0)) }

func seluOf(x float64) float64 {
	y := x
	if x < 0 {
		y = smooth.alpha * expm1Of(x)
	}
	return smooth.scale * y
}

func seluSlope(x float64) float64 {
	slope := smooth.alpha * expOf(atMost(x, 0))
	if x > 0 {
		slope = 1
	}
	return smooth.scale * slope
}

// atLeast is the greater of x and the bound, and NaN if x is.
func atLeast(x, bound float64) float64 {
	if x < bound {
		return bound
	}
	return x
}

// atMost is the lesser of x and the bound, and NaN if x is.
func atMost(x, bound float64) float64 {
	if x > bound {
		return bound
	}
	return x
}

func geluGo(y, x []float32) { mapped(y, x, geluOf) }
func tanhGo(y, x []float32) { mapped(y, x, tanhOf) }
func eluGo(y, x []float32)  { mapped(y, x, eluOf) }
func seluGo(y, x []float32) { mapped(y, x, seluOf) }

func geluGradGo(dx, dy, x []float32) { scaled(dx, dy, x, geluSlope) }
func tanhGradGo(dx, dy, x []float32) { scaled(dx, dy, x, tanhSlope) }
func eluGradGo(dx, dy, x []float32)  { scaled(dx, dy, x, eluSlope) }
func seluGradGo(dx, dy, x []float32) { scaled(dx, dy, x, seluSlope) }

// mapped sets y = f(x).
func mapped(y, x []float32, f func(float64) float64) {
	for i, v := range x {
		y[i] = float32(f(float64(v)))
	}
}

// scaled sets dx = dy⊗slope(x).
func scaled(dx, dy, x []float32, slope func(float64) float64) {
	for i, v := range x {
		dx[i] = float32(float64(dy[i]) * slope(float64(v)))
	}
}
