package kernel

import (
	"math"
	"testing"
)

// Every pixel value at every place of slices of every length up to a few vectors, at any alignment. Nothing around them changes.
func TestIntensities(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for n := range 150 {
			const before = 3
			pixels, whole := make([]uint8, 1+n)[1:], make([]float32, before+n+1)
			y := whole[before : before+n]
			for shift := range 256 {
				for i := range pixels {
					pixels[i] = uint8(i + shift)
				}
				whole[before-1], whole[before+n] = guard, guard
				Intensities(y, pixels)
				for i, p := range pixels {
					if math.Float32bits(y[i]) != math.Float32bits(float32(p)/255) {
						t.Fatalf("%d of %d: expected %d/255 = %v, found %v", i, n, p, float32(p)/255, y[i])
					}
				}
				if !sameBits([]float32{whole[before-1], whole[before+n]}, []float32{guard, guard}) {
					t.Fatalf("%d values: wrote around them, %v", n, whole)
				}
			}
		}
	})
}

func TestIntensitiesPanicsOnLengths(t *testing.T) {
	wantPanic(t, "kernel.Intensities: expected len(y) = 3, found 2", func() { Intensities(nans(2), make([]uint8, 3)) })
}

func BenchmarkIntensities(b *testing.B) {
	const n = 32 * 784
	y, pixels := make([]float32, n), make([]uint8, n)
	benchmarkSets(b, "32x784", 5*n, func() { Intensities(y, pixels) })
}
