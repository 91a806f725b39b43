// Package picturetest makes pictures for tests out of images of the data set.
package picturetest

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math/bits"

	"golang.org/x/image/draw"

	"fmtrain/internal/dataset"
)

// Grey is an image as a grey picture of 28x28 pixels.
func Grey(pixels []uint8) *image.Gray {
	p := image.NewGray(image.Rect(0, 0, dataset.Cols, dataset.Rows))
	copy(p.Pix, pixels)
	return p
}

// Negative is an image as a photograph would have it: dark on white.
func Negative(pixels []uint8) *image.Gray {
	p := Grey(pixels)
	for i, v := range p.Pix {
		p.Pix[i] = 255 - v
	}
	return p
}

// Transparent is an image as black ink on a transparent ground.
func Transparent(pixels []uint8) *image.NRGBA {
	p := image.NewNRGBA(image.Rect(0, 0, dataset.Cols, dataset.Rows))
	for i, v := range pixels {
		p.Pix[4*i+3] = v
	}
	return p
}

// Photograph is a picture enlarged ten times, of 280x280 pixels in colour, with a white margin around it.
func Photograph(pixels []uint8, margin int) *image.RGBA {
	const side = 10 * dataset.Cols
	p := image.NewRGBA(image.Rect(0, 0, side+2*margin, side+2*margin))
	draw.Draw(p, p.Rect, image.White, image.Point{}, draw.Src)
	inner := image.Rect(margin, margin, margin+side, margin+side)
	draw.NearestNeighbor.Scale(p, inner, Negative(pixels), image.Rect(0, 0, dataset.Cols, dataset.Rows), draw.Src, nil)
	return p
}

// Gradient is a picture of a light that falls off from one corner, as a wall or the sky on a photograph.
func Gradient(width, height int) *image.RGBA {
	p := image.NewRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			v := uint8(40 + 200*(x*height+y*width)/(2*width*height))
			p.SetRGBA(x, y, color.RGBA{v / 2, v / 4 * 3, v, 255})
		}
	}
	return p
}

// PNG is the file of a picture. Like the other functions it panics on an error, which only a bug in a test can cause.
func PNG(p image.Image) []byte {
	var b bytes.Buffer
	must(png.Encode(&b, p))
	return b.Bytes()
}

// JPEG is the file of a picture.
func JPEG(p image.Image) []byte {
	var b bytes.Buffer
	must(jpeg.Encode(&b, p, &jpeg.Options{Quality: 90}))
	return b.Bytes()
}

// GIF is the file of a grey picture, with a palette of all greys.
func GIF(p *image.Gray) []byte {
	indexed := image.NewPaletted(p.Rect, nil)
	copy(indexed.Pix, p.Pix)
	for v := range 256 {
		indexed.Palette = append(indexed.Palette, color.Gray{uint8(v)})
	}
	var b bytes.Buffer
	must(gif.Encode(&b, indexed, nil))
	return b.Bytes()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Oriented is a JPEG with Exif data that say how the camera was held.
func Oriented(file []byte, orientation int) []byte {
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00")
	tiff = append(tiff, byte(orientation), 0, 0, 0, 0, 0, 0)
	segment := append([]byte("Exif\x00\x00"), tiff...)
	head := binary.BigEndian.AppendUint16([]byte{0xff, 0xd8, 0xff, 0xe1}, uint16(len(segment)+2))
	return append(append(head, segment...), file[2:]...)
}

// WebP is the file of a grey picture, lossless: each pixel is a byte of 8 bits, and red and blue are what is left after green was
// subtracted, which is 0 (the specification "WebP Lossless Bitstream").
func WebP(p *image.Gray) []byte {
	w := bitWriter{bytes: []byte{0x2f}}
	w.write(uint64(p.Rect.Dx()-1), 14)
	w.write(uint64(p.Rect.Dy()-1), 14)
	w.write(0, 4)     // no alpha, version 0
	w.write(0b101, 3) // a transform: subtract green
	w.write(0, 3)     // no other transform, no colour cache, one set of codes
	// The code of green: all bytes have a length of 8 bits, and the 24 symbols after them 0. The lengths 0 and 8 have a code of 1 bit.
	w.write(0, 1)
	w.write(12-4, 4)
	for _, length := range []int{17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8} {
		if length == 0 || length == 8 {
			w.write(1, 3)
		} else {
			w.write(0, 3)
		}
	}
	w.write(0, 1)
	for range 256 {
		w.write(1, 1)
	}
	w.write(0, 24)
	// Codes of one symbol: red 0, blue 0, alpha 255, distance 0.
	for _, symbol := range []uint64{0, 0, 255, 0} {
		w.write(0b01, 2)
		if symbol == 0 {
			w.write(0, 2)
		} else {
			w.write(1, 1)
			w.write(symbol, 8)
		}
	}
	for _, v := range p.Pix {
		w.write(uint64(bits.Reverse8(v)), 8)
	}
	if len(w.bytes)%2 == 1 {
		w.bytes = append(w.bytes, 0)
	}
	file := binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(12+len(w.bytes)))
	file = binary.LittleEndian.AppendUint32(append(file, "WEBPVP8L"...), uint32(len(w.bytes)))
	return append(file, w.bytes...)
}

// bitWriter writes bits, the lowest first.
type bitWriter struct {
	bytes []byte
	used  int // bits of the last byte; 0: all
}

func (b *bitWriter) write(value uint64, n int) {
	for i := range n {
		if b.used == 0 {
			b.bytes = append(b.bytes, 0)
		}
		b.bytes[len(b.bytes)-1] |= byte(value>>i&1) << b.used
		b.used = (b.used + 1) % 8
	}
}
