package metric

import "math"

// bins is the number of bins of [ECE], as in the paper.
const bins = 15

// ECE is the expected calibration error (Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3): how far a
// model's confidence, the largest softmax probability, is from its accuracy. The samples fall into 15 bins by confidence, from
// 0 to 1/15, the upper end included, and so on:
//
//	ECE = Σ over the bins of (samples in it / all samples)·|accuracy in it − mean confidence in it|
type ECE struct {
	confidence [bins]float64 // sums
	correct    [bins]int
	count      int
}

// Update puts the samples into their bins.
func (e *ECE) Update(b *Batch) {
	for r, label := range b.Samples {
		prediction := b.Predictions[r]
		confidence := float64(b.Probabilities(r)[prediction])
		bin := max(0, min(int(math.Ceil(confidence*bins))-1, bins-1)) // somewhere, even if the confidence is NaN
		e.confidence[bin] += confidence
		if int(prediction) == label {
			e.correct[bin]++
		}
		e.count++
	}
}

// Result is the error; NaN without samples.
func (e *ECE) Result() float64 {
	var sum float64
	for bin, confidence := range e.confidence {
		sum += math.Abs(float64(e.correct[bin]) - confidence)
	}
	return sum / float64(e.count)
}

// Reset forgets the samples.
func (e *ECE) Reset() { *e = ECE{} }
