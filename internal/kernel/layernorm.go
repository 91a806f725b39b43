package kernel

import "math"

// LayerNormStats are what the backward pass of LayerNorm needs of the forward pass, for rows of n values.
type LayerNormStats struct {
	XHat       []float32 // the normalised rows, (x−μ)/scale, [rows*n]
	InvScale   []float64 // 1/scale of each row, [rows]
	Correction []float64 // what the book's form multiplies the projection on x̂ by, scale/σ; 1 in Keras's form, [rows]

	dAlpha, dBeta []float64 // sums over the rows, [n]
}

// NewLayerNormStats makes the statistics of so many rows of n values.
func NewLayerNormStats(rows, n int) *LayerNormStats {
	return &LayerNormStats{
		XHat:       make([]float32, rows*n),
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
	check("LayerNorm", "x", len(x), len(s.XHat))
	check("LayerNorm", "y", len(y), len(x))
	for r := range s.InvScale {
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
		s.InvScale[r], s.Correction[r] = inv, correction

		xHat, out := s.XHat[r*n:(r+1)*n], y[r*n:(r+1)*n]
		for j, v := range row {
			h := float32((float64(v) - mean) * inv)
			xHat[j] = h
			out[j] = float32(alpha[j]*h) + beta[j]
		}
	}
}

// LayerNormGrad sets dx, dα and dβ from the gradient dy of the output and the statistics of the forward pass, in one pass
// over the rows: with g = α⊗dy,
//
//	dx = (g − mean(g) − correction·x̂·mean(g⊗x̂)) / scale,   dα = Σ dy⊗x̂,   dβ = Σ dy   (sums over the rows)
//
// dx and dy are [rows, len(alpha)], dα and dβ [len(alpha)].
func LayerNormGrad(dx, dAlpha, dBeta, dy, alpha []float32, s *LayerNormStats) {
	n := len(alpha)
	check("LayerNormGrad", "dy", len(dy), len(s.XHat))
	check("LayerNormGrad", "dx", len(dx), len(dy))
	check("LayerNormGrad", "dAlpha", len(dAlpha), n)
	check("LayerNormGrad", "dBeta", len(dBeta), n)
	clear(s.dAlpha)
	clear(s.dBeta)
	for r := range s.InvScale {
		xHat, grad, out := s.XHat[r*n:(r+1)*n], dy[r*n:(r+1)*n], dx[r*n:(r+1)*n]
		var sum, projection float64
		for j, d := range grad {
			h := float64(xHat[j])
			s.dAlpha[j] += float64(float64(d) * h)
			s.dBeta[j] += float64(d)
			g := float64(alpha[j]) * float64(d)
			sum += g
			projection += float64(g * h)
		}
		mean := sum / float64(n)
		slope := s.Correction[r] * projection / float64(n)
		inv := s.InvScale[r]
		for j, d := range grad {
			g := float64(alpha[j]) * float64(d)
			out[j] = float32((g - mean - float64(slope*float64(xHat[j]))) * inv)
		}
	}
	for j := range n {
		dAlpha[j], dBeta[j] = float32(s.dAlpha[j]), float32(s.dBeta[j])
	}
}
