package export

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/model"
)

// Foreign is a file of weights that was opened for reading. Values are read only when they are asked for, so a file can't claim more memory
// than its model needs.
type Foreign struct {
	Path         string
	Architecture string // as JSON; empty if the file has none
	Tensors      []ForeignTensor

	close func() error
}

// ForeignTensor is a named array in a file.
type ForeignTensor struct {
	Name  string
	Shape []int

	read func(values []float32) error // fills as many as the shape has
}

// Close ends the reading.
func (f *Foreign) Close() error { return f.close() }

// Open opens a safetensors or npz file. A file that fmtrain has written must be intact.
func Open(path string) (*Foreign, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a file, found a directory or a special file", path)
	}
	var f *Foreign
	switch strings.ToLower(filepath.Ext(path)) {
	case ".safetensors":
		f, err = openSafetensors(path)
	case ".npz":
		f, err = openNPZ(path)
	default:
		return nil, fmt.Errorf("%s: expected a name that ends with .safetensors or .npz", path)
	}
	if err != nil {
		return nil, err
	}
	f.Path = path
	return f, nil
}

// openSafetensors opens a file of fmtrain, or of another program.
func openSafetensors(path string) (*Foreign, error) {
	own, err := checkpoint.Load(path)
	if errors.Is(err, checkpoint.ErrForeign) {
		return openForeignSafetensors(path)
	}
	if err != nil {
		return nil, err
	}
	if _, ok := own.Metadata["progress"]; ok {
		return nil, fmt.Errorf("%s: expected exported weights, found a checkpoint, which eval, predict and --init take as it is", path)
	}
	f := &Foreign{Architecture: own.Metadata[architectureKey], close: func() error { return nil }}
	for _, t := range own.Tensors {
		f.Tensors = append(f.Tensors, ForeignTensor{t.Name, t.Shape, func(values []float32) error {
			copy(values, t.Data)
			return nil
		}})
	}
	return f, nil
}

// Weights are the values of the file as the weights of a model. Each of the model's weights must be there with its shape, and no other.
func (f *Foreign) Weights(m *model.Model) (model.Weights, error) {
	found := map[string]ForeignTensor{}
	for _, t := range f.Tensors {
		found[t.Name] = t
	}
	for _, p := range m.Parameters() {
		t, ok := found[p.Name]
		if !ok {
			return nil, fmt.Errorf("%s: tensor %s: expected shape %v, found no such tensor%s", f.Path, p.Name, p.Shape, f.names())
		}
		if !equal(t.Shape, p.Shape) {
			return nil, fmt.Errorf("%s: tensor %s: expected shape %v, found %s", f.Path, p.Name, p.Shape, tuple(t.Shape))
		}
		delete(found, p.Name)
	}
	for _, t := range f.Tensors {
		if _, extra := found[t.Name]; extra {
			return nil, fmt.Errorf("%s: tensor %.100s: expected none of this name in the model %s, found shape %s", f.Path, t.Name, m.Text(), tuple(t.Shape))
		}
	}
	weights := m.NewWeights(0)
	for _, w := range weights {
		for _, t := range f.Tensors {
			if t.Name != w.Name {
				continue
			}
			if err := t.read(w.Value.Float32s()); err != nil {
				return nil, fmt.Errorf("%s: tensor %s: %w", f.Path, t.Name, err)
			}
		}
	}
	return weights, nil
}

// names are the first names of the file, for an error.
func (f *Foreign) names() string {
	const shown = 5
	var names []string
	for i, t := range f.Tensors {
		if i == shown {
			names = append(names, "...")
			break
		}
		names = append(names, fmt.Sprintf("%.60s", t.Name))
	}
	if names == nil {
		return ""
	}
	return "; the file has " + strings.Join(names, ", ")
}

func equal(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

// tuple is a shape as errors show it.
func tuple(shape []int) string {
	const shown = 8
	texts := make([]string, min(len(shape), shown))
	for i := range texts {
		texts[i] = fmt.Sprint(shape[i])
	}
	if len(shape) > shown {
		texts = append(texts, "...")
	}
	return "(" + strings.Join(texts, ", ") + ")"
}

// size is the number of values of a shape; ok is false if it can't be that many.
func size(shape []int) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > 0 && n > maxValues/d {
			return 0, false
		}
		n *= d
	}
	return n, len(shape) <= maxAxes
}

const (
	maxValues = 1 << 40
	maxAxes   = 32
)
