package kernel

import "math"

// CrossEntropyRow is the cross-entropy −log softmax(logits)[label] of one sample, and sets p to softmax(logits). It is
// stable for any finite logits: the largest is subtracted before the exponentials, which are taken in float64.
func CrossEntropyRow(p, logits []float32, label int) float64 {
	check("CrossEntropyRow", "p", len(p), len(logits))
	largest := float64(logits[ArgMax(logits)])
	var sum float64
	for _, v := range logits {
		sum += math.Exp(float64(v) - largest)
	}
	for j, v := range logits {
		p[j] = float32(math.Exp(float64(v)-largest) / sum)
	}
	return math.Log(sum) - (float64(logits[label]) - largest)
}

// ArgMax is the index of the largest value, the first of equals.
func ArgMax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}
