// Package dataset holds the images and labels that a model is trained on, from their files to the batches of a step.
//
// The format is that of MNIST (IDX files, 28x28 grey images, labels 0 to 9) and the data set Fashion-MNIST: Xiao, Rasul and
// Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning Algorithms", 2017. Pixels stay bytes in
// memory, a quarter of what float32 would take; a batch is converted as it is filled.
//
//	Load -> Data{Train, Test} -> Split -> Sampler.Order -> Set.Fill
package dataset

import (
	"fmt"
	"math"

	"fmtrain/internal/kernel"
)

// The form of an image and of a label.
const (
	Rows    = 28
	Cols    = 28
	Pixels  = Rows * Cols
	Classes = 10
)

// ClassNames are the names of Fashion-MNIST's classes, by label.
var ClassNames = [Classes]string{
	"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
}

// Padding is the label of a row that holds no image: the loss and the counts leave it out.
const Padding = -1

// Set is n images of Pixels bytes each, row by row, 0 for the background and 255 for the darkest, and their n labels.
type Set struct {
	Images []uint8
	Labels []uint8
}

// Len is the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Slice is the set of the images lo <= i < hi. It shares the memory of s. It panics unless 0 <= lo <= hi <= s.Len().
func (s *Set) Slice(lo, hi int) *Set {
	return &Set{
		Images: s.Images[lo*Pixels : hi*Pixels : hi*Pixels],
		Labels: s.Labels[lo:hi:hi],
	}
}

// Fill makes a batch of the images of the given rows: row i of x becomes image rows[i], each pixel p as float32(p)/255, and
// labels[i] its label. A batch may be longer than rows, as the last of an epoch is: what remains of x is set to 0 and of
// labels to [Padding]. Fill allocates nothing.
//
// x is [len(labels), Pixels] row by row. Fill panics if its length is another, if there are more rows than labels, or if a
// row isn't in 0 <= rows[i] < s.Len().
func (s *Set) Fill(x []float32, labels []int32, rows []int32) {
	if len(x) != len(labels)*Pixels || len(rows) > len(labels) {
		panic(fmt.Sprintf("dataset: Fill of %d rows into %d values and %d labels", len(rows), len(x), len(labels)))
	}
	for i, row := range rows {
		kernel.Intensities(x[i*Pixels:(i+1)*Pixels], s.Images[int(row)*Pixels:(int(row)+1)*Pixels])
		labels[i] = int32(s.Labels[row])
	}
	clear(x[len(rows)*Pixels:])
	for i := len(rows); i < len(labels); i++ {
		labels[i] = Padding
	}
}

// Prefetch has the images of the given rows brought to the processor's caches, for a Fill of them soon after.
func (s *Set) Prefetch(rows []int32) {
	for _, row := range rows {
		kernel.Prefetch(s.Images[int(row)*Pixels : (int(row)+1)*Pixels])
	}
}

// Stats describes a set. Mean and Std are those of all pixels on the scale 0 to 1 that [Set.Fill] uses; Std is that of the
// population. Of an empty set they are 0.
type Stats struct {
	Count     int
	PerClass  [Classes]int
	Mean, Std float64
}

// Stats counts the images of each class, and the pixels. The moments come from an exact histogram.
func (s *Set) Stats() Stats {
	stats := Stats{Count: s.Len()}
	if stats.Count == 0 {
		return stats
	}
	for _, label := range s.Labels {
		stats.PerClass[label]++
	}
	var histogram [256]int
	for _, p := range s.Images {
		histogram[p]++
	}
	n := float64(len(s.Images))
	for p, count := range histogram {
		stats.Mean += float64(count) / n * float64(p) / 255
	}
	var variance float64
	for p, count := range histogram {
		d := float64(p)/255 - stats.Mean
		variance += float64(float64(count) / n * d * d)
	}
	stats.Std = math.Sqrt(variance)
	return stats
}

// DefaultValidation is how many of n training images are kept for validation unless the user says otherwise: a twelfth,
// 5,000 of the 60,000 as in the book.
func DefaultValidation(n int) int { return n / 12 }

// Split parts the training images into those for validation, the first ones, and the rest, which are trained on. Both share
// the memory of train. At least one image must remain to train on.
func Split(train *Set, validation int) (val, rest *Set, err error) {
	n := train.Len()
	if validation < 0 || validation >= n {
		return nil, nil, fmt.Errorf("validation images: expected 0 to %d of the %d training images, found %d",
			n-1, n, validation)
	}
	return train.Slice(0, validation), train.Slice(validation, n), nil
}
