package export

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
)

// maxHeader limits the header of a safetensors file, because parsing needs several times its size.
const maxHeader = 4 << 20

// openForeignSafetensors opens a safetensors file of another program: 8 bytes with the length of the header, the header, the values. The
// order of the tensors may be any, and so may be the metadata.
func openForeignSafetensors(path string) (*Foreign, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := readForeignSafetensors(file)
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("%s: expected a safetensors file: %w", path, err)
	}
	f.close = file.Close
	return f, nil
}

// seekable is a file whose length can be found.
type seekable interface {
	io.ReaderAt
	io.Seeker
}

func readForeignSafetensors(file seekable) (*Foreign, error) {
	length, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	var start [8]byte
	if _, err := file.ReadAt(start[:], 0); err != nil {
		return nil, errors.New("the file is too short")
	}
	n := binary.LittleEndian.Uint64(start[:])
	if n > uint64(min(length-8, maxHeader)) {
		return nil, fmt.Errorf("found a header of %d bytes where %d are possible", n, min(length-8, maxHeader))
	}
	header := make([]byte, n)
	if _, err := file.ReadAt(header, 8); err != nil {
		return nil, err
	}
	var entries map[string]json.RawMessage
	if err := json.Unmarshal(header, &entries); err != nil {
		return nil, fmt.Errorf("its header is not JSON: %.200s", err.Error())
	}
	f := &Foreign{}
	data := length - 8 - int64(n)
	for name, raw := range entries {
		if name == "__metadata__" {
			var metadata map[string]string
			if err := json.Unmarshal(raw, &metadata); err != nil {
				return nil, fmt.Errorf("its metadata are not texts: %.200s", err.Error())
			}
			f.Architecture = metadata[architectureKey]
			continue
		}
		t, err := safetensor(file, 8+int64(n), data, name, raw)
		if err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", name, err)
		}
		f.Tensors = append(f.Tensors, t)
	}
	slices.SortFunc(f.Tensors, func(a, b ForeignTensor) int { return strings.Compare(a.Name, b.Name) })
	return f, nil
}

// safetensor reads the entry of a tensor in the header.
func safetensor(file io.ReaderAt, start, length int64, name string, raw []byte) (ForeignTensor, error) {
	var entry struct {
		Type    string  `json:"dtype"`
		Shape   []int   `json:"shape"`
		Offsets []int64 `json:"data_offsets"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil || len(entry.Offsets) != 2 {
		return ForeignTensor{}, errors.New("expected dtype, shape and data_offsets in the header")
	}
	width := map[string]int{"F32": 4, "F64": 8}[entry.Type]
	if width == 0 {
		return ForeignTensor{}, fmt.Errorf("expected the type F32 or F64, found %.20q", entry.Type)
	}
	n, ok := size(entry.Shape)
	from, to := entry.Offsets[0], entry.Offsets[1]
	if !ok || from < 0 || from > to || to > length || to-from != int64(n)*int64(width) {
		return ForeignTensor{}, fmt.Errorf("expected %s values of %d bytes in the %d bytes of data, found the offsets %d to %d",
			tuple(entry.Shape), width, length, from, to)
	}
	return ForeignTensor{name, entry.Shape, func(values []float32) error {
		return readValues(io.NewSectionReader(file, start+from, to-from), values, width, nil)
	}}, nil
}
