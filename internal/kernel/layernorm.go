package kernel

import "math"

//go:generate go run -C asm . -out ../layernorm_amd64.s -stubs ../layernorm_amd64_stubs.go -pkg kernel layernorm

// LayerNormStats are the values of the forward pass that the backward pass of LayerNorm needs.
type LayerNormStats struct {
	Mean       []float64 // μ of each row, [rows]
	InvScale   []float64 // 1/scale of each row, [rows]
	Correction []float64 // factor of the projection on x̂: scale/σ in the book's form, 1 in Keras's, [rows]
}

// NewLayerNormStats allocates statistics for this number of rows.
func NewLayerNormStats(rows int) LayerNormStats {
	return LayerNormStats{make([]float64, rows), make([]float64, rows), make([]float64, rows)}
}

// Rows are the statistics of the rows [top,bottom).
func (s LayerNormStats) Rows(top, bottom int) LayerNormStats {
	return LayerNormStats{s.Mean[top:bottom], s.InvScale[top:bottom], s.Correction[top:bottom]}
}

// LayerNorm sets each row of y to α⊗(x−μ)/scale + β, where the scale is σ+ε or, with sqrtForm, √(σ²+ε), and keeps the
// statistics of the rows. x and y are [rows, len(alpha)].
//
// μ and σ² (the population variance) are computed in two passes and in float64. With one pass, Σx²−nμ² would cancel on rows that are
// far from zero. In float32 the rounding of μ would matter on such rows. The order of the sums is that of [laneSums].
func LayerNorm(y, x, alpha, beta []float32, epsilon float64, sqrtForm bool, s LayerNormStats) {
	n := len(alpha)
	check("LayerNorm", "beta", len(beta), n)
	check("LayerNorm", "x", len(x), len(s.Mean)*n)
	check("LayerNorm", "y", len(y), len(x))
	inside, outside := 0.0, epsilon
	if sqrtForm {
		inside, outside = epsilon, 0
	}
	rows := blockRows(n)
	w := layerNormWorks.get()
	values := w.take(2*roomFor(n) + roomFor(rows*n))
	a, b, work := values[:n], values[roomFor(n):][:n], values[2*roomFor(n):]
	active.widen(a, alpha)
	active.widen(b, beta)
	for top := 0; top < len(s.Mean); top += rows {
		bottom := min(top+rows, len(s.Mean))
		block := s.Rows(top, bottom)
		active.layerNormRows(y[top*n:bottom*n], x[top*n:bottom*n], a, b, work, inside, outside, block.Mean, block.InvScale, block.Correction)
	}
	layerNormWorks.put(w)
}

// LayerNormGrad sets dx from the gradient dy of the output, the input x and the statistics of the forward pass: with
// g = α⊗dy,
//
//	dx = (g − mean(g) − correction·x̂·mean(g⊗x̂)) / scale
//
// dx, dy and x are [rows, len(alpha)]. x̂ is computed again and not kept: on short rows the three terms may cancel, and then the
// rounding of a kept float32 x̂ would be all that is left of dx.
func LayerNormGrad(dx, dy, x, alpha []float32, s LayerNormStats) {
	n := len(alpha)
	check("LayerNormGrad", "x", len(x), len(s.Mean)*n)
	check("LayerNormGrad", "dy", len(dy), len(x))
	check("LayerNormGrad", "dx", len(dx), len(x))
	rows := blockRows(n)
	w := layerNormWorks.get()
	values := w.take(roomFor(n) + 2*roomFor(rows*n) + 2*rows)
	a, g, xHat, sums := values[:n], values[roomFor(n):], values[roomFor(n)+roomFor(rows*n):], values[len(values)-2*rows:]
	active.widen(a, alpha)
	for top := 0; top < len(s.Mean); top += rows {
		bottom := min(top+rows, len(s.Mean))
		block := s.Rows(top, bottom)
		active.layerNormGradRows(dx[top*n:bottom*n], dy[top*n:bottom*n], x[top*n:bottom*n], a, g, xHat, sums,
			block.Mean, block.InvScale, block.Correction)
	}
	layerNormWorks.put(w)
}

// LayerNormParameterGrad sets dα = Σ dy⊗x̂ and dβ = Σ dy, sums over the rows in their order and in float64, for the columns
// [left,right). dy and x are [rows, n]. dα and dβ are [n]; only those columns are written.
func LayerNormParameterGrad(dAlpha, dBeta, dy, x []float32, s LayerNormStats, left, right int) {
	n := len(dAlpha)
	check("LayerNormParameterGrad", "dBeta", len(dBeta), n)
	check("LayerNormParameterGrad", "x", len(x), len(s.Mean)*n)
	check("LayerNormParameterGrad", "dy", len(dy), len(x))
	active.layerNormColumns(dAlpha[left:right], dBeta[left:right], dy, x, s.Mean, s.InvScale, left, n)
}

// A layerNormWork is working memory of LayerNorm: α, β and the values of some rows in float64.
type layerNormWork struct{ values []float64 }

var layerNormWorks = newScratch[layerNormWork]()

// take is memory of n values. It is allocated if no earlier call took as much.
func (w *layerNormWork) take(n int) []float64 {
	if len(w.values) < n {
		w.values = make([]float64, n)
	}
	return w.values[:n]
}

// roomFor is the room for n values in working memory: the assembly reads and writes whole vectors of four, so the last vector of a row
// may go on for three values.
func roomFor(n int) int { return n + 3 }

// blockRows is the number of rows of n values that are taken at a time: their values in float64 fit in the first cache.
func blockRows(n int) int { return max(1, 1024/max(1, n)) }

// laneSums are the sums of a row: the value at index j goes to lane j modulo 8, as in the vector registers of the assembly,
// where the last values of a row are a vector under a mask.
type laneSums [8]float64

func (s *laneSums) total() float64 {
	return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))
}

// widenGo sets to = from.
func widenGo(to []float64, from []float32) {
	for j, v := range from {
		to[j] = float64(v)
	}
}

// layerNormRowsGo is [LayerNorm] of some rows, with the scale √(σ²+inside)+outside. The assembly keeps values in work.
func layerNormRowsGo(y, x []float32, alpha, beta, work []float64, inside, outside float64, mean, inv, correction []float64) {
	n := len(alpha)
	for r := range mean {
		row := x[r*n : (r+1)*n]
		m, squares := rowMoments(row)
		root := math.Sqrt(squares/float64(n) + inside)
		scale := root + outside
		mean[r], inv[r], correction[r] = m, 1/scale, 0
		if root != 0 {
			correction[r] = scale / root
		}
		normalize(y[r*n:(r+1)*n], row, alpha, beta, m, inv[r])
	}
}

// rowMoments returns the mean of the values and the sum of their squared distances from it.
func rowMoments(x []float32) (mean, squares float64) {
	var sums laneSums
	for j, v := range x {
		sums[j%8] += float64(v)
	}
	mean = sums.total() / float64(len(x))

	sums = laneSums{}
	for j, v := range x {
		d := float64(v) - mean
		sums[j%8] += float64(d * d)
	}
	return mean, sums.total()
}

// normalize sets y to α⊗x̂ + β, where x̂ is (x−mean)·inv.
func normalize(y, x []float32, alpha, beta []float64, mean, inv float64) {
	for j, v := range x {
		xHat := (float64(v) - mean) * inv
		y[j] = float32(float64(alpha[j]*xHat) + beta[j])
	}
}

// layerNormGradRowsGo is [LayerNormGrad] of some rows. The assembly keeps g, x̂ and the sums of the rows.
func layerNormGradRowsGo(dx, dy, x []float32, alpha, g, xHat, sums, mean, inv, correction []float64) {
	n := len(alpha)
	for r, m := range mean {
		row, grad, out := x[r*n:(r+1)*n], dy[r*n:(r+1)*n], dx[r*n:(r+1)*n]
		sum, projection := layerNormGradSums(grad, row, alpha, m, inv[r])
		meanG := sum / float64(n)
		slope := correction[r] * projection / float64(n)
		layerNormGradRow(out, grad, row, alpha, m, inv[r], meanG, slope)
	}
}

// layerNormGradSums returns Σg and Σg⊗x̂ over a row.
func layerNormGradSums(dy, x []float32, alpha []float64, mean, inv float64) (sum, projection float64) {
	var sums, projections laneSums
	for j, d := range dy {
		g := float64(alpha[j] * float64(d))
		xHat := float64((float64(x[j]) - mean) * inv)
		sums[j%8] += g
		projections[j%8] += float64(g * xHat)
	}
	return sums.total(), projections.total()
}

// layerNormGradRow sets a row of dx from the row's mean(g) and slope = correction·mean(g⊗x̂).
func layerNormGradRow(dx, dy, x []float32, alpha []float64, mean, inv, meanG, slope float64) {
	for j, d := range dy {
		xHat := (float64(x[j]) - mean) * inv
		g := float64(alpha[j] * float64(d))
		dx[j] = float32((g - meanG - float64(slope*xHat)) * inv)
	}
}

// layerNormColumnsGo sets dα and dβ of len(dAlpha) columns of the rows of n values, from the column left on. It takes eight
// columns at a time down all rows.
func layerNormColumnsGo(dAlpha, dBeta, dy, x []float32, mean, inv []float64, left, n int) {
	for ; len(dAlpha) > 0; left += 8 {
		columns := min(8, len(dAlpha))
		var alphaSums, betaSums [8]float64
		for r, mean := range mean {
			at := r*n + left
			row := x[at : at+columns]
			for j, v := range dy[at : at+columns] {
				d := float64(v)
				xHat := (float64(row[j]) - mean) * inv[r]
				alphaSums[j] += float64(d * xHat)
				betaSums[j] += d
			}
		}
		for j := range columns {
			dAlpha[j], dBeta[j] = float32(alphaSums[j]), float32(betaSums[j])
		}
		dAlpha, dBeta = dAlpha[columns:], dBeta[columns:]
	}
}
