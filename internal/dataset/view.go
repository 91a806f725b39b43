package dataset

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// View is an image moved by whole pixels and then mirrored. Pixels that come in at a border are 0, the background.
type View struct {
	DX, DY int // to the right and down; each less than the image's size
	Flip   bool
}

// Change sets the image to the view of an original. The epoch and the row don't matter.
func (v *View) Change(image *[Pixels]uint8, original []uint8, _, _ int) {
	v.shift(image, original)
	if v.Flip {
		mirror(image)
	}
}

// shift moves all rows with one copy. Then it clears what has come from a neighbouring row, and the rows that nothing was copied to.
func (v *View) shift(image *[Pixels]uint8, original []uint8) {
	by := v.DY*Cols + v.DX
	if by >= 0 {
		copy(image[by:], original)
		clear(image[:by])
	} else {
		copy(image[:], original[-by:])
		clear(image[Pixels+by:])
	}
	switch {
	case v.DX > 0:
		for y := range Rows {
			clear(image[y*Cols : y*Cols+v.DX])
		}
	case v.DX < 0:
		for y := range Rows {
			clear(image[(y+1)*Cols+v.DX : (y+1)*Cols])
		}
	}
}

// mirror reverses each row of 28 bytes: the outer 8 at each end change places, and so do the first and the last 8 of the 12 between
// them, which overlap.
func mirror(image *[Pixels]uint8) {
	order := binary.LittleEndian
	for y := range Rows {
		row := (*[Cols]uint8)(image[y*Cols:])
		a, b := order.Uint64(row[0:]), order.Uint64(row[8:])
		c, d := order.Uint64(row[12:]), order.Uint64(row[20:])
		order.PutUint64(row[0:], bits.ReverseBytes64(d))
		order.PutUint64(row[8:], bits.ReverseBytes64(c))
		order.PutUint64(row[12:], bits.ReverseBytes64(b))
		order.PutUint64(row[20:], bits.ReverseBytes64(a))
	}
}

// WeightedView is a view and its weight among others, whose weights add up to 1.
type WeightedView struct {
	View
	Weight float64
}

// Views are the views of an image for an evaluation: the image itself, and what the words name.
//
//   - flip adds the mirrored image; both weigh the same.
//   - shift adds the image moved by one pixel in each of the four directions. Each weighs an eighth, the image in its place one half, as in
//     Jordan 2024, arXiv 2404.00498, which moves along the two ends of a diagonal only.
//   - With both, each of the five is also mirrored.
func Views(words []string) ([]WeightedView, error) {
	views := []WeightedView{{Weight: 1}}
	for i, word := range words {
		if !slices.Contains(ViewWords(), word) {
			return nil, fmt.Errorf("expected %s, found %.100q", viewsAllowed, word)
		}
		if slices.Contains(words[:i], word) {
			return nil, fmt.Errorf("expected each word once, found %s again", word)
		}
	}
	if slices.Contains(words, shiftWord) {
		views[0].Weight = 1. / 2
		for _, by := range [][2]int{{-1, 0}, {1, 0}, {0, -1}, {0, 1}} {
			views = append(views, WeightedView{View{DX: by[0], DY: by[1]}, 1. / 8})
		}
	}
	if slices.Contains(words, flipWord) {
		for i := range views {
			views[i].Weight /= 2
			mirrored := views[i]
			mirrored.Flip = true
			views = append(views, mirrored)
		}
	}
	return views, nil
}

// ViewWords are the words of [Views].
func ViewWords() []string { return []string{flipWord, shiftWord} }

// viewsAllowed completes "expected ...".
var viewsAllowed = strings.Join(ViewWords(), ", ") + " or both"
