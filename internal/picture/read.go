package picture

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"io"
	"net/http"
	"strings"

	_ "golang.org/x/image/webp"
)

// The largest picture that is read. A phone's picture of 50 megapixels has just fewer.
const (
	MaxPixels = 50_000_000
	MaxBytes  = 64 << 20
)

// limits are the largest picture, for tests.
type limits struct{ pixels, bytes int64 }

// Read reads a PNG, JPEG, GIF (its first frame) or WebP, and makes it an image of the data's form. The size is read from the header, so
// a picture that is too large is refused before memory is allocated for it.
func Read(r io.Reader, invert Invert) (*Picture, error) {
	return read(r, invert, limits{MaxPixels, MaxBytes})
}

func read(r io.Reader, invert Invert, most limits) (*Picture, error) {
	file, err := io.ReadAll(io.LimitReader(r, most.bytes+1))
	switch {
	case err != nil:
		return nil, err
	case len(file) == 0:
		return nil, fmt.Errorf("%w, found an empty file", errExpected)
	case int64(len(file)) > most.bytes:
		return nil, fmt.Errorf("expected a file of at most %d MB, found a larger one", most.bytes>>20)
	}
	header, format, err := image.DecodeConfig(bytes.NewReader(file))
	if errors.Is(err, image.ErrFormat) {
		return nil, fmt.Errorf("%w, found %s", errExpected, contentOf(file))
	}
	format = formatNames[format]
	if err != nil {
		return nil, damaged(format, err)
	}
	switch pixels := int64(header.Width) * int64(header.Height); {
	case header.Width < 1 || header.Height < 1:
		return nil, fmt.Errorf("expected a picture of at least one pixel, found %dx%d", header.Width, header.Height)
	case pixels > most.pixels:
		return nil, fmt.Errorf("expected a picture of at most %d megapixels, found %dx%d, %d megapixels",
			most.pixels/1e6, header.Width, header.Height, pixels/1e6)
	}
	decoded, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return nil, damaged(format, err)
	}
	if decoded.Bounds().Empty() {
		return nil, fmt.Errorf("expected a picture of at least one pixel, found an empty %s", format)
	}
	p := prepare(decoded, orientationOf(file), invert)
	p.Format = format
	return p, nil
}

// errExpected begins the error for a file that is no picture.
var errExpected = errors.New("expected a PNG, JPEG, GIF or WebP picture")

// formatNames are the formats as people write them, by the names of package image.
var formatNames = map[string]string{"png": "PNG", "jpeg": "JPEG", "gif": "GIF", "webp": "WebP"}

// damaged is the error for a picture that can't be decoded. The decoders' errors quote parts of the file, which may be long.
func damaged(format string, err error) error {
	return fmt.Errorf("expected a whole %s picture, found a damaged or incomplete one: %.200s", format, err.Error())
}

// contentOf says what a file seems to be that is none of the pictures.
func contentOf(file []byte) string {
	if len(file) >= 12 && string(file[4:8]) == "ftyp" {
		switch brand := string(file[8:12]); brand {
		case "heic", "heix", "mif1", "msf1":
			return "HEIC; convert it to JPEG first"
		case "avif", "avis":
			return "AVIF; convert it to PNG first"
		}
	}
	kind, _, _ := strings.Cut(http.DetectContentType(file), ";")
	if kind == "application/octet-stream" {
		return "something else"
	}
	return kind
}
