// Package dataset holds the images and labels that a model is trained on, from their files to the batches of a step.
//
// The data set is Fashion-MNIST: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine
// Learning Algorithms", 2017. It has MNIST's format: IDX files, 28x28 grey images, labels 0 to 9. In memory pixels stay bytes, a
// quarter of the size of float32; a batch is converted when it is filled.
//
//	Load -> Data{Train, Test} -> Split -> Sampler.Order -> Set.Fill, or Set.FillChanged with an Augmenter or a View
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

// Ignored is the label of a row that holds no image. The loss, the gradients and the counts leave such a row out.
const Ignored = -1

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

// Fill makes a batch. Row i of x becomes image rows[i], each pixel p as float32(p)/255, and labels[i] becomes its label. There may
// be fewer rows than the batch holds, as at the end of an epoch: then the rest of x is 0 and the rest of labels is [Ignored].
// Fill allocates nothing.
//
// x is [len(labels), Pixels] row by row. Fill panics if x has another length, if there are more rows than labels, or unless
// 0 <= rows[i] < s.Len().
func (s *Set) Fill(x []float32, labels []int32, rows []int32) {
	s.label(x, labels, rows)
	for i, row := range rows {
		kernel.Intensities(x[i*Pixels:(i+1)*Pixels], s.image(row))
	}
}

// A Changer makes other images out of those of a set. It is an [*Augmenter] or a [*View].
type Changer interface {
	// Change sets the image to what the original, a row of the set, becomes in an epoch.
	Change(image *[Pixels]uint8, original []uint8, epoch, row int)
}

// FillChanged is [Set.Fill] with images that have been changed. image is working memory.
func (s *Set) FillChanged(x []float32, labels []int32, rows []int32, c Changer, epoch int, image *[Pixels]uint8) {
	s.label(x, labels, rows)
	for i, row := range rows {
		c.Change(image, s.image(row), epoch, int(row))
		kernel.Intensities(x[i*Pixels:(i+1)*Pixels], image[:])
	}
}

// image is the pixels of a row.
func (s *Set) image(row int32) []uint8 { return s.Images[int(row)*Pixels : (int(row)+1)*Pixels] }

// label sets the labels of a batch, and clears the rows without an image.
func (s *Set) label(x []float32, labels []int32, rows []int32) {
	if len(x) != len(labels)*Pixels || len(rows) > len(labels) {
		panic(fmt.Sprintf("dataset: Fill with %d rows into %d values and %d labels", len(rows), len(x), len(labels)))
	}
	for i, row := range rows {
		labels[i] = int32(s.Labels[row])
	}
	clear(x[len(rows)*Pixels:])
	for i := len(rows); i < len(labels); i++ {
		labels[i] = Ignored
	}
}

// Prefetch asks for the images of the given rows to be brought to the processor's caches, before a Fill.
func (s *Set) Prefetch(rows []int32) {
	for _, row := range rows {
		kernel.Prefetch(s.image(row))
	}
}

// Stats describes a set. Mean and Std are over all pixels, on the scale 0 to 1 that [Set.Fill] uses. Std is the population's
// standard deviation. Both are 0 for an empty set.
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

// DefaultValidation is the default number of validation images among n training images: a twelfth, 5,000 of 60,000 as in the
// book.
func DefaultValidation(n int) int { return n / 12 }

// Split divides the training images: the first ones are for validation, the rest for training. Both share the memory of train.
// At least one image must remain for training.
func Split(train *Set, validation int) (val, rest *Set, err error) {
	n := train.Len()
	if validation < 0 || validation >= n {
		return nil, nil, fmt.Errorf("validation images: expected 0 to %d of the %d training images, found %d",
			n-1, n, validation)
	}
	return train.Slice(0, validation), train.Slice(validation, n), nil
}
