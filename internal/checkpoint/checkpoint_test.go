package checkpoint

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

// sameBits compares checkpoints by the bits of their values, with nil and empty alike.
var sameBits = cmp.Options{
	cmpopts.EquateEmpty(),
	cmp.Comparer(func(a, b float32) bool { return math.Float32bits(a) == math.Float32bits(b) }),
}

// small has every kind of tensor in few bytes.
func small() *Checkpoint {
	return &Checkpoint{
		Metadata: map[string]string{"loop": `{"epoch":3,"loss":0.25}`, "é <&>": "\u2028\x00"},
		Tensors: []Tensor{
			{Name: "model.upper.weight", Shape: []int{2, 3}, Data: []float32{1, -2.5, 3e-40, float32(math.Inf(-1)), 0, math.MaxFloat32}},
			{Name: "a scalar", Data: []float32{math.Float32frombits(0x7fa00001)}},
			{Name: "", Shape: []int{3, 0}},
			{Name: `"β"`, Shape: []int{1}, Data: []float32{float32(math.Copysign(0, -1))}},
		},
	}
}

func checkpoints() *rapid.Generator[*Checkpoint] {
	name := rapid.String().Filter(func(s string) bool { return s != metadataName })
	key := rapid.String().Filter(func(s string) bool { return s != digestKey && s != formatKey && s != versionKey })
	return rapid.Custom(func(t *rapid.T) *Checkpoint {
		c := &Checkpoint{Metadata: rapid.MapOfN(key, rapid.String(), 0, 5).Draw(t, "metadata")}
		for _, name := range rapid.SliceOfNDistinct(name, 0, 6, rapid.ID).Draw(t, "names") {
			shape := rapid.SliceOfN(rapid.IntRange(0, 4), 0, 4).Draw(t, "shape")
			n := 1
			for _, d := range shape {
				n *= d
			}
			bits := rapid.SliceOfN(rapid.Uint32(), n, n).Draw(t, "bits")
			data := make([]float32, n)
			for i, b := range bits {
				data[i] = math.Float32frombits(b)
			}
			c.Tensors = append(c.Tensors, Tensor{Name: name, Shape: shape, Data: data})
		}
		return c
	})
}

func mustSave(t testing.TB, path string, c *Checkpoint) []byte {
	t.Helper()
	if err := Save(path, c); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encoded is the file of c, without a file.
func encoded(t testing.TB, c *Checkpoint) []byte {
	t.Helper()
	image, err := Encode(c, nil)
	if err != nil {
		t.Fatal(err)
	}
	image.Sealed()
	return image
}

func decodeBytes(b []byte) (*Checkpoint, error) { return decode(bytes.NewReader(b), int64(len(b))) }

func TestSaveThenLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	long := make([]float32, 3*bufferSize/elementSize+1)
	for i := range long {
		long[i] = float32(i)
	}
	for _, want := range []*Checkpoint{
		small(),
		{},
		{Tensors: []Tensor{{Name: "longer than the buffer", Shape: []int{1, len(long)}, Data: long}}},
	} {
		file := mustSave(t, path, want)
		got, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameBits); diff != "" {
			t.Errorf("loaded (-saved +loaded):\n%s", diff)
		}
		if !bytes.Equal(file, encoded(t, want)) || !bytes.Equal(file, encoded(t, got)) {
			t.Error("one checkpoint, three times saved, gives different bytes")
		}
	}
}

// An image may reuse the memory of another, longer or shorter one, and be saved again. It does so if there is room.
func TestEncodeInOlderMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	long := &Checkpoint{Tensors: []Tensor{{Name: "long", Shape: []int{1000}, Data: make([]float32, 1000)}}}
	var image Image
	for _, c := range []*Checkpoint{small(), long, {}, small(), long} {
		var err error
		older := image
		if image, err = Encode(c, older); err != nil {
			t.Fatal(err)
		}
		if room := cap(older) >= len(image); room && &image[0] != &older[:1][0] {
			t.Errorf("%d tensors: not in the older image's memory", len(c.Tensors))
		}
		for range 2 {
			if err := image.Save(path); err != nil {
				t.Fatal(err)
			}
			if file, err := os.ReadFile(path); err != nil || !bytes.Equal(file, encoded(t, c)) {
				t.Errorf("%d tensors: other bytes, or %v", len(c.Tensors), err)
			}
		}
	}
}

func TestRoundTripOfAnyCheckpoint(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		want := checkpoints().Draw(r, "checkpoint")
		got, err := decodeBytes(encoded(t, want))
		if err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(want, got, sameBits); diff != "" {
			r.Errorf("decoded (-encoded +decoded):\n%s", diff)
		}
	})
}

// The order of a Go map is random; the order in the file is not.
func TestSameCheckpointSameBytes(t *testing.T) {
	first := encoded(t, small())
	for range 50 {
		if !bytes.Equal(encoded(t, small()), first) {
			t.Fatal("two files of one checkpoint differ")
		}
	}
}

func TestTensor(t *testing.T) {
	c := small()
	got, ok := c.Tensor(`"β"`)
	if !ok || got.Name != `"β"` || &got.Data[0] != &c.Tensors[3].Data[0] {
		t.Errorf("found %v, %v: want the last tensor with its own data", got, ok)
	}
	if got, ok := c.Tensor("missing"); ok {
		t.Errorf("found %v under a name that isn't there", got)
	}
}

func TestSaveRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	before := mustSave(t, path, small())
	one := []float32{1}
	half := 1 << (strconv.IntSize / 2)
	for _, c := range []struct {
		name string
		c    Checkpoint
		says []string
	}{
		{"two tensors of one name", Checkpoint{Tensors: []Tensor{{"w", nil, one}, {"b", nil, one}, {"w", nil, one}}}, []string{`"w"`}},
		{"the metadata's name", Checkpoint{Tensors: []Tensor{{metadataName, nil, one}}}, []string{metadataName}},
		{"a name in Latin-1", Checkpoint{Tensors: []Tensor{{"\xe9", nil, one}}}, []string{`"\xe9"`, "UTF-8"}},
		{"too few values", Checkpoint{Tensors: []Tensor{{"w", []int{2, 3}, one}}}, []string{`"w"`, "[2 3]", "6", "1"}},
		{"too many values", Checkpoint{Tensors: []Tensor{{"w", []int{0}, one}}}, []string{`"w"`, "[0]"}},
		{"a scalar without a value", Checkpoint{Tensors: []Tensor{{"w", nil, nil}}}, []string{`"w"`}},
		{"a negative dimension", Checkpoint{Tensors: []Tensor{{"w", []int{-1, -1}, one}}}, []string{`"w"`, "[-1 -1]", "negative"}},
		{"a product that overflows to 0", Checkpoint{Tensors: []Tensor{{"w", []int{half, half}, nil}}}, []string{`"w"`}},
		{"65 dimensions", Checkpoint{Tensors: []Tensor{{"w", slices.Repeat([]int{1}, 65), one}}}, []string{`"w"`, "65"}},
		{"a key of the file's own", Checkpoint{Metadata: map[string]string{"sha256": ""}}, []string{`"sha256"`, "reserved"}},
		{"metadata in Latin-1", Checkpoint{Metadata: map[string]string{"author": "Andr\xe9"}}, []string{`"author"`, "UTF-8"}},
		{"a header longer than Load takes", Checkpoint{Metadata: map[string]string{"k": strings.Repeat("x", maxHeader)}}, []string{fmt.Sprint(maxHeader)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Save(path, &c.c)
			if err == nil {
				t.Fatal("no error")
			}
			for _, word := range append(c.says, path) {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("error %.300q does not say %q", err, word)
				}
			}
		})
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(after, before) {
		t.Error("a refused save has changed the file")
	}
}

func TestSaveWhereItCant(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	mustSave(t, file, small())
	full := filepath.Join(dir, "directory")
	if err := os.MkdirAll(filepath.Join(full, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing", "c"), filepath.Join(file, "c"), full} {
		if err := Save(path, small()); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("Save(%s) = %v, want an error that names it", path, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 2 {
		t.Errorf("directory holds %v, want nothing new", entries)
	}
}

func TestLoadWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	missing := filepath.Join(dir, "missing")
	if _, err := Load(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("Load of a missing file: %v, want fs.ErrNotExist with its name", err)
	}
	for path, found := range map[string]string{dir: "directory", os.DevNull: "special file"} {
		_, err := Load(path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), found) {
			t.Errorf("Load(%s) = %v, want an error that names it as a %s", path, err, found)
		}
		if errors.Is(err, ErrDamaged) {
			t.Errorf("Load(%s) = %v: not a damaged checkpoint", path, err)
		}
	}
}

// Readers during saves find one of the checkpoints saved, never a mixture or a part.
func TestLoadDuringSaves(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.safetensors")
	generation := func(i int) *Checkpoint {
		data := make([]float32, 20_000+1000*(i%5))
		for j := range data {
			data[j] = float32(i)
		}
		return &Checkpoint{
			Metadata: map[string]string{"generation": fmt.Sprint(i)},
			Tensors:  []Tensor{{Name: "w", Shape: []int{len(data)}, Data: data}},
		}
	}
	mustSave(t, path, generation(0))
	saved := make(chan struct{})
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for last := 0; ; {
				select {
				case <-saved:
					return
				default:
				}
				got, err := Load(path)
				if err != nil {
					t.Error(err)
					return
				}
				i := int(got.Tensors[0].Data[0])
				if i < last {
					t.Errorf("loaded generation %d after %d", i, last)
				}
				last = i
				if !cmp.Equal(generation(i), got) {
					t.Errorf("loaded a mixture in generation %d", i)
				}
			}
		})
	}
	for i := range 40 {
		if err := Save(path, generation(i)); err != nil {
			t.Error(err)
		}
	}
	close(saved)
	readers.Wait()
}
