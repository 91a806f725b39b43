package kernel

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// FuzzRowTwins runs the row kernels on any bits as values and any scalars. Every instruction set must give the bits of the plain
// kernels, or a NaN where they give one.
func FuzzRowTwins(f *testing.F) {
	const text = "a row's values are four bytes each, and there are four slices of them; ten values are a vector of eight and two under a mask"
	f.Add(0.25, 1.5, 0.125, 3.0, []byte(text+text))
	f.Add(math.Inf(1), 0.0, math.NaN(), -1e300, []byte(text))
	f.Add(math.Copysign(0, -1), 1e-310, 1.0, 1.0, make([]byte, 16*13))
	f.Fuzz(func(t *testing.T, mean, inv, meanG, slope float64, data []byte) {
		n := len(data) / 16
		if n == 0 {
			return
		}
		values := make([]float32, 4*n)
		for i := range values {
			values[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
		want := newRowResults(&generic, values, mean, inv, meanG, slope)
		for _, set := range available[1:] {
			got := newRowResults(set, values, mean, inv, meanG, slope)
			for i, kernel := range want {
				if !sameDoubles(got[i].values, kernel.values) {
					t.Errorf("%s of %d values with %s: expected %v, found %v", kernel.name, n, set.name, kernel.values, got[i].values)
				}
			}
		}
	})
}

// A rowResult is a kernel's result for a row, in float64, which holds float32 exactly.
type rowResult struct {
	name   string
	values []float64
}

// newRowResults runs every row kernel of the set. values are four slices of one length.
func newRowResults(set *instructions, values []float32, mean, inv, meanG, slope float64) []rowResult {
	n := len(values) / 4
	x, dy, alpha, beta := values[:n], values[n:2*n], values[2*n:3*n], values[3*n:]
	doubles := func(x []float32) []float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = float64(v)
		}
		return y
	}
	y := make([]float32, n)

	var results []rowResult
	keep := func(name string, values ...float64) { results = append(results, rowResult{name, values}) }
	wide := [2][]float64{make([]float64, n, roomFor(n)), make([]float64, n, roomFor(n))}
	set.widen(wide[0], alpha)
	set.widen(wide[1], beta)
	keep("widen", slices.Concat(wide[0], wide[1])...)
	s, work, sums := NewLayerNormStats(1), make([]float64, 2*roomFor(n)), make([]float64, 2)
	for _, epsilons := range [][2]float64{{meanG, 0}, {0, meanG}} {
		set.layerNormRows(y, x, wide[0], wide[1], work, epsilons[0], epsilons[1], s.Mean, s.InvScale, s.Correction)
		keep("layerNormRows", append(doubles(y), s.Mean[0], s.InvScale[0], s.Correction[0])...)
	}
	set.layerNormGradRows(y, dy, x, wide[0], work, work[roomFor(n):], sums, []float64{mean}, []float64{inv}, []float64{slope})
	keep("layerNormGradRows", doubles(y)...)
	dAlpha, dBeta := make([]float32, n/2), make([]float32, n/2)
	set.layerNormColumns(dAlpha, dBeta, values[:2*n], values[2*n:], []float64{mean, meanG}, []float64{inv, slope}, n-n/2, n)
	keep("layerNormColumns", doubles(append(dAlpha, dBeta...))...)

	exps := make([]float64, n)
	for _, largest := range []float64{float64(x[ArgMax(x)]), mean} {
		sum := set.softmax(y, exps, x, largest)
		keep("softmax", append(append(doubles(y), exps...), sum)...)
	}
	set.sumRows(y, values)
	keep("sumRows", doubles(y)...)
	finite := 0.0
	if set.allFinite(values) {
		finite = 1
	}
	keep("allFinite", finite)
	return results
}
