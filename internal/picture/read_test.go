package picture

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/picturetest"
)

// headerPNG is the beginning of a PNG of this size.
func headerPNG(width, height uint32) []byte {
	chunk := append([]byte("IHDR"), binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, width), height)...)
	chunk = append(chunk, 8, 0, 0, 0, 0) // 8 bits of grey
	file := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), chunk...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(chunk))
}

func TestRefused(t *testing.T) {
	whole := picturetest.Photograph(testImages(t, 1)[0], 0)
	half := func(file []byte) []byte { return file[:len(file)/2] }
	broken := picturetest.PNG(whole)
	broken[len(broken)/2] ^= 0xff
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":          {nil, "expected a PNG, JPEG, GIF or WebP picture, found an empty file"},
		"text":           {[]byte("a boot\n"), "expected a PNG, JPEG, GIF or WebP picture, found text/plain"},
		"pdf":            {[]byte("%PDF-1.7\n"), "found application/pdf"},
		"bytes":          {[]byte("\x00\x01\x02\x03\xfe\xff\x00\x00"), "found something else"},
		"heic":           {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), "found HEIC; convert it to JPEG first"},
		"cut PNG":        {half(picturetest.PNG(whole)), "expected a whole PNG picture, found a damaged or incomplete one: "},
		"cut JPEG":       {half(picturetest.JPEG(whole)), "expected a whole JPEG picture, found a damaged or incomplete one: "},
		"cut GIF":        {half(picturetest.GIF(picturetest.Grey(testImages(t, 1)[0]))), "expected a whole GIF picture, found "},
		"cut WebP":       {half(picturetest.WebP(picturetest.Grey(testImages(t, 1)[0]))), "expected a whole WebP picture, found "},
		"damaged PNG":    {broken, "expected a whole PNG picture, found a damaged or incomplete one: "},
		"only a header":  {headerPNG(5000, 5000), "expected a whole PNG picture, found a damaged or incomplete one: "},
		"100 megapixels": {headerPNG(10_000, 10_000), "expected a picture of at most 50 megapixels, found 10000x10000, 100 megapixels"},
		"far too large":  {headerPNG(1<<31-1, 1<<31-1), "expected "},
		"no pixel":       {headerPNG(0, 5), "expected "},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(c.file), Auto)
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: expected the error %q, found %v", name, c.want, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; strings.Contains(name, "mega") && got > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, got)
		}
	}
}

// endless never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestFileTooLarge(t *testing.T) {
	_, err := read(endless{}, Auto, limits{MaxPixels, 1 << 20})
	if want := "expected a file of at most 1 MB, found a larger one"; err == nil || err.Error() != want {
		t.Errorf("expected the error %q, found %v", want, err)
	}
	_, err = Read(io.MultiReader(strings.NewReader("\x89PNG"), failing{}), Auto)
	if err != io.ErrClosedPipe {
		t.Errorf("expected the reader's error, found %v", err)
	}
}

// failing fails.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrClosedPipe }

// small are the files of small pictures in all formats.
func small(t testing.TB) [][]byte {
	pixels := testImages(t, 1)[0]
	grey := image.NewGray(image.Rect(0, 0, 40, 30))
	return [][]byte{
		picturetest.PNG(picturetest.Grey(pixels)), picturetest.PNG(picturetest.Transparent(pixels)), picturetest.WebP(picturetest.Grey(pixels)),
		picturetest.GIF(picturetest.Grey(pixels)), picturetest.JPEG(grey), picturetest.Oriented(picturetest.JPEG(grey), 6),
		picturetest.JPEG(picturetest.Gradient(30, 40)), picturetest.PNG(picturetest.Gradient(30, 40)), headerPNG(100, 100),
	}
}

// checkRead reads a file that may be damaged: it gives an image or a short error, and needs no more memory than the limits allow.
func checkRead(t *testing.T, file []byte, invert Invert) {
	t.Helper()
	most := limits{pixels: 1 << 14, bytes: 1 << 20}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p, err := read(bytes.NewReader(file), invert, most)
	runtime.ReadMemStats(&after)
	if used, allowed := after.TotalAlloc-before.TotalAlloc, uint64(64*most.pixels+16*most.bytes); used > allowed {
		t.Errorf("%d bytes were allocated for a file of %d", used, len(file))
	}
	switch {
	case err != nil && len(err.Error()) > 500:
		t.Errorf("the error has %d bytes", len(err.Error()))
	case err == nil && len(p.Pixels) != dataset.Pixels:
		t.Errorf("expected %d pixels, found %d", dataset.Pixels, len(p.Pixels))
	}
}

// Pictures with a few wrong bytes, and with an end that is missing.
func TestDamaged(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, file := range small(t) {
		for range 60 {
			damaged := slices.Clone(file)
			for range 1 + random.IntN(4) {
				damaged[random.IntN(min(len(damaged), 200))] = uint8(random.Uint32())
			}
			checkRead(t, damaged[:1+random.IntN(len(damaged))], Auto)
			checkRead(t, damaged, Invert(random.IntN(3)))
		}
	}
}

func FuzzRead(f *testing.F) {
	for _, file := range small(f) {
		f.Add(file, uint8(0))
	}
	f.Fuzz(func(t *testing.T, file []byte, invert uint8) { checkRead(t, file, Invert(invert%3)) })
}
