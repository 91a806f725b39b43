package layernorm

import "math"

// Reference is LayerNorm and its gradient in float64, written straight from the formulas in the package's comment, without regard
// to speed. It shares no code with the op.
func Reference(x, alpha, beta, dy []float32, form Form, epsilon float64) *Truth {
	n := len(alpha)
	t := &Truth{
		Y:      make([]float64, len(x)),
		DX:     make([]float64, len(x)),
		DAlpha: make([]float64, n),
		DBeta:  make([]float64, n),
	}
	for at := 0; at < len(x); at += n {
		row := x[at : at+n]
		mean, sigma := moments(row)
		s := scale(form, sigma, epsilon)
		var meanG, meanGD float64
		for j, v := range row {
			d, g := float64(v)-mean, float64(alpha[j])*float64(dy[at+j])
			meanG += g / float64(n)
			meanGD += g * d / float64(n)
			t.Y[at+j] = float64(alpha[j])*d/s + float64(beta[j])
			t.DAlpha[j] += float64(dy[at+j]) * d / s
			t.DBeta[j] += float64(dy[at+j])
		}
		for j, v := range row {
			d, g := float64(v)-mean, float64(alpha[j])*float64(dy[at+j])
			t.DX[at+j] = (g - meanG) / s
			switch {
			case form == Keras:
				t.DX[at+j] -= d * meanGD / (s * s * s)
			case sigma > 0:
				t.DX[at+j] -= d * meanGD / (sigma * s * s)
			}
		}
	}
	return t
}

// moments are the mean and the population standard deviation of a row, in two passes.
func moments(row []float32) (mean, sigma float64) {
	for _, v := range row {
		mean += float64(v)
	}
	mean /= float64(len(row))
	var variance float64
	for _, v := range row {
		variance += (float64(v) - mean) * (float64(v) - mean)
	}
	return mean, math.Sqrt(variance / float64(len(row)))
}

// scale is what x−μ is divided by.
func scale(form Form, sigma, epsilon float64) float64 {
	if form == Keras {
		return math.Sqrt(sigma*sigma + epsilon)
	}
	return sigma + epsilon
}
