package kernel

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The scalars of the update tests, exact in float32 so that the references share them.
const (
	testRate, testShare1, testShare2   = 0x1p-5, 0x1p-3, 0x1p-7
	testFriction, testEpsilon          = 0x1p-2, 0x1p-20
	testScale, testDecay, testMeanRate = 1.5, 0x1p-6, 0x1p-4
)

// updateKernels are the updates, each with its formula in float64 on one value. s are the slots.
var updateKernels = []struct {
	name      string
	slots     []string
	run       func(w, g []float32, s [][]float32)
	reference func(w, g float64, s []float64) float64
}{
	{"SGD", nil,
		func(w, g []float32, _ [][]float32) { SGD(w, g, testRate, testDecay) },
		func(w, g float64, _ []float64) float64 { return w - testRate*(g+testDecay*w) }},
	{"Momentum", []string{"velocity"},
		func(w, g []float32, s [][]float32) { Momentum(w, s[0], g, testRate, testFriction, testDecay) },
		func(w, g float64, s []float64) float64 {
			s[0] = (1-testFriction)*s[0] + g + testDecay*w
			return w - testRate*s[0]
		}},
	{"Nesterov", []string{"velocity"},
		func(w, g []float32, s [][]float32) { Nesterov(w, s[0], g, testRate, testFriction, testDecay) },
		func(w, g float64, s []float64) float64 {
			d := g + testDecay*w
			s[0] = (1-testFriction)*s[0] + d
			return w - testRate*(d+(1-testFriction)*s[0])
		}},
	{"AdaGrad", []string{"sum"},
		func(w, g []float32, s [][]float32) { AdaGrad(w, s[0], g, testRate, testEpsilon, testDecay) },
		func(w, g float64, s []float64) float64 {
			d := g + testDecay*w
			s[0] += d * d
			return w - testRate*d/(math.Sqrt(s[0])+testEpsilon)
		}},
	{"RMSProp", []string{"square"},
		func(w, g []float32, s [][]float32) { RMSProp(w, s[0], g, testRate, testShare2, testEpsilon, testDecay) },
		func(w, g float64, s []float64) float64 {
			d := g + testDecay*w
			s[0] = (1-testShare2)*s[0] + testShare2*d*d
			return w - testRate*d/(math.Sqrt(s[0])+testEpsilon)
		}},
	{"RMSPropMomentum", []string{"square", "velocity"},
		func(w, g []float32, s [][]float32) {
			RMSPropMomentum(w, s[0], s[1], g, testRate, testShare2, testFriction, testEpsilon, testDecay)
		},
		func(w, g float64, s []float64) float64 {
			d := g + testDecay*w
			s[0] = (1-testShare2)*s[0] + testShare2*d*d
			s[1] = (1-testFriction)*s[1] + d/(math.Sqrt(s[0])+testEpsilon)
			return w - testRate*s[1]
		}},
	{"Adam", []string{"m", "v"},
		func(w, g []float32, s [][]float32) {
			Adam(w, s[0], s[1], g, testRate, testShare1, testShare2, testScale, testEpsilon, testDecay)
		},
		func(w, g float64, s []float64) float64 {
			return w - testRate*moments(g+testDecay*w, s)/(testScale*math.Sqrt(s[1])+testEpsilon)
		}},
	{"AdamW", []string{"m", "v"},
		func(w, g []float32, s [][]float32) {
			AdamW(w, s[0], s[1], g, testRate, testShare1, testShare2, testScale, testEpsilon, testDecay)
		},
		func(w, g float64, s []float64) float64 {
			m := moments(g, s)
			return w*(1-testDecay) - testRate*m/(testScale*math.Sqrt(s[1])+testEpsilon)
		}},
	{"NAdam", []string{"m", "v"},
		func(w, g []float32, s [][]float32) {
			NAdam(w, s[0], s[1], g, testRate, testMeanRate, testShare1, testShare2, testScale, testEpsilon, testDecay)
		},
		func(w, g float64, s []float64) float64 {
			d := g + testDecay*w
			m := moments(d, s)
			return w - (testRate*d+testMeanRate*m)/(testScale*math.Sqrt(s[1])+testEpsilon)
		}},
}

// moments updates the averages of the gradient and of its square, and returns the first.
func moments(d float64, s []float64) float64 {
	s[0] = (1-testShare1)*s[0] + testShare1*d
	s[1] = (1-testShare2)*s[1] + testShare2*d*d
	return s[0]
}

// updateProblem is a parameter in the middle of a run.
type updateProblem struct {
	w, g  []float32
	slots [][]float32
}

// drawUpdate draws n values and this number of slots. The values have one order of magnitude, like weights. No slot is negative,
// because a sum of squares never is.
func drawUpdate(t *rapid.T, n int, slots []string) updateProblem {
	values := func(name string, low float32) []float32 {
		return rapid.SliceOfN(rapid.Float32Range(low, 4), n, n).Draw(t, name)
	}
	p := updateProblem{w: values("w", -4), g: values("g", -4)}
	for _, slot := range slots {
		p.slots = append(p.slots, values(slot, 0x1p-10))
	}
	return p
}

// shifted is a copy of the problem. Each of its slices starts at an offset into its own array.
func (p updateProblem) shifted(offset int) updateProblem {
	shift := func(x []float32) []float32 {
		return append(make([]float32, offset, offset+len(x)), x...)[offset:]
	}
	q := updateProblem{w: shift(p.w), g: shift(p.g)}
	for _, s := range p.slots {
		q.slots = append(q.slots, shift(s))
	}
	return q
}

func TestUpdateAgainstFloat64(t *testing.T) {
	for _, k := range updateKernels {
		t.Run(k.name, rapid.MakeCheck(func(t *rapid.T) {
			p := drawUpdate(t, rapid.IntRange(0, 20).Draw(t, "n"), k.slots)
			q := p.shifted(0)
			k.run(q.w, q.g, q.slots)
			if !slices.Equal(q.g, p.g) {
				t.Fatal("the gradient was changed")
			}
			for i := range p.w {
				s := make([]float64, len(k.slots))
				for j := range s {
					s[j] = float64(p.slots[j][i])
				}
				want := k.reference(float64(p.w[i]), float64(p.g[i]), s)
				// A handful of operations on values up to 4, and a step of up to 2·rate·4/√(share·2⁻¹⁰).
				near(t, fmt.Sprintf("w[%d]", i), q.w[i], want, 8)
				for j, slot := range k.slots {
					near(t, fmt.Sprintf("%s[%d]", slot, i), q.slots[j][i], s[j], 16)
				}
			}
		}))
	}
}

// near fails unless got is want within 8 float32 units of want or of size, whichever is larger.
func near(t *rapid.T, what string, got float32, want, size float64) {
	t.Helper()
	if tolerance := 8 * 0x1p-24 * max(math.Abs(want), size); !(math.Abs(float64(got)-want) <= tolerance) {
		t.Fatalf("%s: got %v, want %v ± %.2g", what, got, want, tolerance)
	}
}

func TestUpdateIsTheSameAtAnyAlignment(t *testing.T) {
	for _, k := range updateKernels {
		t.Run(k.name, rapid.MakeCheck(func(t *rapid.T) {
			p := drawUpdate(t, rapid.IntRange(1, 40).Draw(t, "n"), k.slots)
			q := p.shifted(rapid.IntRange(1, 17).Draw(t, "offset"))
			k.run(p.w, p.g, p.slots)
			k.run(q.w, q.g, q.slots)
			if !sameBits(p.w, q.w) {
				t.Fatalf("w: %v at the start of an array, %v further on", p.w, q.w)
			}
			for j, slot := range k.slots {
				if !sameBits(p.slots[j], q.slots[j]) {
					t.Fatalf("%s: %v at the start of an array, %v further on", slot, p.slots[j], q.slots[j])
				}
			}
		}))
	}
}

func sameBits(a, b []float32) bool {
	return slices.EqualFunc(a, b, func(x, y float32) bool { return math.Float32bits(x) == math.Float32bits(y) })
}

// A NaN or infinite gradient must be seen in the weight, and only in its own.
func TestUpdateKeepsNaN(t *testing.T) {
	for _, k := range updateKernels {
		for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
			const n, at = 9, 4
			p := updateProblem{w: make([]float32, n), g: make([]float32, n)}
			for range k.slots {
				p.slots = append(p.slots, make([]float32, n))
			}
			p.g[at] = float32(bad)
			k.run(p.w, p.g, p.slots)
			for i, w := range p.w {
				if finite := !math.IsNaN(float64(w)) && !math.IsInf(float64(w), 0); finite != (i != at) {
					t.Errorf("%s: gradient %v at %d: w[%d] = %v", k.name, bad, at, i, w)
				}
			}
		}
	}
}

func TestUpdateOfZeroGradient(t *testing.T) {
	for _, k := range updateKernels {
		w, g := []float32{0, 0}, []float32{0, 0}
		s := [][]float32{{0, 0}, {0, 0}}
		k.run(w, g, s)
		if w[0] != 0 || w[1] != 0 {
			t.Errorf("%s: a zero weight moved to %v without a gradient", k.name, w)
		}
	}
}

func TestUpdatePanicsOnLengths(t *testing.T) {
	for _, k := range updateKernels {
		for wrong := -1; wrong < len(k.slots); wrong++ {
			for _, n := range []int{3, 5} {
				p := updateProblem{w: make([]float32, 4), g: make([]float32, 4)}
				for range k.slots {
					p.slots = append(p.slots, make([]float32, 4))
				}
				slice := "g"
				if wrong < 0 {
					p.g = make([]float32, n)
				} else {
					slice = k.slots[wrong]
					p.slots[wrong] = make([]float32, n)
				}
				want := fmt.Sprintf("kernel.%s: expected len(%s) = 4, found %d", k.name, slice, n)
				func() {
					defer func() {
						if got := recover(); got != want {
							t.Errorf("got the panic %v, want %q", got, want)
						}
					}()
					k.run(p.w, p.g, p.slots)
				}()
			}
		}
	}
}

// The average of a constant is that constant, up to float32's precision, even for a slow average.
func TestAverageSettles(t *testing.T) {
	for _, beta := range []float64{0, 0.1, 0.9, 0.99, 0.999, 0.9999} {
		c := float32(1 - beta)
		var a float32
		const x = 0.7
		steps := int(40/(1-beta)) + 1
		for range steps {
			a = average(a, x, slope(c))
		}
		// It stops just before x when c·x and c·a round to the same value: 2^-24/c of x.
		if off := math.Abs(float64(a)/x - 1); off > 0x1p-24/(1-beta)+0x1p-23 {
			t.Errorf("β = %v: the average of %v settles %.2g away", beta, x, off)
		}
	}
}

// With c near 1 a huge past must leave a small present intact.
func TestAverageForgets(t *testing.T) {
	if got := average(1e10, 1e-6, slope(1)); got != 1e-6 {
		t.Errorf("average(1e10, 1e-6, slope(1)) = %v, want 1e-6", got)
	}
}

func BenchmarkAdam(b *testing.B) {
	const n = 784 * 100
	w, m, v, g := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range g {
		g[i] = float32(i%7) - 3
	}
	b.SetBytes(7 * 4 * n)
	for b.Loop() {
		Adam(w, m, v, g, 1e-6, 0.1, 0.001, 1, 1e-7, 0)
	}
}
