package fashionmnist

// add is x + f(x), the end of a residual block.
func add(x, fx []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = v + fx[i]
	}
	return y
}
