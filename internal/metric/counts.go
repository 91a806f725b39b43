package metric

import "math"

// Precision is the fraction of the samples predicted as a class that belong to it; 0 if there are none.
type Precision struct {
	Class       int
	hits, found int
}

// Update counts.
func (p *Precision) Update(b *Batch) {
	for r, label := range b.Samples {
		if int(b.Predictions[r]) != p.Class {
			continue
		}
		p.found++
		if label == p.Class {
			p.hits++
		}
	}
}

// Result is the fraction.
func (p *Precision) Result() float64 { return fraction(p.hits, p.found) }

// Reset forgets the samples.
func (p *Precision) Reset() { p.hits, p.found = 0, 0 }

// Recall is the fraction of a class's samples that are predicted as it; 0 if there are none.
type Recall struct {
	Class      int
	hits, seen int
}

// Update counts.
func (c *Recall) Update(b *Batch) {
	for r, label := range b.Samples {
		if label != c.Class {
			continue
		}
		c.seen++
		if int(b.Predictions[r]) == c.Class {
			c.hits++
		}
	}
}

// Result is the fraction.
func (c *Recall) Result() float64 { return fraction(c.hits, c.seen) }

// Reset forgets the samples.
func (c *Recall) Reset() { c.hits, c.seen = 0, 0 }

// MacroF1 is F1 averaged over the classes. F1 is the harmonic mean of precision and recall: 2·hits/(found + seen). A class that
// was neither seen nor found is left out.
type MacroF1 struct {
	hits, either []int // by class: hits, and found + seen
}

// Update counts.
func (f *MacroF1) Update(b *Batch) {
	if f.hits == nil {
		f.hits, f.either = make([]int, b.Classes), make([]int, b.Classes)
	}
	for r, label := range b.Samples {
		prediction := int(b.Predictions[r])
		f.either[label]++
		f.either[prediction]++
		if label == prediction {
			f.hits[label]++
		}
	}
}

// Result is the mean; NaN without samples.
func (f *MacroF1) Result() float64 {
	var sum float64
	classes := 0
	for k, n := range f.either {
		if n > 0 {
			sum += fraction(2*f.hits[k], n)
			classes++
		}
	}
	if classes == 0 {
		return math.NaN()
	}
	return sum / float64(classes)
}

// Reset forgets the samples.
func (f *MacroF1) Reset() {
	clear(f.hits)
	clear(f.either)
}
