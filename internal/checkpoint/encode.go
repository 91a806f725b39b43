package checkpoint

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	metadataName = "__metadata__"

	digestKey  = "sha256"
	formatKey  = "format"
	versionKey = "version"

	format  = "fmtrain"
	version = "1"
	dtype   = "F32"

	lengthSize  = 8 // bytes of the header's length
	elementSize = 4 // bytes of a float32
	alignment   = 8 // of the data

	// maxDims limits the number of a tensor's dimensions. Hostile headers may claim millions.
	maxDims = 64

	// maxHeader limits the header, because parsing needs several times its size. 4 MiB describe 40,000 tensors.
	maxHeader = 4 << 20

	// headerStart goes before the digest in every version of the format.
	headerStart = `{"` + metadataName + `":{"` + digestKey + `":"`
)

// zeroDigest stands in for the digest in the file whose SHA-256 the digest is.
var zeroDigest = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// entry describes one tensor in the header.
type entry struct {
	DType       string `json:"dtype"`
	Shape       []int  `json:"shape"`
	DataOffsets [2]int `json:"data_offsets"`
}

// validate checks the rules that Tensor and Checkpoint state.
func (c *Checkpoint) validate() error {
	for key, value := range c.Metadata {
		if key == digestKey || key == formatKey || key == versionKey {
			return fmt.Errorf("metadata key %q is reserved for the file itself: choose another", key)
		}
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return fmt.Errorf("metadata %.100q: expected valid UTF-8, found %.100q", key, value)
		}
	}
	if err := validateNames(c.Tensors); err != nil {
		return err
	}
	for _, t := range c.Tensors {
		n, err := elements(t.Shape)
		if err != nil {
			return fmt.Errorf("tensor %q: %w", t.Name, err)
		}
		if n != len(t.Data) {
			return fmt.Errorf("tensor %q: shape %v calls for %d values, found %d", t.Name, t.Shape, n, len(t.Data))
		}
	}
	return nil
}

func validateNames(tensors []Tensor) error {
	seen := make(map[string]bool, len(tensors))
	for _, t := range tensors {
		switch {
		case t.Name == metadataName:
			return fmt.Errorf("a tensor can't be named %q, which is reserved by the safetensors format", t.Name)
		case !utf8.ValidString(t.Name):
			return fmt.Errorf("tensor %.100q: expected a name in valid UTF-8", t.Name)
		case seen[t.Name]:
			return fmt.Errorf("two tensors are named %.100q", t.Name)
		}
		seen[t.Name] = true
	}
	return nil
}

// elements is the number of values in a tensor of the given shape.
func elements(shape []int) (int, error) {
	const maxElements = math.MaxInt / elementSize
	if len(shape) > maxDims {
		return 0, fmt.Errorf("a shape of %d dimensions, at most %d are allowed", len(shape), maxDims)
	}
	n := 1
	for _, d := range shape {
		switch {
		case d < 0:
			return 0, fmt.Errorf("shape %v has a negative dimension", shape)
		case d > 0 && n > maxElements/d:
			return 0, fmt.Errorf("shape %v calls for more values than can be counted", shape)
		}
		n *= d
	}
	return n, nil
}

// encode makes the file of a valid c, with zeros for the digest. It reuses the memory of file if that is large enough.
func encode(file []byte, c *Checkpoint) ([]byte, error) {
	header, err := encodeHeader(c)
	if err != nil {
		return nil, err
	}
	size := lengthSize + len(header)
	for _, t := range c.Tensors {
		size += len(t.Data) * elementSize
	}
	if cap(file) < size {
		file = make([]byte, 0, size+size/64) // the header grows a little from save to save
	}
	file = append(binary.LittleEndian.AppendUint64(file[:0], uint64(len(header))), header...)
	for _, t := range c.Tensors {
		n := len(file)
		file = file[:n+len(t.Data)*elementSize]
		for i, x := range t.Data {
			binary.LittleEndian.PutUint32(file[n+i*elementSize:][:elementSize], math.Float32bits(x))
		}
	}
	return file, nil
}

// encodeHeader is the header of a valid c, with zeros for the digest.
func encodeHeader(c *Checkpoint) ([]byte, error) {
	metadata := object{{digestKey, zeroDigest}, {formatKey, format}, {versionKey, version}}
	for _, key := range slices.Sorted(maps.Keys(c.Metadata)) {
		metadata = append(metadata, member{key, c.Metadata[key]})
	}
	header := object{{metadataName, metadata}}
	offset := 0
	for _, t := range c.Tensors {
		end := offset + len(t.Data)*elementSize
		header = append(header, member{t.Name, entry{dtype, append([]int{}, t.Shape...), [2]int{offset, end}}})
		offset = end
	}
	b, err := json.Marshal(header)
	if err != nil {
		return nil, err
	}
	for len(b)%alignment != 0 {
		b = append(b, ' ')
	}
	if len(b) > maxHeader {
		return nil, fmt.Errorf("the names, shapes and metadata take %d bytes, at most %d are allowed", len(b), maxHeader)
	}
	return b, nil
}

// object is a JSON object that keeps the order of its members.
type object []member

type member struct {
	key   string
	value any
}

// MarshalJSON writes the members in order.
func (o object) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, m := range o {
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, key...), ':'), value...)
	}
	return append(b, '}'), nil
}
