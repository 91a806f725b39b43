package kernel

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// layerNormCase is an input of LayerNorm with its results, forward and backward.
type layerNormCase struct {
	rows, n              int
	epsilon              float64
	sqrtForm             bool
	x, alpha, beta, dy   []float32
	y, dx, dAlpha, dBeta []float32
	stats                LayerNormStats
}

// newLayerNormCase makes a case of normal values, with results to be filled in.
func newLayerNormCase(seed uint64, rows, n int, epsilon float64, sqrtForm bool) *layerNormCase {
	return &layerNormCase{
		rows: rows, n: n, epsilon: epsilon, sqrtForm: sqrtForm,
		x: normals(seed, rows*n, 0.3, 1), alpha: normals(seed+1, n, 1, 0.5), beta: normals(seed+2, n, 0, 1), dy: normals(seed+3, rows*n, 0, 1),
		y: nans(rows * n), dx: nans(rows * n), dAlpha: nans(n), dBeta: nans(n), stats: NewLayerNormStats(rows),
	}
}

func drawLayerNorm(t *rapid.T, epsilon float64) *layerNormCase {
	return newLayerNormCase(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 12).Draw(t, "rows"), rapid.IntRange(1, 40).Draw(t, "n"),
		epsilon, rapid.Bool().Draw(t, "sqrtForm"))
}

func (c *layerNormCase) run() {
	LayerNorm(c.y, c.x, c.alpha, c.beta, c.epsilon, c.sqrtForm, c.stats)
	LayerNormGrad(c.dx, c.dy, c.x, c.alpha, c.stats)
	middle := c.n / 2
	LayerNormParameterGrad(c.dAlpha, c.dBeta, c.dy, c.x, c.stats, middle, c.n)
	LayerNormParameterGrad(c.dAlpha, c.dBeta, c.dy, c.x, c.stats, 0, middle)
}

// forward is y of one row in float64, for any float64 x.
func (c *layerNormCase) forward(x []float64) []float64 {
	var mean, variance float64
	for _, v := range x {
		mean += v / float64(c.n)
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(c.n)
	}
	scale := math.Sqrt(variance) + c.epsilon
	if c.sqrtForm {
		scale = math.Sqrt(variance + c.epsilon)
	}
	y := make([]float64, c.n)
	for j, v := range x {
		y[j] = float64(c.alpha[j])*(v-mean)/scale + float64(c.beta[j])
	}
	return y
}

// within fails unless |got − want| ≤ tolerance.
func within(t *rapid.T, what string, at int, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Fatalf("%s[%d]: expected %v ± %v, found %v", what, at, want, tolerance, got)
	}
}

// The gradients are checked against central differences of the float64 formula, row by row.
func TestLayerNormAgainstFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawLayerNorm(t, 1e-3)
		c.run()
		dAlpha, dBeta := make([]float64, c.n), make([]float64, c.n)
		for r := range c.rows {
			x, dy := make([]float64, c.n), c.dy[r*c.n:(r+1)*c.n]
			for j := range x {
				x[j] = float64(c.x[r*c.n+j])
			}
			cost := func() (sum float64) {
				for j, y := range c.forward(x) {
					sum += y * float64(dy[j])
				}
				return sum
			}
			spread := slices.Max(x) - slices.Min(x)
			for j, y := range c.forward(x) {
				within(t, "y", r*c.n+j, float64(c.y[r*c.n+j]), y, 1e-7*(1+math.Abs(y)))
				dAlpha[j] += float64(dy[j]) * (y - float64(c.beta[j])) / float64(c.alpha[j])
				dBeta[j] += float64(dy[j])
			}
			if spread < 0.1 && c.n > 1 {
				continue // near a constant row the curvature is too large for a difference
			}
			const h = 1e-5
			for j, v := range x {
				x[j] = v + h
				above := cost()
				x[j] = v - h
				below := cost()
				x[j] = v
				within(t, "dx", r*c.n+j, float64(c.dx[r*c.n+j]), (above-below)/(2*h), 1e-5*(1+float64(c.n))/max(spread, 1))
			}
		}
		for j := range c.n {
			within(t, "dAlpha", j, float64(c.dAlpha[j]), dAlpha[j], 1e-6*float64(c.rows)/math.Min(1, math.Abs(float64(c.alpha[j]))))
			within(t, "dBeta", j, float64(c.dBeta[j]), dBeta[j], 1e-6*float64(c.rows))
		}
	})
}

// On a constant row x−μ is exactly 0, so y is exactly β; dx is (g − mean(g))/scale, with the scale ε or √ε.
func TestLayerNormOfConstantRows(t *testing.T) {
	for _, value := range []float32{0, 1, -7, 0.1, 2000.123, 1e-40, 3e38, -3e38} {
		for _, sqrtForm := range []bool{false, true} {
			for _, n := range []int{1, 2, 3, 10, 784} {
				c := newLayerNormCase(uint64(n), 2, n, 1e-3, sqrtForm)
				for i := range c.x {
					c.x[i] = value
				}
				c.run()
				scale := c.epsilon
				if sqrtForm {
					scale = math.Sqrt(c.epsilon)
				}
				for r := range c.rows {
					at := r * n
					if !sameBits(c.y[at:at+n], c.beta) {
						t.Errorf("rows of %d times %v: expected y = beta", n, value)
					}
					var mean float64
					for j := range n {
						mean += float64(c.alpha[j]) * float64(c.dy[at+j]) / float64(n)
					}
					for j := range n {
						want := (float64(c.alpha[j])*float64(c.dy[at+j]) - mean) / scale
						if got := float64(c.dx[at+j]); !(math.Abs(got-want) <= 1e-6*(1+math.Abs(want))) {
							t.Errorf("rows of %d times %v, sqrtForm %v: expected dx[%d] = %v, found %v", n, value, sqrtForm, at+j, want, got)
						}
					}
				}
				for j, v := range c.dAlpha {
					if v != 0 {
						t.Errorf("rows of %d times %v: expected dAlpha[%d] = 0, found %v", n, value, j, v)
					}
				}
			}
		}
	}
}

// A row of one feature is its own mean: y = β, and the gradients of x and α are 0.
func TestLayerNormOfOneFeature(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newLayerNormCase(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 12).Draw(t, "rows"), 1, 1e-3, rapid.Bool().Draw(t, "sqrtForm"))
		c.run()
		var sum float64
		for r := range c.rows {
			sum += float64(c.dy[r])
			if c.y[r] != c.beta[0] || c.dx[r] != 0 {
				t.Fatalf("row %d: expected y = %v and dx = 0, found %v and %v", r, c.beta[0], c.y[r], c.dx[r])
			}
		}
		if c.dAlpha[0] != 0 || c.dBeta[0] != float32(sum) {
			t.Fatalf("expected dAlpha = 0 and dBeta = %v, found %v and %v", float32(sum), c.dAlpha[0], c.dBeta[0])
		}
	})
}

// The values are multiples of 2⁻¹⁰ and the offset is whole, so that their sum is exact and only LayerNorm can lose digits.
func TestLayerNormIgnoresAnOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawLayerNorm(t, 1e-3)
		for i, v := range c.x {
			c.x[i] = float32(math.Round(float64(v)*1024) / 1024)
		}
		c.run()
		y, dx := slices.Clone(c.y), slices.Clone(c.dx)
		offset := float32(rapid.IntRange(-4000, 4000).Draw(t, "offset"))
		for i := range c.x {
			c.x[i] += offset
		}
		c.run()
		for i := range c.x {
			within(t, "y", i, float64(c.y[i]), float64(y[i]), 1e-6)
			within(t, "dx", i, float64(c.dx[i]), float64(dx[i]), 1e-5*(1+math.Abs(float64(dx[i]))))
		}
	})
}

// If ε is negligible compared with σ, a scale of x does not change y, and divides dx.
func TestLayerNormIgnoresAScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawLayerNorm(t, 1e-200)
		c.run()
		y, dx := slices.Clone(c.y), slices.Clone(c.dx)
		scale := math.Ldexp(1, rapid.IntRange(-60, 60).Draw(t, "exponent"))
		for i := range c.x {
			c.x[i] *= float32(scale)
		}
		c.run()
		if c.n == 1 {
			return // a constant row: only ε is left
		}
		for i := range c.x {
			within(t, "y", i, float64(c.y[i]), float64(y[i]), 1e-6)
			within(t, "dx", i, float64(c.dx[i])*scale, float64(dx[i]), 1e-6*(1+math.Abs(float64(dx[i]))))
		}
	})
}

// Rows are independent, dx sums to 0 over a row (an offset does not change y), and a second run does not depend on the first.
func TestLayerNormRowByRow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawLayerNorm(t, 1e-3)
		c.run()
		again := *c
		again.y, again.dx, again.dAlpha, again.dBeta = nans(len(c.y)), nans(len(c.dx)), nans(c.n), nans(c.n)
		again.run()
		for _, pair := range [][2][]float32{{c.y, again.y}, {c.dx, again.dx}, {c.dAlpha, again.dAlpha}, {c.dBeta, again.dBeta}} {
			if !sameBits(pair[0], pair[1]) {
				t.Fatalf("expected the same result of a second run, found %v and %v", pair[0], pair[1])
			}
		}
		r := rapid.IntRange(0, c.rows-1).Draw(t, "row")
		alone := newLayerNormCase(0, 1, c.n, c.epsilon, c.sqrtForm)
		alone.x, alone.dy = c.x[r*c.n:(r+1)*c.n], c.dy[r*c.n:(r+1)*c.n]
		alone.alpha, alone.beta = c.alpha, c.beta
		alone.run()
		dx := c.dx[r*c.n : (r+1)*c.n]
		if !sameBits(alone.y, c.y[r*c.n:(r+1)*c.n]) || !sameBits(alone.dx, dx) {
			t.Fatalf("row %d: expected the same result alone and among other rows", r)
		}
		var sum, size float64
		for _, v := range dx {
			sum += float64(v)
			size += math.Abs(float64(v))
		}
		within(t, "sum of dx of row", r, sum, 0, 1e-6*size)
	})
}

func TestLayerNormPanicsOnLengths(t *testing.T) {
	s := NewLayerNormStats(2)
	forward := func(y, x, alpha, beta int) func() {
		return func() { LayerNorm(nans(y), nans(x), nans(alpha), nans(beta), 1e-3, false, s) }
	}
	wantPanic(t, "kernel.LayerNorm: expected len(beta) = 3, found 4", forward(6, 6, 3, 4))
	wantPanic(t, "kernel.LayerNorm: expected len(x) = 6, found 9", forward(6, 9, 3, 3))
	wantPanic(t, "kernel.LayerNorm: expected len(y) = 6, found 5", forward(5, 6, 3, 3))
	backward := func(dx, dy, x, alpha int) func() {
		return func() { LayerNormGrad(nans(dx), nans(dy), nans(x), nans(alpha), s) }
	}
	wantPanic(t, "kernel.LayerNormGrad: expected len(x) = 6, found 5", backward(6, 6, 5, 3))
	wantPanic(t, "kernel.LayerNormGrad: expected len(dy) = 6, found 7", backward(6, 7, 6, 3))
	wantPanic(t, "kernel.LayerNormGrad: expected len(dx) = 6, found 3", backward(3, 6, 6, 3))
	parameters := func(dAlpha, dBeta, dy, x int) func() {
		return func() { LayerNormParameterGrad(nans(dAlpha), nans(dBeta), nans(dy), nans(x), s, 0, 3) }
	}
	wantPanic(t, "kernel.LayerNormParameterGrad: expected len(x) = 6, found 5", parameters(3, 3, 6, 5))
	wantPanic(t, "kernel.LayerNormParameterGrad: expected len(dy) = 6, found 7", parameters(3, 3, 7, 6))
	wantPanic(t, "kernel.LayerNormParameterGrad: expected len(dBeta) = 2, found 3", parameters(2, 3, 6, 6))
	wantPanic(t, "kernel.LayerNormParameterGrad: expected len(dBeta) = 3, found 1", parameters(3, 1, 6, 6))
}
