package checkpoint

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// LoadHeader reads the names, the shapes and the metadata of a checkpoint, but not the values: Data is nil. So it takes some
// microseconds, and finds less than [Load]: a header that can't be read, or a file that is too short or too long for it.
func LoadHeader(path string) (*Checkpoint, error) {
	f, size, err := open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	c, err := decodeHeader(bufio.NewReader(f), size)
	if err != nil {
		return nil, fmt.Errorf("read checkpoint %s: %w", path, err)
	}
	return c, nil
}

// decodeHeader reads the header of a file of size bytes. Every error that isn't ErrForeign or ErrVersion is ErrDamaged.
func decodeHeader(r io.Reader, size int64) (*Checkpoint, error) {
	c, err := decodeIntactHeader(r, size)
	return c, damaged(err)
}

func decodeIntactHeader(r io.Reader, size int64) (*Checkpoint, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	c, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	if c.Metadata[formatKey] != format {
		return nil, fmt.Errorf("%w: a safetensors file, but without the metadata %q: %q", ErrForeign, formatKey, format)
	}
	if found := c.Metadata[versionKey]; found != version {
		return nil, fmt.Errorf("%w: expected version %q, found %.20q", ErrVersion, version, found)
	}
	rest := size - lengthSize - int64(len(header))
	for _, t := range c.Tensors {
		n, err := elements(t.Shape)
		if err != nil {
			return nil, fmt.Errorf("tensor %.100q: %w", t.Name, err)
		}
		if int64(n) > rest/elementSize {
			return nil, fmt.Errorf("tensor %.100q ends beyond the end of the file, which was cut short", t.Name)
		}
		rest -= int64(n) * elementSize
	}
	if rest != 0 {
		return nil, errors.New("the file is longer than its tensors")
	}
	for _, key := range []string{digestKey, formatKey, versionKey} {
		delete(c.Metadata, key)
	}
	return c, nil
}

// open opens a regular file, and tells its size.
func open(path string) (*os.File, int64, error) {
	// Opening a named pipe would block, so Stat comes first.
	info, err := os.Stat(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read checkpoint: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, 0, fmt.Errorf("read checkpoint %s: expected a safetensors file, found a %s", path, kind(info.Mode()))
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read checkpoint: %w", err)
	}
	// A save may have replaced the file since.
	if info, err = f.Stat(); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("read checkpoint: %w", err)
	}
	return f, info.Size(), nil
}
