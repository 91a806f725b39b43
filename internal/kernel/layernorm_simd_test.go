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

// TestLayerNormTwins requires that the passes over a row and their plain twins give the same bits, with and without special values.
func TestLayerNormTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(13, 14))
		for _, n := range lengths(random)[1:] {
			for _, ordinary := range []bool{true, false} {
				x := make([]float32, n)
				drawValues(random, x)
				if ordinary {
					for i := range x {
						x[i] = float32(random.NormFloat64()) + 3
					}
				}
				mean, squares := active.rowMoments(x)
				meanGo, squaresGo := rowMomentsGo(x)
				if !sameDoubles([]float64{mean, squares}, []float64{meanGo, squaresGo}) {
					t.Fatalf("%d values: expected the mean %v and squares %v, found %v and %v", n, meanGo, squaresGo, mean, squares)
				}
				slope, meanG, inv := random.NormFloat64(), random.NormFloat64(), random.NormFloat64()
				if math.IsNaN(mean) {
					mean = 0.25
				}
				requireTwins(t, random, []int{n, n, n, n},
					func(s [][]float32) { active.normalize(s[0], s[1], s[2], s[3], mean, inv) },
					func(s [][]float32) { normalizeGo(s[0], s[1], s[2], s[3], mean, inv) })
				requireTwins(t, random, []int{n, n, n, n},
					func(s [][]float32) { active.layerNormGradRow(s[0], s[1], s[2], s[3], mean, inv, meanG, slope) },
					func(s [][]float32) { layerNormGradRowGo(s[0], s[1], s[2], s[3], mean, inv, meanG, slope) })

				var got, want [2]float64
				requireTwins(t, random, []int{n, n},
					func(s [][]float32) { got[0], got[1] = active.layerNormGradSums(s[0], x, s[1], mean, inv) },
					func(s [][]float32) { want[0], want[1] = layerNormGradSumsGo(s[0], x, s[1], mean, inv) })
				if !sameDoubles(got[:], want[:]) {
					t.Fatalf("%d values: expected the sums %v, found %v", n, want, got)
				}
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
// float32, which would hide operations in another order or fused with the next.
func TestLayerNormTwinsWhereTermsCancel(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(21, 22))
		for range 100 {
			const n = 15 // eight values of the loop, a whole vector and one under a mask
			mean, inv, slope := random.NormFloat64(), 1+random.Float64(), random.NormFloat64()
			v, d, a := float32(random.NormFloat64()), float32(random.NormFloat64()), float32(random.NormFloat64())
			xHat := (float64(v) - mean) * inv
			meanG := float64(a)*float64(d) - slope*xHat
			x, dy, alpha, beta := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
			for j := range n {
				x[j], dy[j], alpha[j], beta[j] = v, d, a, float32(-float64(a)*xHat)
			}
			got, want := nans(2*n), nans(2*n)
			active.normalize(got[:n], x, alpha, beta, mean, inv)
			normalizeGo(want[:n], x, alpha, beta, mean, inv)
			active.layerNormGradRow(got[n:], dy, x, alpha, mean, inv, meanG, slope)
			layerNormGradRowGo(want[n:], dy, x, alpha, mean, inv, meanG, slope)
			if !sameBits(got, want) {
				t.Fatalf("expected %v, found %v", want, got)
			}
		}
	})
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
