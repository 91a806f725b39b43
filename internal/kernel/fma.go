package kernel

import "math"

// fma is x·y + z, rounded once: a twin of assembly that does so. It is the only place where a product and a sum are one operation, as
// .ci/fused knows.
func fma(x, y, z float64) float64 { return math.FMA(x, y, z) }

// horner is the polynomial of the coefficients, the one of the highest power first.
func horner(coefficients []float64, x float64) float64 {
	sum := coefficients[0]
	for _, c := range coefficients[1:] {
		sum = fma(sum, x, c)
	}
	return sum
}
