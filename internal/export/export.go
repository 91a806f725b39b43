// Package export writes a trained model for other programs, and reads weights that other programs have written.
//
// A format is a file of this package and a line of [Formats]. It makes its files in memory, so an export that fails leaves nothing behind.
// The same model gives the same bytes: the files have no dates.
package export

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/model"
)

// Source is what is exported.
type Source struct {
	Model   *model.Model
	Weights model.Weights
	Input   string // of ONNX: one of Inputs
	Card    Card
}

// The inputs that an ONNX model can have.
const (
	Uint8 = "uint8" // pixels from 0 to 255, [batch, 28, 28]
	Float = "float" // pixels divided by 255, [batch, 784]
)

// Inputs are the inputs that an ONNX model can have, the usual one first.
var Inputs = []string{Uint8, Float}

// File is a file of an export.
type File struct {
	Name    string
	Content []byte
}

// Format is a form of exports.
type Format struct {
	Name  string
	About string // what it is, in a phrase

	files func(s *Source) ([]File, error)
	usage func(s *Source) string // how to use it, for the model card
}

// Formats are the formats, the usual one first.
func Formats() []Format {
	return []Format{
		{"onnx", "the network and its weights, for ONNX runtimes", onnxFiles, onnxUsage},
		{"safetensors", "the weights, for PyTorch and others", safetensorsFiles, safetensorsUsage},
		{"npz", "the weights, for NumPy", npzFiles, npzUsage},
		{"go", "a Go package without dependencies", goFiles, goUsage},
	}
}

// Names are the names of the formats.
func Names() (names []string) {
	for _, f := range Formats() {
		names = append(names, f.Name)
	}
	return names
}

// Find is the format of that name.
func Find(name string) (Format, error) {
	for _, f := range Formats() {
		if f.Name == strings.ToLower(name) {
			return f, nil
		}
	}
	return Format{}, fmt.Errorf("expected one of %s, found %.100q", strings.Join(Names(), ", "), name)
}

// Files makes the files of an export: those of the format, and the model card.
func (f Format) Files(s *Source) ([]File, error) {
	files, err := f.files(s)
	if err != nil {
		return nil, fmt.Errorf("export to %s: %w", f.Name, err)
	}
	return append(files, File{"README.md", s.Card.text(s, f)}), nil
}

// Existing is the error for an export that would replace a file.
type Existing struct{ Path string }

func (e *Existing) Error() string {
	return fmt.Sprintf("%s: expected no such file, found one", e.Path)
}

// Write writes the files into a directory. Unless force is set, it writes nothing and returns an [*Existing] if one of them is there.
func Write(dir string, files []File, force bool) error {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("%s: expected a directory or nothing of this name, found a file", dir)
	}
	for _, f := range files {
		path := filepath.Join(dir, f.Name)
		if _, err := os.Lstat(path); err == nil && !force {
			return &Existing{path}
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, f := range files {
		err := atomicfile.Write(filepath.Join(dir, f.Name), 0o644, func(w io.Writer) error {
			_, err := w.Write(f.Content)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// values are the shape and the values of a weight, which the model has.
func (s *Source) values(name string) ([]int, []float32) {
	shape, values, ok := s.Weights.Find(name)
	if !ok {
		panic("export: no weight " + name)
	}
	return slices.Clone(shape), values
}
