package fashionmnist

import "math"

// tanh is the hyperbolic tangent.
func tanh(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = float32(math.Tanh(float64(v)))
	}
	return y
}
