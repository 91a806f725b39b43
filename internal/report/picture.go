package report

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"

	"fmtrain/internal/dataset"
)

// item is an image of the data as PNG: dark clothes on white. In a dark scheme the style inverts it.
func item(pixels []uint8) template.URL {
	img := image.NewGray(image.Rect(0, 0, dataset.Cols, dataset.Rows))
	for i, p := range pixels {
		img.Pix[i] = 255 - p
	}
	return dataURI(img)
}

// levels is the number of colours on either side of zero in a picture of weights.
const levels = 100

// The colours of weights below and above zero, which people with any colour vision can tell apart. Zero is transparent, so that it is the
// colour of the page in both schemes.
var (
	below = color.NRGBA{R: 0x1f, G: 0x77, B: 0xc9}
	above = color.NRGBA{R: 0xe0, G: 0x6c, B: 0x00}
)

// diverging is the palette of weights: index levels is zero.
func diverging() color.Palette {
	p := make(color.Palette, 2*levels+1)
	for i := range p {
		c := above
		if i < levels {
			c = below
		}
		c.A = uint8(math.Round(255 * math.Abs(float64(i-levels)) / levels))
		p[i] = c
	}
	return p
}

// level is the index of a weight in the palette, for the greatest weight of the picture.
func level(w, greatest float64) uint8 {
	if !(greatest > 0) || math.IsNaN(w) {
		return levels
	}
	return uint8(levels + math.Round(levels*max(-1, min(1, w/greatest))))
}

func dataURI(img image.Image) template.URL {
	var b bytes.Buffer
	encoder := png.Encoder{CompressionLevel: png.BestCompression}
	if err := encoder.Encode(&b, img); err != nil {
		panic(err) // a buffer takes everything, and the image has a size
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes()))
}
