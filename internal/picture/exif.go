package picture

import (
	"bytes"
	"encoding/binary"
	"image"
)

// orientationOf is the orientation in the Exif data of a JPEG, from 1 to 8: how the camera was held. It is 1, upright, for any other file.
// Exif is a TIFF in the segment APP1: its first directory has entries of 12 bytes, a tag, a type, a count and a value.
func orientationOf(file []byte) int {
	const upright = 1
	if !bytes.HasPrefix(file, []byte{0xff, 0xd8}) {
		return upright
	}
	for at := 2; at+4 <= len(file) && file[at] == 0xff; {
		marker, size := file[at+1], int(binary.BigEndian.Uint16(file[at+2:]))
		end := at + 2 + size
		if marker == 0xda || size < 2 || end > len(file) { // 0xda: the picture itself begins
			return upright
		}
		if tiff, is := bytes.CutPrefix(file[at+4:end], []byte("Exif\x00\x00")); is && marker == 0xe1 {
			return orientationIn(tiff)
		}
		at = end
	}
	return upright
}

// orientationIn is the orientation in a TIFF's first directory.
func orientationIn(tiff []byte) int {
	const upright, tag, short = 1, 0x0112, 3
	if len(tiff) < 8 {
		return upright
	}
	var order binary.ByteOrder
	switch string(tiff[:4]) {
	case "II*\x00":
		order = binary.LittleEndian
	case "MM\x00*":
		order = binary.BigEndian
	default:
		return upright
	}
	directory := uint64(order.Uint32(tiff[4:]))
	if directory+2 > uint64(len(tiff)) {
		return upright
	}
	entries := tiff[directory+2:]
	for range order.Uint16(tiff[directory:]) {
		if len(entries) < 12 {
			return upright
		}
		if order.Uint16(entries) == tag && order.Uint16(entries[2:]) == short {
			if o := int(order.Uint16(entries[8:])); o >= 1 && o <= 8 {
				return o
			}
			return upright
		}
		entries = entries[12:]
	}
	return upright
}

// turn makes a picture upright. Orientations 5 to 8 swap rows and columns; each of the others mirrors along one axis, both or none.
func turn(p *image.Gray, orientation int) *image.Gray {
	w, h := p.Rect.Dx(), p.Rect.Dy()
	size := image.Rect(0, 0, w, h)
	if orientation >= 5 {
		size = image.Rect(0, 0, h, w)
	}
	turned := image.NewGray(size)
	for y := range size.Dy() {
		for x := range size.Dx() {
			u, v := x, y // in p
			switch orientation {
			case 2:
				u = w - 1 - x
			case 3:
				u, v = w-1-x, h-1-y
			case 4:
				v = h - 1 - y
			case 5:
				u, v = y, x
			case 6:
				u, v = y, h-1-x
			case 7:
				u, v = w-1-y, h-1-x
			case 8:
				u, v = w-1-y, x
			}
			turned.SetGray(x, y, p.GrayAt(p.Rect.Min.X+u, p.Rect.Min.Y+v))
		}
	}
	return turned
}
