package fashionmnist

import "math"

// gelu is x·Φ(x) with the distribution function Φ of the normal distribution.
func gelu(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(float64(v) * math.Erfc(-float64(v)/math.Sqrt2) / 2)
	}
	return y
}
