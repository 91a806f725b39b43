package kernel

import (
	"math"
	"slices"
	"testing"
)

// Dropped values are 0, whatever they were, and the rate is their fraction. Kept values are divided by 1−rate, so that the mean stays.
func TestDropout(t *testing.T) {
	const n = 1_000_000
	mask, x, y := make([]uint32, n), make([]float32, n), make([]float32, n)
	for _, v := range []float32{-1, float32(math.Inf(1))} {
		for i := range x {
			x[i] = v
		}
		for _, rate := range []float64{0, 0.2, 0.5, 0.99} {
			DropoutMask(mask, 42, 0, rate)
			Drop(y, x, mask, rate)
			zeros := 0
			for i, f := range y {
				switch {
				case math.Float32bits(f) == 0:
					zeros++
				case f != v*float32(1/(1-rate)):
					t.Fatalf("rate %v: of %v value %d is %v", rate, v, i, f)
				}
			}
			if found := float64(zeros) / n; math.Abs(found-rate) > 5*math.Sqrt(rate*(1-rate)/n) {
				t.Errorf("rate %v: found a fraction of %v zeros", rate, found)
			}
		}
	}
}

// A mask depends on the value's number and the key, not on where a call begins.
func TestDropoutMaskByNumber(t *testing.T) {
	whole, part, other := make([]uint32, 1000), make([]uint32, 1000), make([]uint32, 1000)
	DropoutMask(whole, 7, 50, 0.5)
	for lo := 0; lo < len(part); lo += 123 {
		DropoutMask(part[lo:min(lo+123, len(part))], 7, 50+uint64(lo), 0.5)
	}
	if !slices.Equal(whole, part) {
		t.Error("expected the same mask in parts")
	}
	same := 0
	DropoutMask(other, 8, 50, 0.5)
	for i, f := range other {
		if f == whole[i] {
			same++
		}
	}
	if same < 400 || same > 600 { // 500 ± 6 deviations
		t.Errorf("expected another key to have half of the mask in common, found %d of 1000", same)
	}
}

func BenchmarkDropout(b *testing.B) {
	const n = 32 * 100
	mask, x, y := make([]uint32, n), make([]float32, n), make([]float32, n)
	for b.Loop() {
		DropoutMask(mask, 42, 0, 0.2)
		Drop(y, x, mask, 0.2)
	}
	b.SetBytes(4 * n)
}
