package metric

// Tally counts samples: their losses and how many were predicted right. It keeps sums, and computes the means from them, so a
// short last batch counts by its number of samples.
type Tally struct {
	LossSum float64 `json:"loss_sum"`
	Correct int     `json:"correct"`
	Seen    int     `json:"seen"`
}

// Add counts a batch: the sum of its losses, its correct predictions, its samples.
func (t *Tally) Add(lossSum float64, correct, samples int) {
	t.LossSum += lossSum
	t.Correct += correct
	t.Seen += samples
}

// Loss is the mean loss of the samples; NaN if there are none.
func (t *Tally) Loss() float64 { return t.LossSum / float64(t.Seen) }

// Accuracy is the fraction of the samples that were predicted right; NaN if there are none.
func (t *Tally) Accuracy() float64 { return float64(t.Correct) / float64(t.Seen) }
