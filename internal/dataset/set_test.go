package dataset

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fmtrain/internal/layer"
)

// The label that a set gives to a row without an image is the one that the losses ignore.
func TestIgnored(t *testing.T) {
	if Ignored != layer.Ignored {
		t.Errorf("expected the label %d, found %d", layer.Ignored, Ignored)
	}
}

// ramp is a set of n images in which pixel j of image i is the byte i+j, and label i is i modulo 10.
func ramp(n int) *Set {
	s := &Set{Images: make([]uint8, n*Pixels), Labels: make([]uint8, n)}
	for i := range n {
		s.Labels[i] = uint8(i % Classes)
		for j := range Pixels {
			s.Images[i*Pixels+j] = uint8(i + j)
		}
	}
	return s
}

func TestFill(t *testing.T) {
	const n = 7
	s := ramp(n)
	rapid.Check(t, func(t *rapid.T) {
		rows := rapid.SliceOfN(rapid.Int32Range(0, n-1), 0, 6).Draw(t, "rows")
		size := len(rows) + rapid.IntRange(0, 3).Draw(t, "padding")
		x, labels := make([]float32, size*Pixels), make([]int32, size)
		for i := range x {
			x[i] = float32(math.NaN())
		}
		s.Fill(x, labels, rows)
		for i := range size {
			wantLabel := int32(Ignored)
			if i < len(rows) {
				wantLabel = rows[i] % Classes
			}
			if labels[i] != wantLabel {
				t.Fatalf("label %d: expected %d, found %d", i, wantLabel, labels[i])
			}
			for j, found := range x[i*Pixels : (i+1)*Pixels] {
				var want float32
				if i < len(rows) {
					want = float32(uint8(int(rows[i])+j)) / 255
				}
				if math.Float32bits(found) != math.Float32bits(want) {
					t.Fatalf("row %d, pixel %d: expected %v, found %v", i, j, want, found)
				}
			}
		}
	})
}

func TestFillAllocatesNothing(t *testing.T) {
	s := ramp(4)
	x, labels, rows := make([]float32, 3*Pixels), make([]int32, 3), []int32{3, 1}
	if n := testing.AllocsPerRun(10, func() { s.Fill(x, labels, rows) }); n != 0 {
		t.Errorf("expected no allocation, found %v", n)
	}
}

func TestFillRefusesMismatch(t *testing.T) {
	for _, c := range []struct {
		name      string
		x, labels int
		rows      []int32
	}{
		{"x too short", 2*Pixels - 1, 2, []int32{0}},
		{"x too long", 2*Pixels + 1, 2, []int32{0}},
		{"more rows than labels", Pixels, 1, []int32{0, 1}},
		{"row too large", Pixels, 1, []int32{4}},
		{"row negative", Pixels, 1, []int32{-1}},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("expected the documented panic")
				}
			}()
			ramp(4).Fill(make([]float32, c.x), make([]int32, c.labels), c.rows)
		})
	}
}

func TestSplit(t *testing.T) {
	s := ramp(12)
	for n := range 12 {
		val, rest, err := Split(s, n)
		if err != nil {
			t.Fatal(err)
		}
		if val.Len() != n || rest.Len() != 12-n || len(val.Images) != n*Pixels {
			t.Fatalf("%d of 12: found %d and %d", n, val.Len(), rest.Len())
		}
		if !bytes.Equal(s.Images, append(val.Images, rest.Images...)) || !bytes.Equal(s.Labels, append(val.Labels, rest.Labels...)) {
			t.Fatalf("the first %d and the rest aren't the whole", n)
		}
		if &rest.Images[0] != &s.Images[n*Pixels] {
			t.Fatal("expected the parts to share memory")
		}
	}
	for _, n := range []int{-1, 12, 13} {
		if _, _, err := Split(s, n); err == nil || !strings.Contains(err.Error(), "0 to 11 of the 12") {
			t.Errorf("%d of 12: expected an error that names the range, found %v", n, err)
		}
	}
	if a, b := DefaultValidation(60_000), DefaultValidation(SampleTrain); a != 5_000 || b != 500 {
		t.Errorf("expected 5000 and 500 images by default, found %d and %d", a, b)
	}
}

func TestSliceCannotGrowIntoTheNext(t *testing.T) {
	s := ramp(2)
	first := s.Slice(0, 1)
	_ = append(first.Labels, 9)
	_ = append(first.Images, 99)
	if diff := cmp.Diff(ramp(2), s); diff != "" {
		t.Error(diff)
	}
}

// The moments of the histogram are those of the pixels taken one by one.
func TestStats(t *testing.T) {
	s := ramp(13)
	found := s.Stats()
	var sum, squares float64
	for _, p := range s.Images {
		sum += float64(p) / 255
	}
	mean := sum / float64(len(s.Images))
	for _, p := range s.Images {
		squares += (float64(p)/255 - mean) * (float64(p)/255 - mean)
	}
	std := math.Sqrt(squares / float64(len(s.Images)))
	if math.Abs(found.Mean-mean) > 1e-12 || math.Abs(found.Std-std) > 1e-12 {
		t.Errorf("expected mean %v and deviation %v, found %v and %v", mean, std, found.Mean, found.Std)
	}
	if want := [Classes]int{2, 2, 2, 1, 1, 1, 1, 1, 1, 1}; found.Count != 13 || found.PerClass != want {
		t.Errorf("expected 13, %v, found %d, %v", want, found.Count, found.PerClass)
	}
	if empty := (&Set{}).Stats(); empty != (Stats{}) {
		t.Errorf("expected zeros for an empty set, found %v", empty)
	}
}

func BenchmarkFill(b *testing.B) {
	const n, batch = 6_000, 32
	s := ramp(n)
	x, labels := make([]float32, batch*Pixels), make([]int32, batch)
	order := NewSampler(n, 1, true).Order(0)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		at := i * batch % (n - batch)
		s.Fill(x, labels, order[at:at+batch])
	}
}
