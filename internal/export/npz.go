package export

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"fmtrain/internal/dataset"
)

// An npz file is a zip of arrays, each a file NAME.npy (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html):
//
//	"\x93NUMPY", 1, 0     the magic bytes and the version
//	2 bytes               n, the length of the header, little-endian
//	n bytes               the header: a Python dict, padded with spaces and a newline so that the data begin at a multiple of 64
//	to the end            the values
const npyMagic = "\x93NUMPY"

// npzFiles is an npz file of the weights by the model's names, and of two arrays of text: the architecture and the class names.
func npzFiles(s *Source) ([]File, error) {
	properties, err := s.properties()
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	z := zip.NewWriter(&file)
	add := func(name string, array []byte) {
		var w io.Writer
		if err == nil {
			w, err = z.CreateHeader(&zip.FileHeader{Name: name + ".npy", Method: zip.Store})
		}
		if err == nil {
			_, err = w.Write(array)
		}
	}
	for _, w := range s.Weights {
		add(w.Name, npyFloats(w.Value.Shape(), w.Value.Float32s()))
	}
	for _, p := range properties {
		if p[0] == "class_names" {
			add(p[0], npyTexts([]int{dataset.Classes}, dataset.ClassNames[:]...))
		} else {
			add(p[0], npyTexts(nil, p[1]))
		}
	}
	if err == nil {
		err = z.Close()
	}
	return []File{{"model.npz", file.Bytes()}}, err
}

// npyFloats is an array of float32 values.
func npyFloats(shape []int, values []float32) []byte {
	array := npyHeader("<f4", shape)
	for _, v := range values {
		array = binary.LittleEndian.AppendUint32(array, math.Float32bits(v))
	}
	return array
}

// npyTexts is an array of texts, each padded with zeros to the longest. NumPy keeps a character in four bytes.
func npyTexts(shape []int, texts ...string) []byte {
	longest := 1
	for _, text := range texts {
		longest = max(longest, utf8.RuneCountInString(text))
	}
	array := npyHeader("<U"+strconv.Itoa(longest), shape)
	for _, text := range texts {
		n := 0
		for _, r := range text {
			array = binary.LittleEndian.AppendUint32(array, uint32(r))
			n++
		}
		array = append(array, make([]byte, 4*(longest-n))...)
	}
	return array
}

// npyHeader is all before the values.
func npyHeader(descr string, shape []int) []byte {
	var tuple strings.Builder
	for _, n := range shape {
		fmt.Fprintf(&tuple, "%d, ", n)
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, strings.TrimSuffix(tuple.String(), " "))
	const start = len(npyMagic) + 4
	dict += strings.Repeat(" ", 63-(start+len(dict))%64) + "\n"
	header := append([]byte(npyMagic), 1, 0)
	return append(binary.LittleEndian.AppendUint16(header, uint16(len(dict))), dict...)
}

func npzUsage(*Source) string {
	return fmt.Sprintf("The file has the weights by their names; a dense weight is [in, out], of a convolution [K, K, in, out].\n\n%s\n",
		fenced("python", `import numpy

model = numpy.load("model.npz")
weight = model["upper.weight"]
print(model["architecture"].item(), model["class_names"])`))
}
