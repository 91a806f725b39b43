package kernel

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// The order of the sum is part of the contract: the result has the bits of a plain float32 sum that starts at the first row.
func TestSumRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, n := rapid.IntRange(0, 40).Draw(t, "rows"), rapid.IntRange(1, 40).Draw(t, "n")
		x := normals(rapid.Uint64().Draw(t, "seed"), rows*n, 0, 1)
		want, got := make([]float32, n), nans(n)
		for r := range rows {
			for j := range n {
				want[j] += x[r*n+j]
			}
		}
		SumRows(got, x)
		if !sameBits(got, want) {
			t.Fatalf("expected %v, found %v", want, got)
		}
	})
}

func TestRowsPanicOnLengths(t *testing.T) {
	wantPanic(t, "kernel.SumRows: expected len(x modulo sum) = 0, found 2", func() { SumRows(nans(3), nans(8)) })
}

func TestAllFinite(t *testing.T) {
	inf := float32(math.Inf(1))
	finite := []float32{0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-127}
	others := []float32{inf, -inf, float32(math.NaN()), math.Float32frombits(0x7f800001), math.Float32frombits(0xffffffff)}
	for length := range 40 {
		x := make([]float32, length)
		for i := range x {
			x[i] = finite[i%len(finite)]
		}
		if !AllFinite(x) {
			t.Errorf("%v: expected all finite", x)
		}
		for i, kept := range x {
			for _, v := range others {
				if x[i] = v; AllFinite(x) {
					t.Errorf("%v at %d of %d: expected it to be found", v, i, length)
				}
			}
			x[i] = kept
		}
	}
}
