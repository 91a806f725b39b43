package kernel

import "math"

//go:generate go run -C asm . -out ../crossentropy_amd64.s -stubs ../crossentropy_amd64_stubs.go -pkg kernel crossentropy

// CrossEntropyRow returns the cross-entropy −log softmax(logits)[label] of one sample and sets p to softmax(logits). exps is
// working memory of the same length. It is stable for any finite logits: the largest is subtracted before the exponentials
// are computed in float64.
func CrossEntropyRow(p []float32, exps []float64, logits []float32, label int) float64 {
	check("CrossEntropyRow", "p", len(p), len(logits))
	check("CrossEntropyRow", "exps", len(exps), len(logits))
	largest := float64(logits[ArgMax(logits)])
	sum := active.softmax(p, exps, logits, largest)
	return math.Log(sum) - (float64(logits[label]) - largest)
}

// ArgMax is the index of the largest value, the first one if several are equal.
func ArgMax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// softmaxGo sets exps to exp(x−largest) and p to exps divided by their sum. It returns the sum, added in the order of
// [laneSums].
func softmaxGo(p []float32, exps []float64, x []float32, largest float64) (sum float64) {
	for j, v := range x {
		exps[j] = expNegative(float64(v) - largest)
	}
	var sums laneSums
	for j, e := range exps {
		sums[j%8] += e
	}
	sum = sums.total()
	for j, e := range exps {
		p[j] = float32(e / sum)
	}
	return sum
}

// exponential are the constants of expNegative, in the order in which the assembly reads them.
var exponential = struct {
	least              float64     // its exp is 1e-304: negligible in a sum of 1 or more, and 0 as a float32
	log2E              float64     // 1/ln 2
	shift              float64     // adding it to a number rounds that to a whole number, in the last bits
	ln2Upper, ln2Lower float64     // ln 2 in two parts: the upper one times a whole number of 11 bits is exact
	coefficients       [14]float64 // 1/13!, 1/12!, ..., 1/2!, 1, 1
}{-700, math.Log2E, 3 << 51, 0x1.62e42fefap-1, 0x1.cf79abc9e3b3ap-40, inverseFactorials()}

// inverseFactorials are from 1/13! to 1/0!: within ln(2)/2 of 0, the remaining terms of the series of exp are below 2⁻⁵⁷.
func inverseFactorials() (c [14]float64) {
	factorial := 1.0
	for i := range c {
		if i > 1 {
			factorial *= float64(i)
		}
		c[len(c)-1-i] = 1 / factorial
	}
	return c
}

// expNegative is exp(x) for x ≤ 0 with a relative error of about 1e-15. Below −700 it is exp(−700). With x = n·ln 2 + r it is
// 2ⁿ·exp(r). The steps are written out because the assembly, which computes eight at a time, must give the same bits. No
// product is fused with a sum.
func expNegative(x float64) float64 {
	c := &exponential
	if x < c.least {
		x = c.least
	}
	shifted := float64(x*c.log2E) + c.shift
	n := shifted - c.shift
	r := (x - float64(n*c.ln2Upper)) - float64(n*c.ln2Lower)
	sum := c.coefficients[0]
	for _, coefficient := range c.coefficients[1:] {
		sum = float64(sum*r) + coefficient
	}
	return sum * math.Float64frombits(math.Float64bits(shifted)<<52+math.Float64bits(1))
}
