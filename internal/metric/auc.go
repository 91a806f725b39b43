package metric

import (
	"cmp"
	"math"
	"slices"
)

// AUC is the area under the ROC curve, each class against the others, averaged over the classes. For a class it is the chance
// that a sample of the class gets a larger probability for it than a sample of another class; equal ones count half (Mann and
// Whitney 1947). A class is left out if all samples or none belong to it.
//
// It is exact: it keeps the probabilities of all samples, 4 bytes for each class of each sample, and sorts them for the result.
type AUC struct {
	Classes       int
	probabilities []float32 // [samples, Classes]
	labels        []int32
	order         []int32 // of the samples by a class's probability
}

// Update keeps the probabilities.
func (a *AUC) Update(b *Batch) {
	for r, label := range b.Samples {
		a.probabilities = append(a.probabilities, b.Probabilities(r)...)
		a.labels = append(a.labels, int32(label))
	}
}

// Result sorts the samples once for each class; NaN if no class has both samples and others.
func (a *AUC) Result() float64 {
	var sum float64
	classes := 0
	for k := range a.Classes {
		if area := a.area(k); !math.IsNaN(area) {
			sum += area
			classes++
		}
	}
	if classes == 0 {
		return math.NaN()
	}
	return sum / float64(classes)
}

// Reset forgets the samples, and keeps the memory.
func (a *AUC) Reset() { a.probabilities, a.labels = a.probabilities[:0], a.labels[:0] }

// area is the area for class k; NaN if all samples or none belong to it.
func (a *AUC) area(k int) float64 {
	score := func(i int32) float32 { return a.probabilities[int(i)*a.Classes+k] }
	a.order = a.order[:0]
	for i := range a.labels {
		a.order = append(a.order, int32(i))
	}
	slices.SortFunc(a.order, func(i, j int32) int { return cmp.Compare(score(i), score(j)) })

	var won, own, others float64 // won: pairs in which the class's sample is ahead; all counts are whole or half
	for first, last := 0, 0; first < len(a.order); first = last {
		var ownEqual, othersEqual float64
		for last < len(a.order) && cmp.Compare(score(a.order[first]), score(a.order[last])) == 0 {
			if int(a.labels[a.order[last]]) == k {
				ownEqual++
			} else {
				othersEqual++
			}
			last++
		}
		won += float64(ownEqual * (others + float64(othersEqual/2)))
		own += ownEqual
		others += othersEqual
	}
	return won / (own * others)
}
