package metric

// Mean is the mean of a function of each sample. The sum is divided once, at the end, so a short batch counts by its number of
// samples.
type Mean struct {
	Of    Func
	sum   float64
	count int
}

// Update adds the values of a batch's samples.
func (m *Mean) Update(b *Batch) {
	for r, label := range b.Samples {
		m.sum += m.Of(b.Row(r), label)
		m.count++
	}
}

// Result is the mean; NaN without samples.
func (m *Mean) Result() float64 { return m.sum / float64(m.count) }

// Reset forgets the samples.
func (m *Mean) Reset() { m.sum, m.count = 0, 0 }

// Accuracy is 1 if the label has the largest logit, the first of equals, else 0.
func Accuracy(logits []float32, label int) float64 { return top(1, logits, label) }

// Top3 is 1 if the label is among the three largest logits, else 0. Of equal logits the first count.
func Top3(logits []float32, label int) float64 { return top(3, logits, label) }

// top is 1 if fewer than n logits come before the label's.
func top(n int, logits []float32, label int) float64 {
	before := 0
	for j, z := range logits {
		if z > logits[label] || z == logits[label] && j < label {
			before++
		}
	}
	if before < n {
		return 1
	}
	return 0
}

// fraction is n/of, or 0 if of is 0.
func fraction(n, of int) float64 { return float64(n) / float64(max(of, 1)) }
