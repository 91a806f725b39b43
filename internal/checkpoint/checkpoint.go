// Package checkpoint keeps named float32 tensors and strings in one file. A reader accepts it whole or not at all.
//
// The file is a safetensors file (https://github.com/huggingface/safetensors), readable by that format's tools:
//
//	8 bytes         n, the length of the header, little-endian
//	n bytes         the header: a JSON object, padded with spaces to a multiple of 8
//	to the end      the tensors' values, float32, little-endian, row by row, one tensor after the other without gaps
//
//	{"__metadata__":{"sha256":"<64 digits>","format":"fmtrain","version":"1", the strings, by key},
//	 "model.upper.weight":{"dtype":"F32","shape":[100,10],"data_offsets":[0,4000]}, the other tensors, in order}
//
// The SHA-256 covers the whole file, with '0' in place of its own 64 digits. Every version of the format keeps it in that
// place. So a file that was cut short or has one byte changed is refused, and an intact file of another version is known from a
// damaged one. It guards against accidents, not against forgery.
//
// A checkpoint has exactly one form. The reader encodes what it has read and compares the headers. So there are no duplicate
// keys, gaps, overlaps, or offsets that disagree with shapes.
//
// A checkpoint is data: numbers, and strings that the reader passes on unchanged. Nothing in it is executed.
//
// The package reads and writes the format itself. github.com/nlpodyssey/safetensors accepts duplicate keys and invalid UTF-8,
// uses up to 59 times a header's size in memory, and keeps neither the order of the tensors nor a fixed place for a checksum.
package checkpoint

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"fmtrain/internal/atomicfile"
)

// The kinds of unusable files, for [errors.Is]. A missing file is [fs.ErrNotExist] as usual.
var (
	// ErrDamaged: not an intact safetensors file. It was cut short or altered, or never was one; the bytes don't always show which.
	ErrDamaged = errors.New("not an intact checkpoint")
	// ErrForeign: a safetensors file that fmtrain has not written.
	ErrForeign = errors.New("not a checkpoint of fmtrain")
	// ErrVersion: an intact checkpoint in another version of the format.
	ErrVersion = errors.New("checkpoint in another version of the format")
)

// Tensor is a named array of float32 values.
type Tensor struct {
	Name  string    // valid UTF-8, unique in its checkpoint, not "__metadata__"
	Shape []int     // none for a scalar; a dimension may be 0
	Data  []float32 // row by row, as many as the product of Shape
}

// Checkpoint is what one file holds.
type Checkpoint struct {
	// Metadata holds strings by key, both valid UTF-8. The keys "sha256", "format" and "version" are the file's own.
	Metadata map[string]string
	// Tensors keep their order in the file.
	Tensors []Tensor
}

// Tensor finds a tensor by its name. Its Data is the checkpoint's, not a copy.
func (c *Checkpoint) Tensor(name string) (Tensor, bool) {
	for _, t := range c.Tensors {
		if t.Name == name {
			return t, true
		}
	}
	return Tensor{}, false
}

// Image is the file of a checkpoint in memory, as [Encode] makes it: all but its SHA-256, which takes longer than the rest.
type Image []byte

// Encode makes the image of c. It reuses the memory of an older image, which is then no longer valid, if that is large enough. It
// refuses names and keys that break the rules of [Tensor] and [Checkpoint], and data whose length doesn't fit the shape. Any
// values are allowed, NaN included. The same checkpoint gives the same bytes.
func Encode(c *Checkpoint, older Image) (Image, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	return encode(older, c)
}

// Save puts the SHA-256 into the image and writes it to path. It replaces the file as a whole: after a crash, path has the old
// file or the new one. The image must not change until Save returns.
func (i Image) Save(path string) error {
	return atomicfile.Write(path, 0o644, func(w io.Writer) error {
		_, err := w.Write(i.Sealed())
		return err
	})
}

// Sealed is the image with its SHA-256: the bytes of the file. It is not a copy.
func (i Image) Sealed() []byte {
	digest := i[lengthSize+len(headerStart):][:len(zeroDigest)]
	copy(digest, zeroDigest)
	sum := sha256.Sum256(i)
	hex.Encode(digest, sum[:])
	return i
}

// Save is [Encode] and then [Image.Save].
func Save(path string, c *Checkpoint) error {
	image, err := Encode(c, nil)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return image.Save(path)
}

// Load reads the checkpoint at path and verifies all of it. The errors name path; see [ErrDamaged], [ErrForeign] and
// [ErrVersion]. It needs about as much memory as the file is long.
func Load(path string) (*Checkpoint, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := decode(bufio.NewReader(f), size)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	return c, nil
}

func kind(m os.FileMode) string {
	if m.IsDir() {
		return "directory"
	}
	return "special file (" + m.String() + ")"
}
