package dataset

import "math"

// Augmenter changes training images. What becomes of an image is a function of the seed, the epoch and the image's place in the file:
// the threads, the batches, the order of the images and a resume don't matter. It has no state, so goroutines may share it.
//
// An image is first shifted, then mirrored, then a square is cut out, then a rectangle is erased. The work is done on bytes,
// before they become float32, and takes about as long as that.
type Augmenter struct {
	Augmentation
	Seed  uint64
	First int // the place of row 0 of the set in the file
}

// A purpose keeps the random numbers of one change apart from those of the others.
const (
	forFlip uint64 = iota + 1
	forAlternatingFlip
	forShift
	forCutout
	forErase
)

// Change sets the image to what row of the set, whose pixels are the original, becomes in an epoch. The epochs count from 1.
func (a *Augmenter) Change(image *[Pixels]uint8, original []uint8, epoch, row int) {
	sample := a.First + row
	var v View
	if a.Shift > 0 {
		v.DX, v.DY = a.shift(epoch, sample)
	}
	v.Flip = a.flips(epoch, sample)
	v.Change(image, original, epoch, row)
	if a.Cutout > 0 {
		a.cutout(image, epoch, sample)
	}
	if a.Erase {
		a.erase(image, epoch, sample)
	}
}

// flips says whether a sample is mirrored. Alternating flips are those of Jordan, "94% on CIFAR-10 in 3.29 Seconds on a Single GPU",
// 2024, arXiv 2404.00498, section 3.6: every two epochs in a row see each image both ways.
func (a *Augmenter) flips(epoch, sample int) bool {
	switch a.Flip {
	case RandomFlip:
		d := a.draws(forFlip, epoch, sample)
		return d.below(2) == 1
	case AlternatingFlip:
		d := a.draws(forAlternatingFlip, 0, sample)
		return (d.below(2)+epoch)%2 == 1
	}
	return false
}

// shift is how far a sample moves right and down. All shifts are equally likely.
func (a *Augmenter) shift(epoch, sample int) (dx, dy int) {
	d := a.draws(forShift, epoch, sample)
	return d.below(2*a.Shift+1) - a.Shift, d.below(2*a.Shift+1) - a.Shift
}

// cutout sets a square to 0 whose centre is any pixel, so a part of it may be outside: DeVries and Taylor, "Improved Regularization of
// Convolutional Neural Networks with Cutout", 2017, arXiv 1708.04552. If the width is even, the centre is right of and below the middle.
func (a *Augmenter) cutout(image *[Pixels]uint8, epoch, sample int) {
	d := a.draws(forCutout, epoch, sample)
	top, left := d.below(Rows)-a.Cutout/2, d.below(Cols)-a.Cutout/2
	for y := max(top, 0); y < min(top+a.Cutout, Rows); y++ {
		clear(image[y*Cols+max(left, 0) : y*Cols+min(left+a.Cutout, Cols)])
	}
}

// The settings of [Augmenter.erase], as in the paper.
const (
	eraseProbability = 0.5
	eraseLeast       = 0.02 // of the image's area
	eraseMost        = 0.4
	eraseAspect      = 0.3 // the least height, in widths; the most is its inverse
)

// erase fills a rectangle with noise: Zhong, Zheng, Kang, Li and Yang, "Random Erasing Data Augmentation", 2017, arXiv 1708.04896,
// algorithm 1. Rectangles are drawn until one is inside the image.
func (a *Augmenter) erase(image *[Pixels]uint8, epoch, sample int) {
	d := a.draws(forErase, epoch, sample)
	if d.fraction() >= eraseProbability {
		return
	}
	for {
		area := Pixels * (eraseLeast + float64((eraseMost-eraseLeast)*d.fraction()))
		aspect := eraseAspect + float64((1/eraseAspect-eraseAspect)*d.fraction())
		height, width := int(math.Round(math.Sqrt(area*aspect))), int(math.Round(math.Sqrt(area/aspect)))
		top, left := d.below(Rows), d.below(Cols)
		if top+height > Rows || left+width > Cols {
			continue
		}
		for y := top; y < top+height; y++ {
			for x := left; x < left+width; x++ {
				image[y*Cols+x] = uint8(d.below(256))
			}
		}
		return
	}
}

// draws are random numbers: the sequence of SplitMix64 from a start that the seed, a purpose, an epoch and a sample determine.
type draws struct{ state uint64 }

func (a *Augmenter) draws(purpose uint64, epoch, sample int) draws {
	return draws{mix(mix(mix(mix(a.Seed)^purpose)+uint64(epoch)) + uint64(sample))}
}

func (d *draws) next() uint64 {
	n := mix(d.state)
	d.state += gamma
	return n
}

// below draws a number 0 <= k < n. The probabilities differ by less than n/2³², which nobody can measure.
func (d *draws) below(n int) int { return int(d.next() >> 32 * uint64(n) >> 32) }

// fraction draws a number 0 <= x < 1.
func (d *draws) fraction() float64 { return float64(d.next()>>11) / (1 << 53) }
