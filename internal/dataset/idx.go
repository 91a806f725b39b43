package dataset

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
)

// MaxRecords is the largest number of images or labels that a file may hold. It limits the memory that a hostile header can claim,
// and a sample's number fits an int32.
const MaxRecords = 10_000_000

// format is one of the two kinds of IDX file. The header is big-endian uint32: the magic number, the number of records, and the
// sizes of a record's dimensions. The records follow, one byte an entry. The magic number's third byte is the type (8: unsigned
// byte), its fourth the number of dimensions.
type format struct {
	magic  uint32
	record string
	dims   []uint32
}

var (
	imageFormat = format{magic: 2051, record: "image", dims: []uint32{Rows, Cols}}
	labelFormat = format{magic: 2049, record: "label"}
)

func (f format) headerSize() int { return 4 * (2 + len(f.dims)) }

// recordSize is in bytes.
func (f format) recordSize() int64 {
	size := int64(1)
	for _, d := range f.dims {
		size *= int64(d)
	}
	return size
}

// ReadImages reads an IDX file of 28x28 images, plain or gzip, to its end: n*Pixels bytes. It refuses a file with another magic
// number or image size, without images, with fewer or more bytes than its header promises, or with a wrong gzip checksum.
// Errors begin with name. Memory grows only with the bytes that arrive, whatever the header promises, and no more is
// decompressed than promised.
func ReadImages(r io.Reader, name string) ([]uint8, error) {
	return readIDX(r, name, imageFormat, 0, ignore)
}

// ReadLabels reads an IDX file of labels, as [ReadImages] reads images: n bytes from 0 to 9. It refuses other labels.
func ReadLabels(r io.Reader, name string) ([]uint8, error) {
	return readIDX(r, name, labelFormat, 0, ignore)
}

func ignore([]byte) {}

// readIDX also passes the decompressed bytes, including the header, to seen, piece by piece as they arrive. They don't change
// afterwards. stored is the number of bytes in r, or 0 if it is unknown. With it the memory can be allocated at once.
func readIDX(r io.Reader, name string, f format, stored int64, seen func(piece []byte)) ([]uint8, error) {
	plain, err := decompress(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	body, err := f.read(plain, stored, seen)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return body, nil
}

var gzipMark = []byte{0x1f, 0x8b}

// decompress returns the bytes of r, through gzip if they begin with its mark.
func decompress(r io.Reader) (io.Reader, error) {
	buffered := bufio.NewReaderSize(r, 1<<16)
	start, err := buffered.Peek(len(gzipMark))
	if err != nil && err != io.EOF {
		return nil, err
	}
	if !bytes.Equal(start, gzipMark) {
		return buffered, nil
	}
	z, err := gzip.NewReader(buffered)
	if err != nil {
		return nil, fmt.Errorf("expected gzip data, found a damaged header: %w", err)
	}
	return z, nil
}

func (f format) read(r io.Reader, stored int64, seen func(piece []byte)) ([]uint8, error) {
	header := make([]byte, f.headerSize())
	count, err := f.readHeader(r, header)
	if err != nil {
		return nil, err
	}
	seen(header)
	size := count * f.recordSize()
	body, err := readUpTo(r, size, stored, seen)
	if err != nil {
		return nil, fmt.Errorf("damaged after %d of %d bytes of %ss: %w", len(body), size, f.record, err)
	}
	if int64(len(body)) < size {
		return nil, fmt.Errorf("expected %d bytes for the %d %ss its header promises, found %d", size, count, f.record, len(body))
	}
	extra, err := readUpTo(r, 1, 0, seen)
	if err != nil {
		return nil, fmt.Errorf("damaged at its end: %w", err)
	}
	if len(extra) > 0 {
		return nil, fmt.Errorf("expected it to end after the %d %ss its header promises, found more bytes", count, f.record)
	}
	if f.magic == labelFormat.magic {
		for i, label := range body {
			if label >= Classes {
				return nil, fmt.Errorf("label %d (counted from 0): expected 0 to %d, found %d", i, Classes-1, label)
			}
		}
	}
	return body, nil
}

// readHeader reads the header, whose length is f.headerSize(), and returns the number of records.
func (f format) readHeader(r io.Reader, header []byte) (count int64, err error) {
	n, err := io.ReadFull(r, header)
	if n >= 4 {
		if magic := binary.BigEndian.Uint32(header); magic != f.magic {
			return 0, fmt.Errorf("expected the magic number %d of an IDX file of %ss, found %s", f.magic, f.record, describeMagic(magic))
		}
	}
	switch {
	case err == io.EOF || err == io.ErrUnexpectedEOF && n < 4:
		return 0, fmt.Errorf("expected an IDX header of %d bytes, found %d bytes", len(header), n)
	case err != nil:
		return 0, fmt.Errorf("damaged after %d of the %d bytes of its IDX header: %w", n, len(header), err)
	}
	found := make([]uint32, len(f.dims))
	for i := range found {
		found[i] = binary.BigEndian.Uint32(header[8+4*i:])
	}
	for i, want := range f.dims {
		if found[i] != want {
			return 0, fmt.Errorf("expected %ss of %v bytes, found %v", f.record, f.dims, found)
		}
	}
	count = int64(binary.BigEndian.Uint32(header[4:]))
	if count < 1 || count > MaxRecords {
		return 0, fmt.Errorf("expected 1 to %d %ss, found a header that promises %d", MaxRecords, f.record, count)
	}
	return count, nil
}

// describeMagic helps with common mistakes: images and labels swapped, or a web page saved under a data file's name.
func describeMagic(magic uint32) string {
	switch magic {
	case imageFormat.magic:
		return fmt.Sprintf("%d (images)", magic)
	case labelFormat.magic:
		return fmt.Sprintf("%d (labels)", magic)
	}
	return fmt.Sprintf("%d (%q)", magic, binary.BigEndian.AppendUint32(nil, magic))
}

// pieceSize is the number of bytes that readUpTo collects before it passes them to seen.
const pieceSize = 1 << 18

// maxRatio is how many times larger than the file its content may be for readUpTo to allocate all of it at once. Fashion-MNIST's
// images inflate to 1.8 times their size, MNIST's to 4.7 times.
const maxRatio = 8

// readUpTo reads size bytes, or fewer if r ends before. It passes them to seen piece by piece; they don't change afterwards. It
// first allocates a megabyte or maxRatio times the stored bytes, and then at most four times what has arrived.
func readUpTo(r io.Reader, size, stored int64, seen func(piece []byte)) ([]byte, error) {
	buf := make([]byte, 0, min(size, max(1<<20, maxRatio*stored)))
	passed := 0
	for int64(len(buf)) < size {
		if len(buf) == cap(buf) {
			buf = append(make([]byte, 0, min(size, 4*int64(cap(buf)))), buf...)
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if len(buf)-passed >= pieceSize {
			seen(buf[passed:])
			passed = len(buf)
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return buf, err
		}
	}
	seen(buf[passed:])
	return buf, nil
}

// WriteImages writes n*Pixels bytes as a plain IDX file of images.
func WriteImages(w io.Writer, images []uint8) error { return imageFormat.write(w, images) }

// WriteLabels writes a plain IDX file of labels.
func WriteLabels(w io.Writer, labels []uint8) error { return labelFormat.write(w, labels) }

func (f format) write(w io.Writer, body []uint8) error {
	count := int64(len(body)) / f.recordSize()
	if count*f.recordSize() != int64(len(body)) {
		return fmt.Errorf("expected a multiple of %d bytes of %ss to write, found %d", f.recordSize(), f.record, len(body))
	}
	header := binary.BigEndian.AppendUint32(nil, f.magic)
	header = binary.BigEndian.AppendUint32(header, uint32(count))
	for _, d := range f.dims {
		header = binary.BigEndian.AppendUint32(header, d)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}
