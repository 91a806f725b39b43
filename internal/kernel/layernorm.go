package kernel

import "math"

//go:generate go run -C asm . -out ../layernorm_amd64.s -stubs ../layernorm_amd64_stubs.go -pkg kernel layernorm

// LayerNormStats are what the backward pass of LayerNorm needs of the forward pass, for rows of n values.
type LayerNormStats struct {
	Mean       []float64 // μ of each row, [rows]
	InvScale   []float64 // 1/scale of each row, [rows]
	Correction []float64 // what the projection on x̂ is multiplied by: scale/σ in the book's form, 1 in Keras's, [rows]

	dAlpha, dBeta []float64 // sums over the rows, [n]
}

// NewLayerNormStats makes the statistics of so many rows of n values.
func NewLayerNormStats(rows, n int) *LayerNormStats {
	return &LayerNormStats{
		Mean:       make([]float64, rows),
		InvScale:   make([]float64, rows),
		Correction: make([]float64, rows),
		dAlpha:     make([]float64, n),
		dBeta:      make([]float64, n),
	}
}

// LayerNorm sets each row of y to α⊗(x−μ)/scale + β, where the scale is σ+ε or, with sqrtForm, √(σ²+ε), and keeps the
// statistics of the rows. x and y are [rows, len(alpha)].
//
// μ and σ² (the population variance) are taken in two passes and in float64: with one pass, Σx²−nμ² cancels on rows that are
// far from zero, and in float32 the rounding of μ alone would be felt there. The order of the sums is that of [laneSums].
func LayerNorm(y, x, alpha, beta []float32, epsilon float64, sqrtForm bool, s *LayerNormStats) {
	n := len(alpha)
	check("LayerNorm", "beta", len(beta), n)
	check("LayerNorm", "x", len(x), len(s.Mean)*n)
	check("LayerNorm", "y", len(y), len(x))
	for r := range s.Mean {
		row := x[r*n : (r+1)*n]
		mean, squares := rowMoments(row)
		variance := squares / float64(n)

		var scale, correction float64
		if sqrtForm {
			scale, correction = math.Sqrt(variance+epsilon), 1
		} else {
			sigma := math.Sqrt(variance)
			scale = sigma + epsilon
			if sigma != 0 {
				correction = scale / sigma
			}
		}
		inv := 1 / scale
		s.Mean[r], s.InvScale[r], s.Correction[r] = mean, inv, correction

		normalize(y[r*n:(r+1)*n], row, alpha, beta, mean, inv)
	}
}

// LayerNormGrad sets dx, dα and dβ from the gradient dy of the output, the input x and the statistics of the forward pass, in
// one pass over the rows: with g = α⊗dy,
//
//	dx = (g − mean(g) − correction·x̂·mean(g⊗x̂)) / scale,   dα = Σ dy⊗x̂,   dβ = Σ dy   (sums over the rows)
//
// dx, dy and x are [rows, len(alpha)], dα and dβ [len(alpha)]. x̂ is computed again rather than kept: kept in float32, its
// rounding would be all that is left of dx on short rows, where the three terms cancel.
func LayerNormGrad(dx, dAlpha, dBeta, dy, x, alpha []float32, s *LayerNormStats) {
	n := len(alpha)
	check("LayerNormGrad", "x", len(x), len(s.Mean)*n)
	check("LayerNormGrad", "dy", len(dy), len(x))
	check("LayerNormGrad", "dx", len(dx), len(x))
	check("LayerNormGrad", "dAlpha", len(dAlpha), n)
	check("LayerNormGrad", "dBeta", len(dBeta), n)
	clear(s.dAlpha)
	clear(s.dBeta)
	for r, mean := range s.Mean {
		row, grad, out := x[r*n:(r+1)*n], dy[r*n:(r+1)*n], dx[r*n:(r+1)*n]
		inv := s.InvScale[r]
		sum, projection := layerNormGradSums(s.dAlpha, s.dBeta, grad, row, alpha, mean, inv)
		meanG := sum / float64(n)
		slope := s.Correction[r] * projection / float64(n)
		layerNormGradRow(out, grad, row, alpha, mean, inv, meanG, slope)
	}
	for j := range n {
		dAlpha[j], dBeta[j] = float32(s.dAlpha[j]), float32(s.dBeta[j])
	}
}

// laneSums are the sums of a row: the value at index j goes to lane j modulo 8, as in the vector registers of the assembly,
// except for what the row has beyond a multiple of 8, which is added to the total of the lanes.
type laneSums [8]float64

func (s *laneSums) total() float64 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// rowMoments returns the mean of the values and the sum of their squared distances from it.
func rowMoments(x []float32) (mean, squares float64) {
	if active == AVX2 {
		return rowMomentsAVX2(x)
	}
	return rowMomentsGo(x)
}

func rowMomentsGo(x []float32) (mean, squares float64) {
	var sums laneSums
	whole := len(x) &^ 7
	for i := 0; i < whole; i += 8 {
		for j, v := range x[i : i+8] {
			sums[j] += float64(v)
		}
	}
	sum := sums.total()
	for _, v := range x[whole:] {
		sum += float64(v)
	}
	mean = sum / float64(len(x))

	sums = laneSums{}
	for i := 0; i < whole; i += 8 {
		for j, v := range x[i : i+8] {
			d := float64(v) - mean
			sums[j] += float64(d * d)
		}
	}
	squares = sums.total()
	for _, v := range x[whole:] {
		d := float64(v) - mean
		squares += float64(d * d)
	}
	return mean, squares
}

// normalize sets y to α⊗x̂ + β, where x̂ is (x−mean)·inv.
func normalize(y, x, alpha, beta []float32, mean, inv float64) {
	if active == AVX2 {
		normalizeAVX2(y, x, alpha, beta, mean, inv)
		return
	}
	normalizeGo(y, x, alpha, beta, mean, inv)
}

func normalizeGo(y, x, alpha, beta []float32, mean, inv float64) {
	for j, v := range x {
		xHat := (float64(v) - mean) * inv
		y[j] = float32(float64(float64(alpha[j])*xHat) + float64(beta[j]))
	}
}

// layerNormGradSums returns Σg and Σg⊗x̂ over a row and adds dy⊗x̂ and dy to dα and dβ.
func layerNormGradSums(dAlpha, dBeta []float64, dy, x, alpha []float32, mean, inv float64) (sum, projection float64) {
	if active == AVX2 {
		return layerNormGradSumsAVX2(dAlpha, dBeta, dy, x, alpha, mean, inv)
	}
	return layerNormGradSumsGo(dAlpha, dBeta, dy, x, alpha, mean, inv)
}

func layerNormGradSumsGo(dAlpha, dBeta []float64, dy, x, alpha []float32, mean, inv float64) (sum, projection float64) {
	var sums, projections laneSums
	whole := len(dy) &^ 7
	for j, d := range dy[:whole] {
		g, projected := layerNormGradTerms(&dAlpha[j], &dBeta[j], float64(d), float64(x[j]), float64(alpha[j]), mean, inv)
		sums[j%8] += g
		projections[j%8] += projected
	}
	sum, projection = sums.total(), projections.total()
	for j := whole; j < len(dy); j++ {
		g, projected := layerNormGradTerms(&dAlpha[j], &dBeta[j], float64(dy[j]), float64(x[j]), float64(alpha[j]), mean, inv)
		sum += g
		projection += projected
	}
	return sum, projection
}

// layerNormGradTerms returns one g and one g⊗x̂ and adds to dα and dβ at its column.
func layerNormGradTerms(dAlpha, dBeta *float64, dy, x, alpha, mean, inv float64) (g, projected float64) {
	xHat := (x - mean) * inv
	*dAlpha += float64(dy * xHat)
	*dBeta += dy
	g = float64(alpha * dy)
	return g, float64(g * xHat)
}

// layerNormGradRow sets a row of dx from the row's mean(g) and slope = correction·mean(g⊗x̂).
func layerNormGradRow(dx, dy, x, alpha []float32, mean, inv, meanG, slope float64) {
	if active == AVX2 {
		layerNormGradRowAVX2(dx, dy, x, alpha, mean, inv, meanG, slope)
		return
	}
	layerNormGradRowGo(dx, dy, x, alpha, mean, inv, meanG, slope)
}

func layerNormGradRowGo(dx, dy, x, alpha []float32, mean, inv, meanG, slope float64) {
	for j, d := range dy {
		xHat := (float64(x[j]) - mean) * inv
		g := float64(float64(alpha[j]) * float64(d))
		dx[j] = float32((g - meanG - float64(slope*xHat)) * inv)
	}
}
