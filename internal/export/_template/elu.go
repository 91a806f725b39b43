package fashionmnist

import "math"

// elu is x, or exp(x) − 1 below 0.
func elu(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		if y[i] = v; v < 0 {
			y[i] = float32(math.Expm1(float64(v)))
		}
	}
	return y
}
