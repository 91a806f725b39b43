package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// doublesAround makes n copies of a value with guards around them, and a check that the guards are unchanged.
func doublesAround(random *rand.Rand, n int) (inside []float64, unchanged func() bool) {
	const guard = 54321.5
	start := 8 + random.IntN(4)
	whole := make([]float64, start+n+8)
	for i := range whole {
		whole[i] = guard
	}
	for i := range n {
		whole[start+i] = random.NormFloat64()
	}
	return whole[start : start+n], func() bool {
		for i, v := range whole {
			if (i < start || i >= start+n) && v != guard {
				return false
			}
		}
		return true
	}
}

func sameDoubles(a, b []float64) bool {
	for i := range a {
		if math.Float64bits(a[i]) != math.Float64bits(b[i]) && (a[i] == a[i] || b[i] == b[i]) {
			return false
		}
	}
	return true
}

// layerNormSet is what a set's row kernels make of some rows.
type layerNormSet struct {
	y, dx []float32
	stats LayerNormStats
}

// newLayerNormSet runs the set's row kernels. The working memory has exactly the promised room, between guards.
func newLayerNormSet(
	t *testing.T, random *rand.Rand, set *instructions, x, dy []float32, alpha, beta []float64, inside, outside float64,
) layerNormSet {
	n := len(alpha)
	rows := len(x) / n
	s := layerNormSet{nans(len(x)), nans(len(x)), NewLayerNormStats(rows)}
	work, workUnchanged := doublesAround(random, roomFor(rows*n))
	xHat, xHatUnchanged := doublesAround(random, roomFor(rows*n))
	sums, sumsUnchanged := doublesAround(random, 2*rows)
	set.layerNormRows(s.y, x, alpha, beta, work, inside, outside, s.stats.Mean, s.stats.InvScale, s.stats.Correction)
	set.layerNormGradRows(s.dx, dy, x, alpha, work, xHat, sums, s.stats.Mean, s.stats.InvScale, s.stats.Correction)
	if !workUnchanged() || !xHatUnchanged() || !sumsUnchanged() {
		t.Fatalf("%d rows of %d values with %s: wrote outside the working memory", rows, n, set.name)
	}
	return s
}

// doubles are n normal values with the room that working memory has, and NaN in it.
func doubles(random *rand.Rand, n int) []float64 {
	values := make([]float64, roomFor(n))
	for j := range values {
		values[j] = math.NaN()
		if j < n {
			values[j] = float64(float32(random.NormFloat64()))
		}
	}
	return values[:n]
}

// TestLayerNormTwins requires that the passes over rows and their plain twins give the same bits, with and without special values.
func TestLayerNormTwins(t *testing.T) {
	random := rand.New(rand.NewPCG(13, 14))
	for _, n := range lengths(random)[1:] {
		for _, rows := range []int{1, 2, 3, 4, 5 + random.IntN(10)} {
			for _, ordinary := range []bool{true, false} {
				x, dy := make([]float32, rows*n), make([]float32, rows*n)
				drawValues(random, x)
				drawValues(random, dy)
				if ordinary {
					copy(x, normals(random.Uint64(), rows*n, 3, 1))
					copy(dy, normals(random.Uint64(), rows*n, 0, 1))
					clear(x[:n]) // σ = 0
				}
				alpha, beta := doubles(random, n), doubles(random, n)
				for _, scale := range [][2]float64{{0, 1e-3}, {1e-3, 0}} {
					want := newLayerNormSet(t, random, &generic, x, dy, alpha, beta, scale[0], scale[1])
					for _, set := range available[1:] {
						got := newLayerNormSet(t, random, set, x, dy, alpha, beta, scale[0], scale[1])
						for _, pair := range [][2][]float64{
							{got.stats.Mean, want.stats.Mean}, {got.stats.InvScale, want.stats.InvScale}, {got.stats.Correction, want.stats.Correction},
						} {
							if !sameDoubles(pair[0], pair[1]) {
								t.Fatalf("%d rows of %d values with %s: expected the statistics %v, found %v", rows, n, set.name, pair[1], pair[0])
							}
						}
						for _, pair := range [][2][]float32{{got.y, want.y}, {got.dx, want.dx}} {
							for i := range pair[0] {
								if !sameFloat(pair[0][i], pair[1][i]) {
									t.Fatalf("%d rows of %d values with %s, at %d: expected %v, found %v", rows, n, set.name, i, pair[1][i], pair[0][i])
								}
							}
						}
					}
				}
			}
		}
	}
}

// A row has the same bits as alone, wherever it is in a block of rows, and with working memory that a longer row has used.
func TestLayerNormBlocks(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for _, n := range []int{1, 3, 7, 32, 100, 513, 1025} {
			for _, rows := range []int{blockRows(n) - 1, blockRows(n), 2*blockRows(n) + 3} {
				c := newLayerNormCase(uint64(n), rows, n, 1e-3, rows%2 == 0)
				c.run()
				for r := range rows {
					alone := newLayerNormCase(0, 1, n, c.epsilon, c.sqrtForm)
					alone.x, alone.dy, alone.alpha, alone.beta = c.x[r*n:(r+1)*n], c.dy[r*n:(r+1)*n], c.alpha, c.beta
					alone.run()
					if !sameBits(alone.y, c.y[r*n:(r+1)*n]) || !sameBits(alone.dx, c.dx[r*n:(r+1)*n]) {
						t.Fatalf("row %d of %d rows of %d values: expected the same result as alone", r, rows, n)
					}
				}
			}
		}
	})
}

func TestWidenTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(25, 26))
		for _, n := range lengths(random) {
			x := make([]float32, n)
			drawValues(random, x)
			got, unchanged := doublesAround(random, n)
			want := make([]float64, n)
			active.widen(got, x)
			widenGo(want, x)
			if !sameDoubles(got, want) || !unchanged() {
				t.Fatalf("expected %v, found %v, and nothing written outside", want, got)
			}
		}
	})
}

// TestLayerNormColumnsTwins takes columns out of the middle of matrices.
func TestLayerNormColumnsTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(23, 24))
		for _, columns := range lengths(random) {
			for _, rows := range []int{0, 1, 2, 1 + random.IntN(40)} {
				left := random.IntN(10)
				n := left + columns + random.IntN(10)
				mean, inv := make([]float64, rows), make([]float64, rows)
				for r := range rows {
					mean[r], inv[r] = random.NormFloat64(), random.NormFloat64()
				}
				requireTwins(t, random, []int{columns, columns, rows * n, rows * n},
					func(s [][]float32) { active.layerNormColumns(s[0], s[1], s[2], s[3], mean, inv, left, n) },
					func(s [][]float32) { layerNormColumnsGo(s[0], s[1], s[2], s[3], mean, inv, left, n) })
			}
		}
	})
}

// TestLayerNormTwinsWhereTermsCancel draws terms that cancel except for their rounding errors. In other tests the result is rounded to
// float32, which would hide operations in another order or fused with the next. The first row's y and dx are such: β is −α⊗x̂, and g
// is a straight line in x̂, which dx leaves out.
func TestLayerNormTwinsWhereTermsCancel(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 22))
	const n = 15 // eight values of the loop, a whole vector and one under a mask
	for range 100 {
		x, dy := normals(random.Uint64(), n, 1, 1), normals(random.Uint64(), n, 0, 1)
		mean, squares := rowMoments(x)
		inv := 1 / math.Sqrt(squares/n)
		alpha, beta := doubles(random, n), doubles(random, n)
		for j, v := range x {
			xHat := (float64(v) - mean) * inv
			alpha[j] = (0.5 + 0.75*xHat) / float64(dy[j])
			beta[j] = -float64(alpha[j] * xHat)
		}
		want := newLayerNormSet(t, random, &generic, x, dy, alpha, beta, 0, 0)
		for _, set := range available[1:] {
			got := newLayerNormSet(t, random, set, x, dy, alpha, beta, 0, 0)
			if !sameBits(got.y, want.y) || !sameBits(got.dx, want.dx) {
				t.Fatalf("%s: expected %v and %v, found %v and %v", set.name, want.y, want.dx, got.y, got.dx)
			}
		}
		for j := range n {
			if want.y[j] != 0 || math.Abs(float64(want.dx[j])) > 1e-12 {
				t.Fatalf("expected y = 0 and dx near 0, found %v and %v", want.y, want.dx)
			}
		}
	}
}

// mapShapes are the rows and columns of the values of a map: a row is a place, its values are the channels.
var mapShapes = [][2]int{{1568, 32}, {784, 64}, {392, 128}, {25088, 32}, {12544, 64}}

func BenchmarkLayerNorm(b *testing.B) {
	for _, shape := range slices.Concat(layerShapes, mapShapes) {
		rows, n := shape[0], shape[1]
		x, dy, alpha, beta := normals(15, rows*n, 0, 1), normals(16, rows*n, 0, 1), normals(17, n, 1, 0.5), normals(18, n, 0, 1)
		y, dAlpha, dBeta := make([]float32, rows*n), make([]float32, n), make([]float32, n)
		s := NewLayerNormStats(rows)
		benchmarkSets(b, fmt.Sprintf("Forward/%dx%d", rows, n), 8*rows*n, func() { LayerNorm(y, x, alpha, beta, 1e-3, false, s) })
		benchmarkSets(b, fmt.Sprintf("Backward/%dx%d", rows, n), 12*rows*n,
			func() { LayerNormGrad(y, dy, x, alpha, s) })
		benchmarkSets(b, fmt.Sprintf("Parameters/%dx%d", rows, n), 8*rows*n,
			func() { LayerNormParameterGrad(dAlpha, dBeta, dy, x, s, 0, n) })
	}
}
