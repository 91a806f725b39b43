package fashionmnist

import "math"

// layerNorm normalises each group of len(alpha) consecutive values by its mean and its standard deviation σ: it divides by σ+outside
// with inside = 0, or by √(σ²+inside) with outside = 0.
func layerNorm(x, alpha, beta []float32, inside, outside float64) []float32 {
	y := make([]float32, len(x))
	n := len(alpha)
	for first := 0; first < len(x); first += n {
		var mean, variance float64
		for _, v := range x[first : first+n] {
			mean += float64(v) / float64(n)
		}
		for _, v := range x[first : first+n] {
			variance += (float64(v) - mean) * (float64(v) - mean) / float64(n)
		}
		scale := math.Sqrt(variance+inside) + outside
		for i := range alpha {
			normal := (float64(x[first+i]) - mean) / scale
			y[first+i] = float32(normal*float64(alpha[i]) + float64(beta[i]))
		}
	}
	return y
}
