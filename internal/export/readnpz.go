package export

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	maxText      = 1 << 20 // characters of a text in an npz file
	maxNPYHeader = 1 << 16
)

// openNPZ opens the arrays of a zip. Arrays of texts are taken for descriptions, all others for weights.
func openNPZ(path string) (*Foreign, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s: expected an npz file: %w", path, err)
	}
	f, err := readNPZ(&z.Reader)
	if err != nil {
		z.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	f.close = z.Close
	return f, nil
}

func readNPZ(z *zip.Reader) (*Foreign, error) {
	f := &Foreign{}
	seen := map[string]bool{}
	for _, entry := range z.File {
		name, ok := strings.CutSuffix(entry.Name, ".npy")
		if !ok || seen[name] {
			return nil, fmt.Errorf("expected arrays NAME.npy with different names in the zip, found %.100q", entry.Name)
		}
		seen[name] = true
		if err := f.addArray(name, entry); err != nil {
			return nil, fmt.Errorf("array %.100q: %w", name, err)
		}
	}
	return f, nil
}

// addArray reads the header of an array, and the whole text of a description.
func (f *Foreign) addArray(name string, entry *zip.File) error {
	a, r, err := openArray(entry)
	if err != nil {
		return err
	}
	defer r.Close()
	switch {
	case a.characters > 0 && name == architectureKey:
		if a.count != 1 || a.characters > maxText {
			return fmt.Errorf("expected one text of up to %d characters, found %d of %d", maxText, a.count, a.characters)
		}
		f.Architecture, err = readText(r, a.characters)
		return err
	case a.characters > 0:
		return nil
	}
	f.Tensors = append(f.Tensors, ForeignTensor{name, a.shape, func(values []float32) error {
		a, r, err := openArray(entry)
		if err != nil {
			return err
		}
		defer r.Close()
		var columns []int
		if a.fortran {
			columns = a.shape
		}
		return readValues(r, values, a.width, columns)
	}})
	return nil
}

// array is the header of an npy file.
type array struct {
	shape      []int
	count      int // values
	width      int // bytes of a number
	characters int // of a text; 0 for numbers
	fortran    bool
}

var (
	npyDescr   = regexp.MustCompile(`'descr':\s*'([^']*)'`)
	npyFortran = regexp.MustCompile(`'fortran_order':\s*(True|False)`)
	npyShape   = regexp.MustCompile(`'shape':\s*\(([0-9, ]*)\)`)
)

// openArray opens an array of a zip, and reads its header. The reader is at the values.
func openArray(entry *zip.File) (a array, r io.ReadCloser, err error) {
	r, err = entry.Open()
	if err != nil {
		return a, nil, err
	}
	if a, err = readArrayHeader(r); err != nil {
		r.Close()
		return a, nil, err
	}
	return a, r, nil
}

func readArrayHeader(r io.Reader) (a array, err error) {
	start := make([]byte, len(npyMagic)+2)
	if _, err := io.ReadFull(r, start); err != nil || string(start[:len(npyMagic)]) != npyMagic {
		return a, errors.New("expected an npy file, found another")
	}
	length := make([]byte, 2)
	if start[len(npyMagic)] > 1 { // versions 2 and 3
		length = make([]byte, 4)
	}
	if _, err := io.ReadFull(r, length); err != nil {
		return a, err
	}
	n := binary.LittleEndian.Uint32(append(length, 0, 0))
	if n > maxNPYHeader {
		return a, fmt.Errorf("expected a header of at most %d bytes, found %d", maxNPYHeader, n)
	}
	header := make([]byte, n)
	if _, err := io.ReadFull(r, header); err != nil {
		return a, err
	}
	descr, fortran, shape := npyDescr.FindSubmatch(header), npyFortran.FindSubmatch(header), npyShape.FindSubmatch(header)
	if descr == nil || fortran == nil || shape == nil {
		return a, fmt.Errorf("expected descr, fortran_order and shape in the header, found %.200q", header)
	}
	for _, text := range strings.FieldsFunc(string(shape[1]), func(r rune) bool { return r == ',' || r == ' ' }) {
		d, err := strconv.Atoi(text)
		if err != nil {
			return a, fmt.Errorf("expected a shape, found (%.100s)", shape[1])
		}
		a.shape = append(a.shape, d)
	}
	var ok bool
	if a.count, ok = size(a.shape); !ok {
		return a, fmt.Errorf("expected a shape, found (%.100s)", shape[1])
	}
	a.fortran = string(fortran[1]) == "True"
	switch text, isText := strings.CutPrefix(string(descr[1]), "<U"); {
	case isText:
		if a.characters, err = strconv.Atoi(text); err != nil || a.characters < 1 {
			return a, fmt.Errorf("expected a text, found the type %.20q", descr[1])
		}
	case string(descr[1]) == "<f4":
		a.width = 4
	case string(descr[1]) == "<f8":
		a.width = 8
	default:
		return a, fmt.Errorf("expected the type float32 or float64, found %.20q", descr[1])
	}
	return a, nil
}

// readText reads a text of four bytes a character. Zeros at the end are padding.
func readText(r io.Reader, characters int) (string, error) {
	raw := make([]byte, 4*characters)
	if _, err := io.ReadFull(r, raw); err != nil {
		return "", err
	}
	var b strings.Builder
	for i := range characters {
		c := rune(binary.LittleEndian.Uint32(raw[4*i:]))
		if !utf8.ValidRune(c) {
			return "", errors.New("expected a text, found characters that are none")
		}
		b.WriteRune(c)
	}
	return strings.TrimRight(b.String(), "\x00"), nil
}

// readValues reads numbers of 4 or 8 bytes, which must end where the values end. In an array by columns the first index runs first;
// columns is then its shape, otherwise nil.
func readValues(r io.Reader, values []float32, width int, columns []int) error {
	buffer := make([]byte, 1024*width)
	for done := 0; done < len(values); {
		n := min(1024, len(values)-done)
		if _, err := io.ReadFull(r, buffer[:n*width]); err != nil {
			return fmt.Errorf("its values can't be read: %w", err)
		}
		for i := range n {
			v := math.Float32frombits(binary.LittleEndian.Uint32(buffer[i*width:]))
			if width == 8 {
				v = float32(math.Float64frombits(binary.LittleEndian.Uint64(buffer[i*width:])))
			}
			values[place(done+i, columns)] = v
		}
		done += n
	}
	switch n, err := r.Read(buffer[:1]); {
	case n > 0:
		return errors.New("expected the end of its values, found more")
	case err != nil && err != io.EOF: // of a zip: a wrong checksum
		return err
	}
	return nil
}

// place is where the value at index i of an array by columns goes in one by rows.
func place(i int, columns []int) int {
	if columns == nil {
		return i
	}
	at, step := 0, 1
	for _, n := range columns {
		step *= n
	}
	for _, n := range columns {
		step /= n
		at += i % n * step
		i /= n
	}
	return at
}
