package metric

import "fmtrain/internal/kernel"

// Batch is a batch of samples with the model's outputs. A row with a negative label only fills up a short batch and is not
// counted.
type Batch struct {
	Classes     int
	Logits      []float32 // [batch, Classes]
	Labels      []int32   // [batch]
	Predictions []int32   // the class of the largest logit, the first of equals, [batch]

	probabilities []float32 // softmax(Logits), once it has been asked for
	work          []float64
}

// set replaces the samples, and keeps the working memory.
func (b *Batch) set(logits []float32, labels, predictions []int32) {
	b.Logits, b.Labels, b.Predictions = logits, labels, predictions
	b.probabilities = b.probabilities[:0]
}

// Samples yields the rows that count, with their labels.
func (b *Batch) Samples(yield func(row, label int) bool) {
	for r, label := range b.Labels {
		if label >= 0 && !yield(r, int(label)) {
			return
		}
	}
}

// Row is the logits of a row.
func (b *Batch) Row(r int) []float32 { return b.Logits[r*b.Classes : (r+1)*b.Classes] }

// Probabilities is the softmax of a row's logits. The first call computes it for the whole batch, so a run without such a
// metric does not pay for it.
func (b *Batch) Probabilities(r int) []float32 {
	if len(b.probabilities) < len(b.Logits) {
		b.softmax()
	}
	return b.probabilities[r*b.Classes : (r+1)*b.Classes]
}

func (b *Batch) softmax() {
	n := len(b.Logits)
	if cap(b.probabilities) < n {
		b.probabilities, b.work = make([]float32, n), make([]float64, b.Classes)
	}
	b.probabilities = b.probabilities[:n]
	for r := range b.Samples {
		kernel.CrossEntropyRow(b.probabilities[r*b.Classes:(r+1)*b.Classes], b.work, b.Row(r), 0)
	}
}
