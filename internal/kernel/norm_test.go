package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// SumSquares equals a plain sum up to the rounding of float64, for any length and values of any size.
func TestSumSquares(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 70 {
		x := make([]float32, n)
		var want float64
		for i := range x {
			x[i] = float32(random.NormFloat64()) * 1e30
			want += float64(x[i]) * float64(x[i])
		}
		if got := SumSquares(x); math.Abs(got-want) > 1e-14*want {
			t.Errorf("%d values: %v, expected %v", n, got, want)
		}
	}
	if got := SumSquares([]float32{math.MaxFloat32, math.MaxFloat32}); math.IsInf(got, 0) {
		t.Errorf("the squares of two large values: %v", got)
	}
}

// With every instruction set and any share, Average has the bits of its formula.
func TestAverage(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		for n := range 40 {
			for _, share := range []float32{0, 1e-4, 0.3, 0.5, 1} {
				a, x, want := make([]float32, n), make([]float32, n), make([]float32, n)
				for i := range a {
					a[i], x[i] = float32(random.NormFloat64()), float32(random.NormFloat64())
					want[i] = a[i] + float32(share*(x[i]-a[i]))
				}
				if Average(a, x, share); !slices.Equal(a, want) {
					t.Errorf("share %v: %v, expected %v", share, a, want)
				}
			}
		}
	})
}
