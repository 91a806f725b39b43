package picture

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/image/draw"

	"fmtrain/internal/dataset"
	"fmtrain/internal/picturetest"
)

// sample is the embedded sample.
var sample = sync.OnceValues(func() (*dataset.Data, error) {
	return dataset.Load(context.Background(), dataset.Options{Dir: dataset.SampleName})
})

// testImages are images of the sample's test set.
func testImages(t testing.TB, n int) (images [][]uint8) {
	t.Helper()
	data, err := sample()
	if err != nil {
		t.Fatal(err)
	}
	for row := range n {
		images = append(images, data.Test.Images[row*dataset.Pixels:(row+1)*dataset.Pixels])
	}
	return images
}

func readFile(t testing.TB, file []byte, invert Invert) *Picture {
	t.Helper()
	p, err := Read(bytes.NewReader(file), invert)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// apart is the mean difference of two images' pixels.
func apart(a, b []uint8) float64 {
	var sum float64
	for i := range a {
		sum += math.Abs(float64(a[i]) - float64(b[i]))
	}
	return sum / float64(len(a))
}

// A picture of 28x28 pixels is the same image in every format, and whether it is light on black or dark on white.
func TestSmallPicturesKeepTheirPixels(t *testing.T) {
	for row, pixels := range testImages(t, 30) {
		for name, file := range map[string][]byte{
			"PNG":               picturetest.PNG(picturetest.Grey(pixels)),
			"inverted PNG":      picturetest.PNG(picturetest.Negative(pixels)),
			"GIF":               picturetest.GIF(picturetest.Negative(pixels)),
			"WebP":              picturetest.WebP(picturetest.Grey(pixels)),
			"inverted WebP":     picturetest.WebP(picturetest.Negative(pixels)),
			"transparent PNG":   picturetest.PNG(picturetest.Transparent(pixels)),
			"PNG in the middle": picturetest.PNG(shifted(picturetest.Grey(pixels))),
		} {
			if p := readFile(t, file, Auto); !slices.Equal(p.Pixels, pixels) {
				t.Errorf("test:%d as %s: the pixels differ by %.2f in the mean; %v", row, name, apart(p.Pixels, pixels), p.Steps)
			}
		}
	}
}

// shifted is a picture whose bounds don't begin at 0.
func shifted(p *image.Gray) image.Image {
	q := image.NewGray(p.Rect.Add(image.Pt(3, -5)))
	copy(q.Pix, p.Pix)
	return q
}

// A photograph of 280x280 pixels, with or without margins, gives nearly the same image. The filter rounds off the edges of single pixels, and
// an image whose longer edge has 27 pixels is scaled to 28.
func TestPhotographs(t *testing.T) {
	for _, margin := range []int{0, 40, 150} {
		worst, sum := 0.0, 0.0
		images := testImages(t, 8)
		for _, pixels := range images {
			p := readFile(t, picturetest.JPEG(picturetest.Photograph(pixels, margin)), Auto)
			d := apart(p.Pixels, pixels)
			worst, sum = max(worst, d), sum+d
		}
		t.Logf("margin %d: the pixels differ by %.2f in the mean, by %.2f at most", margin, sum/float64(len(images)), worst)
		if mean := sum / float64(len(images)); mean > 6 || worst > 45 {
			t.Errorf("margin %d: the pixels differ by %.2f in the mean, by %.2f at most", margin, mean, worst)
		}
	}
}

// The subject fills the longer edge and is in the middle, wherever it was in the picture.
func TestSubjectIsCentred(t *testing.T) {
	photo := image.NewRGBA(image.Rect(0, 0, 1000, 600))
	draw.Draw(photo, photo.Rect, image.NewUniform(color.RGBA{230, 230, 230, 255}), image.Point{}, draw.Src)
	draw.Draw(photo, image.Rect(700, 100, 800, 500), image.NewUniform(color.RGBA{200, 0, 0, 255}), image.Point{}, draw.Src)
	p := readFile(t, picturetest.PNG(photo), Auto)
	want := []string{"converted to grey", "cropped to the subject, 100x400", "scaled to 7x28", "background of grey 230 made black", "inverted"}
	if !slices.Equal(p.Steps, want) {
		t.Errorf("expected the steps %q, found %q", want, p.Steps)
	}
	const level = 255 * (230 - 60) / 230 // 60 is the grey of the red
	for i, v := range p.Pixels {
		x, want := i%dataset.Cols, 0
		if x >= 11 && x < 18 {
			want = level
		}
		if d := int(v) - want; d < -3 || d > 3 {
			t.Fatalf("pixel %d,%d: expected %d, found %d", x, i/dataset.Cols, want, v)
		}
	}
}

func TestInvert(t *testing.T) {
	box := func(ground, subject uint8) []byte {
		p := image.NewGray(image.Rect(0, 0, 100, 100))
		draw.Draw(p, p.Rect, image.NewUniform(color.Gray{ground}), image.Point{}, draw.Src)
		draw.Draw(p, image.Rect(30, 30, 70, 70), image.NewUniform(color.Gray{subject}), image.Point{}, draw.Src)
		return picturetest.PNG(p)
	}
	for _, c := range []struct {
		ground, subject uint8
		invert          Invert
		inverted        bool
		level           uint8 // of the subject
	}{
		{255, 0, Auto, true, 255},
		{255, 155, Auto, true, 100},
		{0, 200, Auto, false, 200},
		{100, 255, Auto, false, 255},
		{100, 50, Auto, true, 127},
		{255, 0, No, false, 0},
		{0, 200, Yes, true, 0},
	} {
		p := readFile(t, box(c.ground, c.subject), c.invert)
		if slices.Contains(p.Steps, "inverted") != c.inverted || p.Pixels[14*dataset.Cols+14] != c.level || p.Pixels[0] != c.level {
			t.Errorf("%d on %d, %s: expected inverted %v and %d, found %v and %d",
				c.subject, c.ground, Inverts[c.invert], c.inverted, c.level, p.Steps, p.Pixels[14*dataset.Cols+14])
		}
	}
}

// A large picture is averaged: no pixel of it is left out.
func TestShrinkingAverages(t *testing.T) {
	p := image.NewGray(image.Rect(0, 0, 1400, 1400))
	for i := range p.Pix { // black and white pixels in turns, in a white frame
		if x, y := i%1400, i/1400; x >= 10 && y >= 10 && x < 1390 && y < 1390 && (x+y)%2 == 0 {
			continue
		}
		p.Pix[i] = 255
	}
	got := readFile(t, picturetest.PNG(p), Auto)
	for y := 2; y < 26; y++ {
		for x := 2; x < 26; x++ {
			if v := got.Pixels[y*dataset.Cols+x]; v < 124 || v > 131 {
				t.Fatalf("pixel %d,%d: expected about 127, found %d", x, y, v)
			}
		}
	}
}

// A camera's orientation turns the picture upright: all eight give the picture that was stored upright.
func TestOrientation(t *testing.T) {
	pixels := testImages(t, 1)[0]
	upright := picturetest.Photograph(pixels, 20)
	side := upright.Rect.Dx()
	want := readFile(t, picturetest.JPEG(upright), Auto)
	for orientation := 1; orientation <= 8; orientation++ {
		// stored is what the camera stores: a viewer that obeys the orientation sees upright.
		stored := image.NewRGBA(upright.Rect)
		for y := range side {
			for x := range side {
				at := [...]image.Point{
					{x, y}, {side - 1 - x, y}, {side - 1 - x, side - 1 - y}, {x, side - 1 - y},
					{y, x}, {y, side - 1 - x}, {side - 1 - y, side - 1 - x}, {side - 1 - y, x},
				}[orientation-1]
				stored.SetRGBA(at.X, at.Y, upright.RGBAAt(x, y))
			}
		}
		got := readFile(t, picturetest.Oriented(picturetest.JPEG(stored), orientation), Auto)
		if d := apart(got.Pixels, want.Pixels); d > 3 {
			t.Errorf("orientation %d: the pixels differ by %.2f in the mean", orientation, d)
		}
		if turned := slices.Contains(got.Steps, "turned upright"); turned != (orientation != 1) {
			t.Errorf("orientation %d: %q", orientation, got.Steps)
		}
	}
	for _, bad := range []int{0, 9, 255} {
		if got := readFile(t, picturetest.Oriented(picturetest.JPEG(upright), bad), Auto); !slices.Equal(got.Pixels, want.Pixels) {
			t.Errorf("orientation %d: expected it to be ignored", bad)
		}
	}
}

func TestBlank(t *testing.T) {
	for _, side := range []int{1, 28, 50} {
		for _, v := range []uint8{0, 100, 255} {
			p := image.NewGray(image.Rect(0, 0, side, side))
			draw.Draw(p, p.Rect, image.NewUniform(color.Gray{v}), image.Point{}, draw.Src)
			if got := readFile(t, picturetest.PNG(p), Auto); !got.Blank {
				t.Errorf("%d pixels of grey %d: expected a blank picture", side, v)
			}
		}
	}
	if readFile(t, picturetest.PNG(picturetest.Grey(testImages(t, 1)[0])), Auto).Blank {
		t.Error("an image of the data: expected one that is not blank")
	}
}

// A picture without a plain background is not cropped, and keeps its greys.
func TestBusy(t *testing.T) {
	for _, file := range [][]byte{picturetest.PNG(picturetest.Gradient(400, 300)), picturetest.JPEG(picturetest.Gradient(300, 400))} {
		p := readFile(t, file, No)
		if want := "converted to grey, scaled to "; !p.Busy || !strings.HasPrefix(strings.Join(p.Steps, ", "), want) || len(p.Steps) != 2 {
			t.Errorf("expected a busy picture and the steps %q, found %v and %q", want, p.Busy, p.Steps)
		}
		if lo, hi := slices.Min(p.Pixels[14*dataset.Cols+4:14*dataset.Cols+24]), slices.Max(p.Pixels); lo < 20 || hi > 180 {
			t.Errorf("expected greys from 20 to 180, found %d to %d", lo, hi)
		}
	}
	for _, margin := range []int{0, 20} {
		if p := readFile(t, picturetest.JPEG(picturetest.Photograph(testImages(t, 1)[0], margin)), Auto); p.Busy {
			t.Error("a photograph on white is busy")
		}
	}
}

// Any shape works, as long as it has a pixel.
func TestShapes(t *testing.T) {
	for _, size := range []image.Point{{1, 1}, {1, 2000}, {2000, 1}, {28, 27}, {27, 28}, {29, 28}, {3, 5}, {28, 56}} {
		p := readFile(t, picturetest.PNG(picturetest.Gradient(size.X, size.Y)), Auto)
		if len(p.Pixels) != dataset.Pixels || p.Width != size.X || p.Height != size.Y {
			t.Errorf("%v: found %d pixels of %dx%d", size, len(p.Pixels), p.Width, p.Height)
		}
	}
}

// The lines hold the image: 24-bit colours hold every pixel, the palette nearly, shades the mean of two.
func TestLines(t *testing.T) {
	pixels := testImages(t, 1)[0]
	lines := Lines(pixels, Full)
	if len(lines) != ShownHeight {
		t.Fatalf("expected %d lines, found %d", ShownHeight, len(lines))
	}
	for y, line := range lines {
		if !strings.HasSuffix(line, "\x1b[0m") {
			t.Fatalf("line %d does not end its colours", y)
		}
		var upper, lower, n, x int
		for rest := strings.TrimSuffix(line, "\x1b[0m"); rest != ""; x++ {
			if _, err := fmt.Sscanf(rest, "\x1b[38;2;%d;%d;%d;48;2;%d;%d;%dm", &upper, &n, &n, &lower, &n, &n); err == nil {
				rest = rest[strings.Index(rest, "m")+1:]
			}
			rest = strings.TrimPrefix(rest, "▀")
			if upper != int(pixels[2*y*dataset.Cols+x]) || lower != int(pixels[(2*y+1)*dataset.Cols+x]) {
				t.Fatalf("line %d, column %d: expected %d and %d, found %d and %d",
					y, x, pixels[2*y*dataset.Cols+x], pixels[(2*y+1)*dataset.Cols+x], upper, lower)
			}
		}
		if x != ShownWidth {
			t.Fatalf("line %d: expected %d characters, found %d", y, ShownWidth, x)
		}
	}
	for v := range 256 {
		var color int
		fmt.Sscanf(Palette.grey(uint8(v)), "5;%d", &color)
		shown := 8 + 10*(color-232)
		switch color {
		case 16:
			shown = 0
		case 231:
			shown = 255
		}
		if d := shown - v; d < -9 || d > 9 || color > 255 {
			t.Errorf("grey %d: found the colour %d, grey %d", v, color, shown)
		}
	}
	ramp := make([]uint8, dataset.Pixels)
	for i := range ramp {
		ramp[i] = uint8(i % dataset.Cols * 255 / (dataset.Cols - 1))
	}
	if got, want := Lines(ramp, Shades)[0], "   ...:::--===+++***##%%%@@@"; got != want {
		t.Errorf("expected %q, found %q", want, got)
	}
}

func TestDepthOf(t *testing.T) {
	for _, c := range []struct {
		color           bool
		term, colorterm string
		want            Depth
	}{
		{false, "xterm-256color", "truecolor", Shades},
		{true, "xterm-256color", "truecolor", Full},
		{true, "xterm", "24bit", Full},
		{true, "xterm-256color", "", Palette},
		{true, "linux", "", Shades},
		{true, "vt220", "", Shades},
	} {
		env := func(name string) string { return map[string]string{"TERM": c.term, "COLORTERM": c.colorterm}[name] }
		if got := DepthOf(c.color, env); got != c.want {
			t.Errorf("%+v: found %d", c, got)
		}
	}
}
