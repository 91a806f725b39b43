package loop

import "math"

// Mean counts over samples. The means are taken once, of the sums, so that a short last batch weighs no more than its
// samples do.
type Mean struct {
	LossSum float64 `json:"loss_sum"`
	Correct int     `json:"correct"`
	Seen    int     `json:"seen"`
}

// Add counts a batch: the sum of its losses, its correct predictions, its samples.
func (m *Mean) Add(lossSum float64, correct, samples int) {
	m.LossSum += lossSum
	m.Correct += correct
	m.Seen += samples
}

// Loss is the mean loss of the samples counted; NaN if there are none.
func (m *Mean) Loss() float64 { return m.LossSum / float64(m.Seen) }

// Accuracy is the fraction of the samples counted that were predicted right; NaN if there are none.
func (m *Mean) Accuracy() float64 { return float64(m.Correct) / float64(m.Seen) }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
