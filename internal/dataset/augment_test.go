package dataset

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// augmenter makes the augmentation that a text names.
func augmenter(t interface{ Fatal(...any) }, text string, seed uint64, first int) *Augmenter {
	a, err := ParseAugmentation(text)
	if err != nil {
		t.Fatal(err)
	}
	return &Augmenter{a, seed, first}
}

// changed is an image after a change.
func changed(c Changer, original []uint8, epoch, row int) []uint8 {
	image := new([Pixels]uint8)
	for i := range image {
		image[i] = 77 // of the image before it
	}
	c.Change(image, original, epoch, row)
	return image[:]
}

// ones is an image without a 0.
func ones() []uint8 {
	image := make([]uint8, Pixels)
	for i := range image {
		image[i] = uint8(1 + i%251)
	}
	return image
}

// moved is the plain twin of a view.
func moved(original []uint8, v View) []uint8 {
	image := make([]uint8, Pixels)
	for y := range Rows {
		for x := range Cols {
			toX, toY := x+v.DX, y+v.DY
			if toX < 0 || toX >= Cols || toY < 0 || toY >= Rows {
				continue
			}
			if v.Flip {
				toX = Cols - 1 - toX
			}
			image[toY*Cols+toX] = original[y*Cols+x]
		}
	}
	return image
}

// Every view moves and mirrors each pixel as its plain twin does.
func TestView(t *testing.T) {
	original := ones()
	for dx := -maxShift; dx <= maxShift; dx++ {
		for dy := -maxShift; dy <= maxShift; dy++ {
			for _, flip := range []bool{false, true} {
				v := View{DX: dx, DY: dy, Flip: flip}
				if want, found := moved(original, v), changed(&v, original, 1, 0); !slices.Equal(want, found) {
					t.Fatalf("%+v:\n%s", v, cmp.Diff(want, found))
				}
			}
		}
	}
	flip := View{Flip: true}
	once := changed(&flip, original, 1, 0)
	if slices.Equal(once, original) || !slices.Equal(changed(&flip, once, 1, 0), original) {
		t.Error("two flips are not the image itself, or one is")
	}
}

// An augmented image is its original, shifted, mirrored, with a square of zeros.
func TestAugmented(t *testing.T) {
	original := ones()
	rapid.Check(t, func(t *rapid.T) {
		shift, cutout := rapid.IntRange(1, maxShift).Draw(t, "shift"), rapid.IntRange(1, maxCutout).Draw(t, "cutout")
		text := fmt.Sprintf("flip,shift:%d,cutout:%d", shift, cutout)
		a := augmenter(t, text, rapid.Uint64().Draw(t, "seed"), 0)
		epoch, row := rapid.IntRange(1, 1000).Draw(t, "epoch"), rapid.IntRange(0, 60000).Draw(t, "row")
		found := changed(a, original, epoch, row)
		if !slices.Equal(found, changed(a, original, epoch, row)) {
			t.Fatal("the second time it is another image")
		}
		var v View
		v.Flip = a.flips(epoch, row)
		v.DX, v.DY = a.shift(epoch, row)
		if max(v.DX, -v.DX, v.DY, -v.DY) > shift {
			t.Fatalf("shift %+v", v)
		}
		top, left, bottom, right := Rows, Cols, -1, -1 // of the pixels that were cut out
		want := moved(original, v)
		for i, p := range want {
			if p != found[i] {
				y, x := i/Cols, i%Cols
				top, left, bottom, right = min(top, y), min(left, x), max(bottom, y), max(right, x)
			}
		}
		for y := top; y <= bottom; y++ {
			clear(want[y*Cols+left : y*Cols+right+1])
		}
		if !slices.Equal(want, found) {
			t.Fatalf("%+v: not a rectangle of zeros:\n%s", v, cmp.Diff(want, found))
		}
		if height, width := bottom-top+1, right-left+1; bottom >= 0 && max(height, width) > cutout {
			t.Fatalf("a cutout of %dx%d pixels", height, width)
		}
	})
}

// The square of a cutout is where DeVries and Taylor put it: its centre is each pixel equally often, and it is clipped at the border.
func TestCutout(t *testing.T) {
	const n = 40 * Pixels
	for _, size := range []int{1, 4, 5, 28} {
		a := augmenter(t, fmt.Sprintf("cutout:%d", size), 3, 0)
		counts := map[[4]int]int{}
		for row := range n {
			counts[hole(t, changed(a, ones(), 1, row))]++
		}
		expected := map[[4]int]float64{}
		for y := range Rows {
			for x := range Cols {
				top, left := y-size/2, x-size/2
				expected[[4]int{max(top, 0), max(left, 0), min(top+size, Rows), min(left+size, Cols)}] += n / Pixels
			}
		}
		plausible(t, fmt.Sprintf("cutout:%d", size), expected, counts)
	}
}

// hole is the rectangle of zeros in an image that had none: top, left, bottom, right.
func hole(t *testing.T, image []uint8) [4]int {
	t.Helper()
	h := [4]int{Rows, Cols, 0, 0}
	zeros := 0
	for i, p := range image {
		if p == 0 {
			y, x := i/Cols, i%Cols
			h = [4]int{min(h[0], y), min(h[1], x), max(h[2], y+1), max(h[3], x+1)}
			zeros++
		}
	}
	if area := (h[2] - h[0]) * (h[3] - h[1]); zeros == 0 || zeros != area {
		t.Fatalf("%d zeros in the rectangle %v", zeros, h)
	}
	return h
}

// plausible compares counts with what is expected by χ², within six standard deviations. The draws are fixed, so a right distribution
// never fails by chance.
func plausible[K comparable](t *testing.T, what string, expected map[K]float64, found map[K]int) {
	t.Helper()
	var chi2 float64
	for k, n := range found {
		if expected[k] == 0 {
			t.Fatalf("%s: %v comes %d times, expected never", what, k, n)
		}
	}
	for k, want := range expected {
		d := float64(found[k]) - want
		chi2 += d * d / want
	}
	freedom := float64(len(expected) - 1)
	if math.Abs(chi2-freedom) > 6*math.Sqrt(2*freedom) {
		t.Errorf("%s: χ² is %.1f with %.0f degrees of freedom", what, chi2, freedom)
	}
}

// All shifts are equally likely, in all directions and together with all flips. So are the pairs of an image's epochs and of neighbouring
// images: the draws are independent.
func TestDrawsAreUniform(t *testing.T) {
	const n = 40_000
	type draw struct {
		dx, dy       int
		flip         bool
		next, second bool // flips of the next epoch and of the next image
	}
	a := augmenter(t, "flip,shift:2", 42, 5000)
	counts, expected := map[draw]int{}, map[draw]float64{}
	for row := range n {
		dx, dy := a.shift(1, row)
		counts[draw{dx, dy, a.flips(1, row), a.flips(2, row), a.flips(1, row+1)}]++
	}
	for i := range 25 * 8 {
		expected[draw{i/8%5 - 2, i/8/5 - 2, i&1 > 0, i&2 > 0, i&4 > 0}] = n / 200.
	}
	plausible(t, "flip,shift:2", expected, counts)
}

// Alternating flips mirror about half of the images in the first epoch, and each image in every other epoch.
func TestAlternatingFlip(t *testing.T) {
	const n = 10_000
	a := augmenter(t, "altflip", 42, 0)
	mirrored := 0
	for row := range n {
		first := a.flips(1, row)
		if first {
			mirrored++
		}
		for epoch := 2; epoch < 9; epoch++ {
			if a.flips(epoch, row) != (first == (epoch%2 == 1)) {
				t.Fatalf("image %d, epoch %d: it was mirrored two epochs in a row, or not once in two", row, epoch)
			}
		}
	}
	if math.Abs(float64(mirrored)-n/2) > 6*math.Sqrt(n/4) {
		t.Errorf("%d of %d images are mirrored in the first epoch", mirrored, n)
	}
}

// Half of the images are erased: a rectangle of noise, 2 to 40 % of the image.
func TestErase(t *testing.T) {
	const n = 4000
	a := augmenter(t, "erase", 1, 0)
	erased, noise := 0, map[uint8]bool{}
	for row := range n {
		// The rectangle shows as what differs in one of two images without a pixel in common.
		black, white := changed(a, make([]uint8, Pixels), 1, row), changed(a, slices.Repeat([]uint8{255}, Pixels), 1, row)
		hidden := make([]uint8, Pixels)
		for i := range hidden {
			if black[i] == white[i] {
				noise[black[i]] = true
			} else {
				hidden[i] = 1
			}
		}
		if !slices.Contains(hidden, 0) {
			continue
		}
		erased++
		h := hole(t, hidden)
		// A side is rounded by up to half a pixel.
		height, width := float64(h[2]-h[0]), float64(h[3]-h[1])
		if least, most := (height-0.5)*(width-0.5), (height+0.5)*(width+0.5); most < 0.02*Pixels || least > 0.4*Pixels {
			t.Errorf("image %d: a rectangle of %vx%v", row, height, width)
		}
		if (height+0.5)/(width-0.5) < 0.3 || (height-0.5)/(width+0.5) > 1/0.3 {
			t.Errorf("image %d: a rectangle of %vx%v", row, height, width)
		}
	}
	if math.Abs(float64(erased)-n/2) > 6*math.Sqrt(n/4) || len(noise) != 256 {
		t.Errorf("%d of %d images are erased, with %d kinds of bytes", erased, n, len(noise))
	}
}

// An augmented image depends on its place in the file, not on how many images before it are for validation.
func TestAugmentedByPlaceInFile(t *testing.T) {
	whole, rest := augmenter(t, "flip,shift:3,cutout:9,erase", 1, 0), augmenter(t, "flip,shift:3,cutout:9,erase", 1, 100)
	for row := range 50 {
		if !slices.Equal(changed(whole, ones(), 2, 100+row), changed(rest, ones(), 2, row)) {
			t.Errorf("image %d is another one", 100+row)
		}
	}
}

// The draws of a seed stay the same on every system and in every release.
func TestDrawsAreFixed(t *testing.T) {
	a := augmenter(t, "altflip,shift:2,cutout:8,erase", 42, 5000)
	var found []int
	for row := range 4 {
		dx, dy := a.shift(3, row)
		sum := 0
		for i, p := range changed(a, ones(), 3, row) {
			sum += (i + 1) * int(p)
		}
		found = append(found, dx, dy, sum)
	}
	if diff := cmp.Diff([]int{-1, 0, 36053319, 1, -2, 36634821, -2, 1, 34690610, 0, -1, 37305083}, found); diff != "" {
		t.Error(diff)
	}
}

// A batch of changed images has the labels of Fill, and its float32 for each byte.
func TestFillChanged(t *testing.T) {
	s := ramp(7)
	a := augmenter(t, "flip,shift:2,cutout:8,erase", 9, 0)
	x, labels, rows := make([]float32, 4*Pixels), make([]int32, 4), []int32{6, 0, 3}
	var image [Pixels]uint8
	fill := func() { s.FillChanged(x, labels, rows, a, 5, &image) }
	fill()
	want := &Set{Labels: []uint8{6, 0, 3}}
	for _, row := range rows {
		want.Images = append(want.Images, changed(a, s.image(row), 5, int(row))...)
	}
	wantX, wantLabels := make([]float32, 4*Pixels), make([]int32, 4)
	want.Fill(wantX, wantLabels, []int32{0, 1, 2})
	if !slices.Equal(wantX, x) || !slices.Equal(wantLabels, labels) {
		t.Errorf("expected the labels %v, found %v, or other images", wantLabels, labels)
	}
	if n := testing.AllocsPerRun(10, fill); n != 0 {
		t.Errorf("expected no allocation, found %v", n)
	}
}

func TestParseAugmentation(t *testing.T) {
	for text, want := range map[string]string{
		"none": "none", "flip": "flip", "altflip": "altflip", " FLIP , Shift:2": "flip,shift:2",
		"erase,cutout:28,shift:27,flip": "flip,shift:27,cutout:28,erase",
	} {
		a, err := ParseAugmentation(text)
		if err != nil || a.String() != want {
			t.Errorf("%q: found %v, %v; expected %s", text, a, err, want)
		}
		if again, err := ParseAugmentation(a.String()); err != nil || again != a {
			t.Errorf("%q: read back as %v, %v", text, again, err)
		}
	}
	allowed := "expected none, or a list of flip or altflip, shift:N (N from 1 to 27), cutout:N (N from 1 to 28) and erase, each once, found "
	for text, want := range map[string]string{
		"": allowed + `""`, "flip,": allowed + `""`, "flip:1": allowed + `"flip:1"`, "shift": allowed + `"shift"`, "shift:0": allowed + `"shift:0"`,
		"flip,shift:28": allowed + `"shift:28"`, "shift:-1": allowed + `"shift:-1"`, "cutout:1.5": allowed + `"cutout:1.5"`, "cutout:29": allowed + `"cutout:29"`,
		"erase:1": allowed + `"erase:1"`, "flip,none": allowed + `"none"`, "mixup": allowed + `"mixup"`,
		"flip,flip": "expected flip once, found flip and flip", "shift:1,shift:2": "expected shift once, found shift:1 and shift:2",
		"altflip,flip": "expected flip or altflip, found both", "altflip,altflip": "expected altflip once, found altflip and altflip",
		strings.Repeat("x", 500): allowed + `"` + strings.Repeat("x", 100) + `"`,
	} {
		_, err := ParseAugmentation(text)
		var refused *AugmentationError
		if !errors.As(err, &refused) || err.Error() != want {
			t.Errorf("%q: found %v\nexpected %s", text, err, want)
		}
	}
}

// The views of an evaluation are each different, and their weights add up to 1.
func TestViews(t *testing.T) {
	for _, c := range []struct {
		words string
		n     int
	}{{"", 1}, {"flip", 2}, {"shift", 5}, {"flip,shift", 10}, {"shift,flip", 10}} {
		views, err := Views(strings.FieldsFunc(c.words, func(r rune) bool { return r == ',' }))
		if err != nil || len(views) != c.n || views[0].View != (View{}) {
			t.Fatalf("%s: found %v, %v", c.words, views, err)
		}
		var sum float64
		seen := map[View]bool{}
		for _, v := range views {
			sum += v.Weight
			seen[v.View] = true
		}
		if sum != 1 || len(seen) != c.n {
			t.Errorf("%s: the weights add up to %v; found %v", c.words, sum, views)
		}
	}
	for words, want := range map[string]string{
		"crop": `expected flip, shift or both, found "crop"`, "flip,flip": "expected each word once, found flip again", "flip,": `expected flip, shift or both, found ""`,
	} {
		if _, err := Views(strings.Split(words, ",")); err == nil || err.Error() != want {
			t.Errorf("%s: found %v", words, err)
		}
	}
}

func BenchmarkFillChanged(b *testing.B) {
	const n, batch = 6_000, 128
	s := ramp(n)
	x, labels := make([]float32, batch*Pixels), make([]int32, batch)
	order := NewSampler(n, 1, true).Order(0)
	for _, text := range []string{"none", "flip", "shift:2", "cutout:8", "flip,shift:2,cutout:8", "erase"} {
		b.Run(text, func(b *testing.B) {
			a := augmenter(b, text, 1, 0)
			var image [Pixels]uint8
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				rows := order[i*batch%(n-batch):][:batch]
				if text == "none" {
					s.Fill(x, labels, rows)
				} else {
					s.FillChanged(x, labels, rows, a, 1, &image)
				}
			}
		})
	}
}
