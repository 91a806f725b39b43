package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
)

// bufferSize is how many bytes are read and converted at a time.
const bufferSize = 16 << 10

// decode reads a file of size bytes from r. Every error that isn't ErrForeign or ErrVersion is ErrDamaged.
func decode(r io.Reader, size int64) (*Checkpoint, error) {
	c, err := decodeIntact(r, size)
	return c, damaged(err)
}

// damaged makes an error that isn't ErrForeign or ErrVersion an ErrDamaged.
func damaged(err error) error {
	if err == nil || errors.Is(err, ErrForeign) || errors.Is(err, ErrVersion) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrDamaged, err)
}

func decodeIntact(r io.Reader, size int64) (*Checkpoint, error) {
	header, err := readHeader(r, size)
	if err != nil {
		return nil, err
	}
	c, err := parseHeader(header)
	if err != nil {
		return nil, err
	}
	// A checkpoint with a changed byte in one of the two marks still has the other.
	if c.Metadata[formatKey] != format && c.Metadata[digestKey] == "" {
		return nil, fmt.Errorf("%w: a safetensors file, but without the metadata %q: %q; use one that fmtrain has saved",
			ErrForeign, formatKey, format)
	}
	digest, err := takeDigest(header)
	if err != nil {
		return nil, err
	}

	h := sha256.New()
	h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(header))))
	h.Write(header)
	size -= lengthSize + int64(len(header))
	data := io.TeeReader(io.LimitReader(r, size), h)
	found := c.Metadata[versionKey]
	if found == version {
		err = decodeData(data, size, c, header)
	} else {
		_, err = io.Copy(io.Discard, data)
	}
	if err != nil {
		return nil, err
	}
	if hex.EncodeToString(h.Sum(nil)) != digest {
		return nil, errors.New("its bytes don't match its SHA-256, so it was changed after it was written")
	}
	if found != version {
		return nil, fmt.Errorf("%w: expected version %q, found %.20q, of %s fmtrain; use the fmtrain that wrote it", ErrVersion, version, found, age(found))
	}
	return c, nil
}

// age says whether an older or a newer program wrote another version of the format.
func age(found string) string {
	is, err := strconv.Atoi(version)
	was, foundErr := strconv.Atoi(found)
	switch {
	case err != nil || foundErr != nil:
		return "another"
	case was < is:
		return "an older"
	}
	return "a newer"
}

// readHeader reads the length and then the header.
func readHeader(r io.Reader, size int64) ([]byte, error) {
	if size < lengthSize {
		return nil, fmt.Errorf("expected a safetensors file, which has %d bytes at least, found %d bytes", lengthSize, size)
	}
	start := make([]byte, lengthSize)
	if _, err := io.ReadFull(r, start); err != nil {
		return nil, err
	}
	n, room := binary.LittleEndian.Uint64(start), uint64(min(size-lengthSize, maxHeader))
	if n > room && start[lengthSize-1] != 0 { // no file is as long as 2⁵⁶ bytes: these are other data
		return nil, fmt.Errorf("expected a safetensors file, found another that begins with %q", start)
	}
	if n > room {
		return nil, fmt.Errorf("expected a safetensors file, found a header of %d bytes where %d are possible", n, room)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return nil, err
	}
	return header, nil
}

// parseHeader reads the names, shapes and metadata of any safetensors file. It is lenient: decodeData decides whether the file
// is a checkpoint.
func parseHeader(header []byte) (*Checkpoint, error) {
	c := &Checkpoint{}
	dec := json.NewDecoder(bytes.NewReader(header))
	malformed := func() error {
		return fmt.Errorf("expected a safetensors header of %d bytes, found an error near byte %d of it", len(header), dec.InputOffset())
	}
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, malformed()
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return nil, malformed()
		}
		if key == metadataName {
			if dec.Decode(&c.Metadata) != nil {
				return nil, malformed()
			}
			continue
		}
		var e entry
		name, ok := key.(string)
		if !ok || dec.Decode(&e) != nil || e.DType == "" {
			return nil, malformed()
		}
		c.Tensors = append(c.Tensors, Tensor{Name: name, Shape: e.Shape})
	}
	if end, err := dec.Token(); err != nil || end != json.Delim('}') {
		return nil, malformed()
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, malformed()
	}
	return c, nil
}

// takeDigest returns the digest and puts zeros in its place.
func takeDigest(header []byte) (string, error) {
	rest, ok := bytes.CutPrefix(header, []byte(headerStart))
	if !ok || len(rest) < len(zeroDigest) {
		return "", errors.New("its SHA-256 is not in its place")
	}
	digest := string(rest[:len(zeroDigest)])
	copy(rest, zeroDigest)
	return digest, nil
}

// decodeData completes c, which parseHeader made, with size bytes of data from r, and removes the file's own metadata from it.
// It fails unless the header, with zeros for the digest, equals what encodeHeader makes of c.
func decodeData(r io.Reader, size int64, c *Checkpoint, header []byte) error {
	for _, key := range []string{digestKey, formatKey, versionKey} {
		delete(c.Metadata, key)
	}
	if err := validateNames(c.Tensors); err != nil {
		return err
	}
	rest := size
	buf := make([]byte, bufferSize)
	for i := range c.Tensors {
		t := &c.Tensors[i]
		n, err := elements(t.Shape)
		if err != nil {
			return fmt.Errorf("tensor %.100q: %w", t.Name, err)
		}
		// Check the file's length before allocating.
		if int64(n) > rest/elementSize {
			return fmt.Errorf("tensor %.100q ends beyond the end of the file, which was cut short", t.Name)
		}
		rest -= int64(n) * elementSize
		t.Data = make([]float32, n)
		if err := readFloats(r, t.Data, buf); err != nil {
			return err
		}
	}
	if rest != 0 {
		return fmt.Errorf("expected %d bytes of data, found %d", size-rest, size)
	}
	expected, err := encodeHeader(c)
	if err != nil {
		return err
	}
	if !bytes.Equal(header, expected) {
		return errors.New("its header is not the one that fmtrain writes for these tensors")
	}
	return nil
}

// readFloats fills dst, reading through buf.
func readFloats(r io.Reader, dst []float32, buf []byte) error {
	for chunk := range slices.Chunk(dst, len(buf)/elementSize) {
		if _, err := io.ReadFull(r, buf[:len(chunk)*elementSize]); err != nil {
			return err
		}
		for i := range chunk {
			chunk[i] = math.Float32frombits(binary.LittleEndian.Uint32(buf[i*elementSize:]))
		}
	}
	return nil
}
