package export

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fmtrain/internal/run"
)

// What is exported and read again has the same bits.
func TestRoundTrip(t *testing.T) {
	for _, n := range networks {
		for _, format := range []string{"safetensors", "npz"} {
			s, dir := n.source(t), t.TempDir()
			if err := Write(dir, files(t, format, s), false); err != nil {
				t.Fatal(err)
			}
			f, err := Open(filepath.Join(dir, "model."+format))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			weights, err := f.Weights(s.Model)
			if err != nil {
				t.Fatal(err)
			}
			if want, got := run.Digest(s.Weights), run.Digest(weights); got != want {
				t.Errorf("%s, %s: expected the weights %s, found %s", n.layers, format, want, got)
			}
			if !strings.Contains(f.Architecture, s.Model.Text()) {
				t.Errorf("%s: expected the architecture %s, found %s", format, s.Model.Text(), f.Architecture)
			}
		}
	}
}

// The same model gives the same bytes.
func TestSameBytes(t *testing.T) {
	s := networks[3].source(t)
	for _, format := range Names() {
		again := files(t, format, networks[3].source(t))
		for i, f := range files(t, format, s) {
			if !bytes.Equal(f.Content, again[i].Content) {
				t.Errorf("%s: %s has other bytes the second time", format, f.Name)
			}
		}
	}
}

// Nothing is replaced without force, and then all is.
func TestWriteOverFiles(t *testing.T) {
	dir := t.TempDir()
	card := filepath.Join(dir, "README.md")
	if err := os.WriteFile(card, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	made := files(t, "onnx", networks[0].source(t))
	err := Write(dir, made, false)
	if err == nil || !strings.Contains(err.Error(), "README.md") {
		t.Errorf("expected an error that names README.md, found %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, "model.onnx")); err == nil {
		t.Error("a refused export has written a file")
	}
	if err := Write(dir, made, true); err != nil {
		t.Fatal(err)
	}
	if content, _ := os.ReadFile(card); string(content) == "mine" {
		t.Error("--force has not replaced the card")
	}
	if err := Write(card, made, true); err == nil {
		t.Error("an export into a file was not refused")
	}
}

// NumPy writes and reads the same arrays: by rows, by columns, compressed, in float64.
func TestNumPy(t *testing.T) {
	if err := exec.Command("python3", "-c", "import numpy").Run(); err != nil {
		t.Skip("python3 has no NumPy, so no arrays are compared with NumPy's")
	}
	s, dir := networks[3].source(t), t.TempDir()
	if err := Write(dir, files(t, "npz", s), false); err != nil {
		t.Fatal(err)
	}
	script := `
import numpy, sys
model = numpy.load("model.npz")
assert "conv:6x5s2" in model["architecture"].item() and model["class_names"][9] == "Ankle boot"
weights = {name: model[name] for name in model.files if model[name].dtype == numpy.float32}
numpy.savez("rows.npz", **weights)
numpy.savez_compressed("columns.npz", **{name: numpy.asfortranarray(w) for name, w in weights.items()})
numpy.savez("doubles.npz", **{name: w.astype(numpy.float64) for name, w in weights.items()})
`
	cmd := exec.Command("python3", "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"rows.npz", "columns.npz", "doubles.npz"} {
		f, err := Open(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		weights, err := f.Weights(s.Model)
		if err != nil {
			t.Fatal(err)
		}
		if run.Digest(weights) != run.Digest(s.Weights) {
			t.Errorf("%s: other weights", name)
		}
	}
}

// safetensorsFile is a file as other programs write it.
func safetensorsFile(header string, data []byte) []byte {
	return append(append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), data...)
}

func npzFile(t testing.TB, arrays map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range arrays {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write(content)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Errors name the tensor, and what was expected and found.
func TestReadRefuses(t *testing.T) {
	m := network{layers: "10"}.source(t).Model // upper.weight [784, 10], upper.bias [10]
	weight := npyFloats([]int{784, 10}, make([]float32, 7840))
	bias := npyFloats([]int{10}, make([]float32, 10))
	entry := `"upper.bias":{"dtype":"%s","shape":%s,"data_offsets":[%d,%d]}`
	for name, c := range map[string]struct {
		ending string
		file   []byte
		want   string
	}{
		"missing":      {"npz", npzFile(t, map[string][]byte{"upper.bias.npy": bias}), "tensor upper.weight: expected shape (784, 10), found no such tensor; the file has upper.bias"},
		"shape":        {"npz", npzFile(t, map[string][]byte{"upper.weight.npy": bias, "upper.bias.npy": bias}), "tensor upper.weight: expected shape (784, 10), found (10)"},
		"extra":        {"npz", npzFile(t, map[string][]byte{"upper.weight.npy": weight, "upper.bias.npy": bias, "x.npy": bias}), "tensor x: expected none of this name"},
		"cut":          {"npz", npzFile(t, map[string][]byte{"upper.weight.npy": weight[:5000], "upper.bias.npy": bias}), "upper.weight: its values can't be read"},
		"longer":       {"npz", npzFile(t, map[string][]byte{"upper.weight.npy": append(weight, 0), "upper.bias.npy": bias}), "expected the end of its values"},
		"type":         {"npz", npzFile(t, map[string][]byte{"a.npy": npyHeader("<i8", []int{1})}), `array "a": expected the type float32 or float64, found "<i8"`},
		"not npy":      {"npz", npzFile(t, map[string][]byte{"a.npy": []byte("hello, world")}), "expected an npy file"},
		"not arrays":   {"npz", npzFile(t, map[string][]byte{"a.txt": bias}), "expected arrays NAME.npy"},
		"huge":         {"npz", npzFile(t, map[string][]byte{"a.npy": npyHeader("<f4", []int{1 << 40, 1 << 40})}), "expected a shape"},
		"no zip":       {"npz", []byte("hello"), "expected an npz file"},
		"half":         {"safetensors", safetensorsFile("{"+fmt.Sprintf(entry, "F16", "[10]", 0, 20)+"}", make([]byte, 20)), `tensor "upper.bias": expected the type F32 or F64, found "F16"`},
		"offsets":      {"safetensors", safetensorsFile("{"+fmt.Sprintf(entry, "F32", "[10]", 0, 36)+"}", make([]byte, 40)), "expected (10) values of 4 bytes"},
		"end":          {"safetensors", safetensorsFile("{"+fmt.Sprintf(entry, "F32", "[10]", 4, 44)+"}", make([]byte, 40)), "found the offsets 4 to 44"},
		"overflow":     {"safetensors", safetensorsFile("{"+fmt.Sprintf(entry, "F32", "[4611686018427387904, 4]", 0, 0)+"}", nil), "expected (4611686018427387904, 4) values"},
		"other ending": {"pt", nil, "expected a name that ends with .safetensors or .npz"},
	} {
		path := filepath.Join(t.TempDir(), "weights."+c.ending)
		if err := os.WriteFile(path, c.file, 0o644); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err == nil {
			defer f.Close()
			_, err = f.Weights(m)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "weights."+c.ending) {
			t.Errorf("%s: expected an error with %q and the file's name, found %v", name, c.want, err)
		}
	}
}

// A safetensors file of another program: tensors in any order, float64, any metadata.
func TestForeignSafetensors(t *testing.T) {
	s := network{layers: "10"}.source(t)
	_, bias := s.values("upper.bias")
	_, weight := s.values("upper.weight")
	var data []byte
	for _, v := range bias {
		data, _ = binary.Append(data, binary.LittleEndian, float64(v))
	}
	data, _ = binary.Append(data, binary.LittleEndian, weight)
	file := safetensorsFile(`{"upper.weight":{"dtype":"F32","shape":[784,10],"data_offsets":[80,31440]},"__metadata__":{"format":"pt"},`+
		`"upper.bias":{"dtype":"F64","shape":[10],"data_offsets":[0,80]}}  `, data)
	path := filepath.Join(t.TempDir(), "weights.safetensors")
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	weights, err := f.Weights(s.Model)
	if err != nil {
		t.Fatal(err)
	}
	if run.Digest(weights) != run.Digest(s.Weights) {
		t.Error("other weights")
	}
}

// FuzzReadForeign checks that no file makes a reader fail in another way than by an error, or takes much memory.
func FuzzReadForeign(f *testing.F) {
	s := network{layers: "10"}.source(f)
	made := file(f, files(f, "npz", s), "model.npz")
	f.Add(made[:3000])
	f.Add(npzFile(f, map[string][]byte{"upper.bias.npy": npyFloats([]int{10}, make([]float32, 10))}))
	f.Add(safetensorsFile(`{"upper.bias":{"dtype":"F32","shape":[10],"data_offsets":[0,40]}}`, make([]byte, 40)))
	f.Fuzz(func(_ *testing.T, content []byte) {
		values := make([]float32, 10)
		opened := func(f *Foreign, err error) {
			if err != nil {
				return
			}
			for _, t := range f.Tensors {
				if equal(t.Shape, []int{10}) {
					_ = t.read(values)
				}
			}
		}
		opened(readForeignSafetensors(bytes.NewReader(content)))
		if z, err := zip.NewReader(bytes.NewReader(content), int64(len(content))); err == nil {
			opened(readNPZ(z))
		}
	})
}
