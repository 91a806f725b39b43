package fashionmnist

// dense is y = xW + b. The weight W is [in, out], row by row.
func dense(x, weight, bias []float32) []float32 {
	y := make([]float32, len(bias))
	for out := range y {
		sum := float64(bias[out])
		for in, v := range x {
			sum += float64(v) * float64(weight[in*len(bias)+out])
		}
		y[out] = float32(sum)
	}
	return y
}
