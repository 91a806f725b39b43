package kernel

import "math"

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
// far from zero, and in float32 the rounding of μ alone would be felt there.
func LayerNorm(y, x, alpha, beta []float32, epsilon float64, sqrtForm bool, s *LayerNormStats) {
	n := len(alpha)
	check("LayerNorm", "beta", len(beta), n)
	check("LayerNorm", "x", len(x), len(s.Mean)*n)
	check("LayerNorm", "y", len(y), len(x))
	for r := range s.Mean {
		row := x[r*n : (r+1)*n]
		var sum float64
		for _, v := range row {
			sum += float64(v)
		}
		mean := sum / float64(n)
		var squares float64
		for _, v := range row {
			d := float64(v) - mean
			squares += float64(d * d)
		}
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

		out := y[r*n : (r+1)*n]
		for j, v := range row {
			xHat := (float64(v) - mean) * inv
			out[j] = float32(float64(float64(alpha[j])*xHat) + float64(beta[j]))
		}
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
		var sum, projection float64
		for j, d := range grad {
			xHat := (float64(row[j]) - mean) * inv
			s.dAlpha[j] += float64(float64(d) * xHat)
			s.dBeta[j] += float64(d)
			g := float64(alpha[j]) * float64(d)
			sum += g
			projection += float64(g * xHat)
		}
		meanG := sum / float64(n)
		slope := s.Correction[r] * projection / float64(n)
		for j, d := range grad {
			xHat := (float64(row[j]) - mean) * inv
			g := float64(alpha[j]) * float64(d)
			out[j] = float32((g - meanG - float64(slope*xHat)) * inv)
		}
	}
	for j := range n {
		dAlpha[j], dBeta[j] = float32(s.dAlpha[j]), float32(s.dBeta[j])
	}
}
