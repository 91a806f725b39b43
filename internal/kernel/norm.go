package kernel

// SumSquares is Σ x² in float64. On every processor it computes four sums, each of every fourth value, and adds them at the end. The square
// of a float32 is exact in float64, and no sum of them overflows.
func SumSquares(x []float32) float64 {
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(x); i += 4 {
		a, b, c, d := float64(x[i]), float64(x[i+1]), float64(x[i+2]), float64(x[i+3])
		s0 += float64(a * a)
		s1 += float64(b * b)
		s2 += float64(c * c)
		s3 += float64(d * d)
	}
	for ; i < len(x); i++ {
		a := float64(x[i])
		s0 += float64(a * a)
	}
	return (s0 + s1) + (s2 + s3)
}

// Average moves the average a towards x by a share from 0 to 1:
//
//	a ← a + share·(x − a)
//
// Each operation is rounded. It is [SGD] with x as the gradient, a rate of −share and a weight decay of −1, so it is as fast.
func Average(a, x []float32, share float32) {
	check("Average", "x", len(x), len(a))
	active.sgd(a, x, -share, -1)
}
