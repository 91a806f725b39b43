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
	samples    [bins]int
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
		e.samples[bin]++
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

// Bin is the samples of a range of confidence.
type Bin struct {
	Low, High  float64 // High is included
	Count      int
	Accuracy   float64 // 0 without samples
	Confidence float64 // the mean; 0 without samples
}

// Bins are the bins, from the least to the greatest confidence.
func (e *ECE) Bins() (all []Bin) {
	for i := range bins {
		b := Bin{Low: float64(i) / bins, High: float64(i+1) / bins, Count: e.samples[i]}
		if b.Count > 0 {
			b.Accuracy, b.Confidence = float64(e.correct[i])/float64(b.Count), e.confidence[i]/float64(b.Count)
		}
		all = append(all, b)
	}
	return all
}

// Reset forgets the samples.
func (e *ECE) Reset() { *e = ECE{} }
