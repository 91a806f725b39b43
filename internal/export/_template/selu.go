package fashionmnist

import "math"

// selu is s·x, or s·α·(exp(x) − 1) below 0, with the s and α that keep the variance of normally distributed values.
func selu(x []float32) []float32 {
	const s, alpha = 1.0507009873554805, 1.6732632423543772
	y := make([]float32, len(x))
	for i, v := range x {
		if y[i] = float32(s * float64(v)); v < 0 {
			y[i] = float32(s * alpha * math.Expm1(float64(v)))
		}
	}
	return y
}
