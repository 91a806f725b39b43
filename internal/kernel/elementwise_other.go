//go:build !amd64 || purego

package kernel

// The kernels on values and rows that only amd64 has in assembly. [Available] has no [AVX2] here, so nothing calls them.

const unreachable = "kernel: AVX2 chosen without being available"

func reluAVX2(y, x []float32) int          { panic(unreachable) }
func reluGradAVX2(dx, dy, y []float32) int { panic(unreachable) }

func sumRowsAVX2(sum, x []float32)   { panic(unreachable) }
func allFiniteAVX2(x []float32) bool { panic(unreachable) }

func rowMomentsAVX2(x []float32) (mean, squares float64)           { panic(unreachable) }
func normalizeAVX2(y, x, alpha, beta []float32, mean, inv float64) { panic(unreachable) }
func layerNormGradSumsAVX2(dAlpha, dBeta []float64, dy, x, alpha []float32, mean, inv float64) (sum, projection float64) {
	panic(unreachable)
}
func layerNormGradRowAVX2(dx, dy, x, alpha []float32, mean, inv, meanG, slope float64) {
	panic(unreachable)
}

func sgdAVX2(w, g []float32, rate, decay float32) int                             { panic(unreachable) }
func momentumAVX2(w, velocity, g []float32, rate, friction, decay float32) int    { panic(unreachable) }
func nesterovAVX2(w, velocity, g []float32, rate, friction, decay float32) int    { panic(unreachable) }
func adaGradAVX2(w, sum, g []float32, rate, epsilon, decay float32) int           { panic(unreachable) }
func rmsPropAVX2(w, square, g []float32, rate, slope, epsilon, decay float32) int { panic(unreachable) }
func rmsPropMomentumAVX2(w, square, velocity, g []float32, rate, slope, friction, epsilon, decay float32) int {
	panic(unreachable)
}
func adamAVX2(w, m, v, g []float32, rate, slope1, slope2, scale, epsilon, decay float32) int {
	panic(unreachable)
}
func adamWAVX2(w, m, v, g []float32, rate, slope1, slope2, scale, epsilon, decay float32) int {
	panic(unreachable)
}
func nAdamAVX2(w, m, v, g []float32, gradientRate, meanRate, slope1, slope2, scale, epsilon, decay float32) int {
	panic(unreachable)
}
