package export

import (
	"fmt"

	"fmtrain/internal/checkpoint"
)

// architectureKey is where an export keeps the architecture, as JSON.
const architectureKey = "architecture"

// safetensorsFiles is a safetensors file of the weights alone, by the model's names. Like a checkpoint it has a SHA-256 of itself.
func safetensorsFiles(s *Source) ([]File, error) {
	properties, err := s.properties()
	if err != nil {
		return nil, err
	}
	file := &checkpoint.Checkpoint{Metadata: map[string]string{}}
	for _, p := range properties {
		file.Metadata[p[0]] = p[1]
	}
	for _, w := range s.Weights {
		file.Tensors = append(file.Tensors, checkpoint.Tensor{Name: w.Name, Shape: w.Value.Shape(), Data: w.Value.Float32s()})
	}
	image, err := checkpoint.Encode(file, nil)
	if err != nil {
		return nil, err
	}
	return []File{{"model.safetensors", image.Sealed()}}, nil
}

func safetensorsUsage(*Source) string {
	return fmt.Sprintf(`The file has the weights by their names; a dense weight is [in, out], of a convolution [K, K, in, out]. The metadata have the architecture.
fmtrain makes a checkpoint of it:

%s

In Python:

%s

`, fenced("", "fmtrain import model.safetensors"), fenced("python", `from safetensors.numpy import load_file

weights = load_file("model.safetensors")`)) + loaderNote
}

// loaderNote says where the loader for PyTorch is.
const loaderNote = "The page docs/export.md of fmtrain has a loader for PyTorch.\n"
