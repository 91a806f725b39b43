package fashionmnist

// relu is max(0, x).
func relu(x []float32) []float32 {
	y := make([]float32, len(x))
	for i, v := range x {
		y[i] = max(0, v)
	}
	return y
}
