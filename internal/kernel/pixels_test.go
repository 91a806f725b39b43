package kernel

import "testing"

// Every pixel at every place of slices of every length up to a few vectors; a value outside is left alone.
func TestIntensities(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		for n := range 150 {
			pixels, y := make([]uint8, n), make([]float32, n+1)
			for shift := range 256 {
				for i := range pixels {
					pixels[i] = uint8(i + shift)
				}
				y[n] = guard
				Intensities(y[:n], pixels)
				for i, p := range pixels {
					if y[i] != float32(p)/255 {
						t.Fatalf("%d of %d: expected %d/255 = %v, found %v", i, n, p, float32(p)/255, y[i])
					}
				}
				if !sameFloat(y[n], guard) {
					t.Fatalf("%d values: wrote %v behind them", n, y[n])
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
