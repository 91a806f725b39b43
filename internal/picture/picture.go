// Package picture makes an image of the data's form out of any picture, and shows images in a terminal.
//
// Fashion-MNIST was made from photographs of a shop (Xiao, Rasul and Vollgraf 2017, section 2): the margins with the colour of the
// corners, within 5 %, were cut off; the longer edge was scaled to 28 pixels; the picture was put into the middle of 28x28 pixels,
// inverted, and made grey. A picture goes the same way here:
//
//	Read: header, size → decode → grey, transparent parts white → background and subject → crop → scale → background 0 → centre
//
// The data's authors scaled by leaving out pixels and then sharpened. Here a cubic filter averages over all pixels.
package picture

import (
	"fmt"
	"image"
	"slices"

	"golang.org/x/image/draw"

	"fmtrain/internal/dataset"
)

// Invert says whether a picture's intensities are inverted. The data's subjects are light on black.
type Invert uint8

// The ways to invert.
const (
	Auto Invert = iota // inverts if the border is lighter than the picture's mean, as in a photograph on white
	Yes
	No
)

// Inverts are the words for the ways to invert.
var Inverts = []string{Auto: "auto", Yes: "yes", No: "no"}

// Picture is a picture as an image of the data's form.
type Picture struct {
	Pixels        []uint8 // dataset.Pixels of them, as in a [dataset.Set]
	Format        string  // such as PNG
	Width, Height int     // of the file's picture, as stored
	Steps         []string
	Blank         bool // it has one colour all over
	Busy          bool // its background has many colours; all images of the data have a plain one
}

// closeness is the largest difference from the background that still is background: 5 % of 255, as in the data set.
const closeness = 13

// prepare makes an image of the data's form. A grey picture of 28x28 pixels keeps its pixels, or is only inverted.
func prepare(decoded image.Image, orientation int, invert Invert) *Picture {
	bounds := decoded.Bounds()
	p := &Picture{Width: bounds.Dx(), Height: bounds.Dy()}
	step := func(format string, args ...any) { p.Steps = append(p.Steps, fmt.Sprintf(format, args...)) }

	plane, colored, transparent := grey(decoded)
	if transparent {
		step("transparent parts made white")
	}
	if colored {
		step("converted to grey")
	}
	background, plain := backgroundOf(plane)
	mean := meanOf(plane)
	inverted := invert == Yes || invert == Auto && float64(background) > mean
	box := subject(plane, background)
	p.Blank = box.Empty()

	small := plane
	switch {
	case p.Width == dataset.Cols && p.Height == dataset.Rows:
		if inverted {
			blacken(small, 255, true)
		}
	case !plain:
		p.Busy = true
		box = plane.Rect
		fallthrough
	default:
		if p.Blank {
			box = plane.Rect
		}
		if box != plane.Rect {
			step("cropped to the subject, %dx%d", box.Dx(), box.Dy())
		}
		if small = scale(plane, box); small.Rect.Size() != box.Size() {
			step("scaled to %dx%d", small.Rect.Dx(), small.Rect.Dy())
		}
		switch {
		case !plain && inverted:
			background = 255
		case !plain:
			background = 0
		case background > closeness && background < 255-closeness:
			step("background of grey %d made black", background)
		}
		blacken(small, background, inverted)
	}
	if inverted {
		step("inverted")
	}
	if orientation != 1 {
		small = turn(small, orientation)
		step("turned upright")
	}
	p.Pixels = centre(small)
	return p
}

// grey is the luminance of a picture on white. It also says whether the picture has colours and transparent parts.
func grey(decoded image.Image) (plane *image.Gray, colored, transparent bool) {
	const bandRows = 64 // converted at once, to need little memory
	bounds := decoded.Bounds()
	plane = image.NewGray(image.Rect(0, 0, bounds.Dx(), bounds.Dy()))
	band := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), min(bandRows, bounds.Dy())))
	out := plane.Pix
	for top := 0; top < bounds.Dy(); top += bandRows {
		rows := min(bandRows, bounds.Dy()-top)
		draw.Draw(band, band.Rect, decoded, bounds.Min.Add(image.Pt(0, top)), draw.Src)
		pixels := band.Pix[:rows*band.Stride]
		for i := 0; i < len(pixels); i += 4 {
			r, g, b, a := uint32(pixels[i]), uint32(pixels[i+1]), uint32(pixels[i+2]), uint32(pixels[i+3])
			colored = colored || r != g || g != b
			transparent = transparent || a != 255
			y := (19595*r + 38470*g + 7471*b + 1<<15) >> 16 // ITU-R BT.601, as color.GrayModel; of colours that are multiplied by a
			out[i/4] = uint8(min(y+255-a, 255))
		}
		out = out[rows*bounds.Dx():]
	}
	return plane, colored, transparent
}

// backgroundOf is the grey of the background: the median of the border. The background is plain if at least half of the border is close
// to it.
func backgroundOf(p *image.Gray) (background uint8, plain bool) {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	border := slices.Concat(p.Pix[:w], p.Pix[(h-1)*w:])
	for y := range h {
		border = append(border, p.Pix[y*w], p.Pix[y*w+w-1])
	}
	slices.Sort(border)
	background = border[len(border)/2]
	near := 0
	for _, v := range border {
		if isClose(v, background) {
			near++
		}
	}
	return background, 2*near >= len(border)
}

// isClose says whether a pixel still is background.
func isClose(v, background uint8) bool { return max(v, background)-min(v, background) <= closeness }

func meanOf(p *image.Gray) float64 {
	var sum uint64
	for _, v := range p.Pix {
		sum += uint64(v)
	}
	return float64(sum) / float64(len(p.Pix))
}

// subject is the smallest box around all that differs from the background; it is empty if nothing does. In a large picture a row or a
// column belongs to the subject only if more than specks differ in it.
func subject(p *image.Gray, background uint8) image.Rectangle {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	columns, rows := make([]int, w), make([]int, h)
	for y := range h {
		for x, v := range p.Pix[y*w : (y+1)*w] {
			if !isClose(v, background) {
				columns[x]++
				rows[y]++
			}
		}
	}
	left, right := extent(columns, h/500)
	top, bottom := extent(rows, w/500)
	return image.Rect(left, top, right, bottom)
}

// extent is from the first to after the last count that is above the specks.
func extent(counts []int, specks int) (first, after int) {
	above := func(n int) bool { return n > specks }
	if first = slices.IndexFunc(counts, above); first < 0 {
		return 0, 0
	}
	after = len(counts)
	for !above(counts[after-1]) {
		after--
	}
	return first, after
}

// scale scales a part of a picture so that its longer edge has 28 pixels. The filter is the Catmull-Rom spline; where it shrinks, it is as
// wide as the pixels that it averages.
func scale(p *image.Gray, box image.Rectangle) *image.Gray {
	longer := max(box.Dx(), box.Dy())
	edge := func(n int) int { return max(1, (n*dataset.Rows+longer/2)/longer) }
	small := image.NewGray(image.Rect(0, 0, edge(box.Dx()), edge(box.Dy())))
	draw.CatmullRom.Scale(small, small.Rect, p, box, draw.Src, nil)
	return small
}

// blacken maps the background to 0, and black, or white if the picture is not inverted, to 255. What lies on the other side of the
// background becomes 0.
func blacken(p *image.Gray, background uint8, inverted bool) {
	span := 255 - int(background)
	if inverted {
		span = int(background)
	}
	for i, v := range p.Pix {
		d := int(v) - int(background)
		if inverted {
			d = -d
		}
		p.Pix[i] = uint8(max(0, d) * 255 / max(span, 1))
	}
}

// centre puts a picture into the middle of an image. An odd margin has its larger half above and to the left, as in the data set.
func centre(p *image.Gray) []uint8 {
	pixels := make([]uint8, dataset.Pixels)
	w, h := p.Rect.Dx(), p.Rect.Dy()
	left, top := (dataset.Cols-w+1)/2, (dataset.Rows-h+1)/2
	for y := range h {
		copy(pixels[(top+y)*dataset.Cols+left:], p.Pix[y*p.Stride:y*p.Stride+w])
	}
	return pixels
}
