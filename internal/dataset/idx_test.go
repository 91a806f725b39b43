package dataset

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// words is a header: big-endian numbers of 32 bits.
func words(numbers ...uint32) (b []byte) {
	for _, n := range numbers {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func compress(plain []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(plain)
	if err = errors.Join(err, z.Close()); err != nil {
		panic(err) // a bytes.Buffer takes everything
	}
	return b.Bytes()
}

func encoded(write func(io.Writer, []uint8) error, body []uint8) []byte {
	var b bytes.Buffer
	if err := write(&b, body); err != nil {
		panic(err)
	}
	return b.Bytes()
}

func TestReadImagesRefuses(t *testing.T) {
	good := encoded(WriteImages, ramp(2).Images)
	packed := compress(good)
	badSum := bytes.Clone(packed)
	badSum[len(badSum)-8] ^= 1
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "f: expected an IDX header of 16 bytes, found 0 bytes"},
		{"two bytes", []byte{0, 0}, "f: expected an IDX header of 16 bytes, found 2 bytes"},
		{"header cut", good[:10], "f: damaged after 10 of the 16 bytes of its IDX header: unexpected EOF"},
		{"labels", words(2049, 2), "f: expected the magic number 2051 of an IDX file of images, found 2049 (labels)"},
		{"web page", []byte("<!DOCTYPE html>"), `f: expected the magic number 2051 of an IDX file of images, found 1008813135 ("<!DO")`},
		{"other size", words(2051, 1, 32, 28), "f: expected images of [28 28] bytes, found [32 28]"},
		{"transposed sizes", words(2051, 1, 28, 29), "f: expected images of [28 28] bytes, found [28 29]"},
		{"no image", words(2051, 0, 28, 28), "f: expected 1 to 10000000 images, found a header that promises 0"},
		{"too many", words(2051, 1<<31, 28, 28), "f: expected 1 to 10000000 images, found a header that promises 2147483648"},
		{"only a header", good[:16], "f: expected 1568 bytes for the 2 images its header promises, found 0"},
		{"cut", good[:len(good)-1], "f: expected 1568 bytes for the 2 images its header promises, found 1567"},
		{"one more byte", join(good, []byte{0}), "f: expected it to end after the 2 images its header promises, found more bytes"},
		{"gzip cut", packed[:len(packed)/2], "of 1568 bytes of images: unexpected EOF"},
		{"gzip without its end", packed[:len(packed)-3], "unexpected EOF"},
		{"gzip header cut", packed[:5], "f: expected gzip data, found a damaged header: unexpected EOF"},
		{"gzip with a block of no type", join(packed[:10], []byte{7}, packed[11:]), "corrupt input before offset 1"},
		{"gzip checksum", badSum, "gzip: invalid checksum"},
		{"bytes after gzip", join(packed, []byte("more")), "damaged"},
		{"one more byte in gzip", compress(join(good, []byte{0})), "found more bytes"},
		{"gzip twice", compress(packed), "f: expected the magic number 2051"},
	} {
		t.Run(c.name, func(t *testing.T) {
			images, err := ReadImages(bytes.NewReader(c.file), "f")
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "f: ") {
				t.Errorf("expected the error %q, found %v", c.want, err)
			}
			if images != nil {
				t.Errorf("expected no images with an error, found %d bytes", len(images))
			}
		})
	}
}

func TestReadLabelsRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"header cut", words(2049), "f: damaged after 4 of the 8 bytes of its IDX header: unexpected EOF"},
		{"images", words(2051, 1, 28, 28), "f: expected the magic number 2049 of an IDX file of labels, found 2051 (images)"},
		{"a label of 10", join(words(2049, 3), []byte{9, 0, 10}), "f: label 2 (counted from 0): expected 0 to 9, found 10"},
		{"cut", join(words(2049, 3), []byte{9, 0}), "f: expected 3 bytes for the 3 labels its header promises, found 2"},
		{"one more", join(words(2049, 1), []byte{9, 0}), "f: expected it to end after the 1 labels its header promises, found more bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadLabels(bytes.NewReader(c.file), "f")
			if err == nil || err.Error() != c.want {
				t.Errorf("expected the error %q, found %v", c.want, err)
			}
		})
	}
}

func TestReadErrorOfTheReader(t *testing.T) {
	broken := errors.New("broken disk")
	good := encoded(WriteImages, ramp(2).Images)
	for _, n := range []int{0, 1, 3, 7, 16, 100, len(good)} {
		_, err := ReadImages(io.MultiReader(bytes.NewReader(good[:n]), iotest.ErrReader(broken)), "f")
		if !errors.Is(err, broken) {
			t.Errorf("after %d bytes: expected %q, found %v", n, broken, err)
		}
	}
}

// A written file is read back, plain or compressed, however its bytes arrive.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		labels := rapid.SliceOfN(rapid.Uint8Range(0, 9), 1, 5).Draw(t, "labels")
		pattern := rapid.SliceOfN(rapid.Byte(), 1, 5).Draw(t, "images")
		images := bytes.Repeat(pattern, len(labels)*Pixels)[:len(labels)*Pixels]
		pack := rapid.SampledFrom([]func([]byte) []byte{bytes.Clone, compress}).Draw(t, "packing")
		arrive := rapid.SampledFrom([]func(io.Reader) io.Reader{
			iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader,
		}).Draw(t, "arrival")

		found, err := ReadImages(arrive(bytes.NewReader(pack(encoded(WriteImages, images)))), "f")
		if err != nil || !bytes.Equal(found, images) {
			t.Fatalf("images: %v, %s", err, cmp.Diff(images, found))
		}
		found, err = ReadLabels(arrive(bytes.NewReader(pack(encoded(WriteLabels, labels)))), "f")
		if err != nil || !bytes.Equal(found, labels) {
			t.Fatalf("labels: %v, %s", err, cmp.Diff(labels, found))
		}
	})
}

func TestWriteImagesRefusesPartOfAnImage(t *testing.T) {
	if err := WriteImages(io.Discard, make([]uint8, Pixels+1)); err == nil {
		t.Error("expected an error")
	}
}

// A body larger than the first piece of memory is read completely.
func TestReadMany(t *testing.T) {
	want := ramp(7_000)
	found, err := ReadImages(bytes.NewReader(encoded(WriteImages, want.Images)), "f")
	if err != nil || !bytes.Equal(found, want.Images) {
		t.Errorf("expected %d bytes as written, found %d, %v", len(want.Images), len(found), err)
	}
}

// samplePacked is the embedded sample's file of training images, compressed.
func samplePacked(t *testing.T) []byte {
	t.Helper()
	file, err := fs.ReadFile(sample, "train-images-idx3-ubyte.gz")
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// A file known to hold enough for what its header promises is read into memory allocated once.
func TestReadAllocatesAtOnce(t *testing.T) {
	const size = SampleTrain * Pixels
	file := samplePacked(t)
	var images []uint8
	var err error
	used := allocated(func() { images, err = readIDX(bytes.NewReader(file), "f", imageFormat, int64(len(file)), ignore) })
	if err != nil || len(images) != size {
		t.Fatalf("expected %d bytes, found %d, %v", size, len(images), err)
	}
	if used > size+1<<20 {
		t.Errorf("expected little more than %d bytes allocated, found %d", size, used)
	}
}

// Damage near the end of a large file, when most of it is already read and hashed, gives the same error as at its beginning.
func TestReadImagesDamagedTail(t *testing.T) {
	dir := t.TempDir()
	good := samplePacked(t)
	for _, c := range []struct {
		name string
		file []byte
		want string
	}{
		{"cut", good[:len(good)-1000], "of 4704000 bytes of images: unexpected EOF"},
		{"one byte less", good[:len(good)-1], "unexpected EOF"},
		{"length", join(good[:len(good)-1], []byte{1}), "gzip: invalid checksum"},
		{"bytes after it", join(good, []byte("bytes after it")), "gzip: invalid header"},
	} {
		t.Run(c.name, func(t *testing.T) {
			write(t, dir, fashionMNIST[trainImages].name+".gz", c.file)
			status := Verify(dir)[trainImages]
			if status.State != Damaged || status.SHA256 != "" || status.Records != 0 {
				t.Errorf("expected a damaged file without records or sum, found %+v", status)
			}
			if err := status.Err; err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), status.Path+": ") {
				t.Errorf("expected the error %q, found %v", c.want, err)
			}
		})
	}
}

// Neither a header's promise nor a gzip bomb makes the reader allocate or decompress more than the bytes it was sent.
func TestReadIsBounded(t *testing.T) {
	const limit = 8 << 20
	for _, c := range []struct {
		name string
		file []byte
	}{
		{"promise", join(words(2051, MaxRecords, 28, 28), make([]byte, 100))},
		{"promise and some images", join(words(2051, MaxRecords, 28, 28), make([]byte, 2<<20))},
		{"promise in gzip", compress(join(words(2051, MaxRecords, 28, 28), make([]byte, 100)))},
		{"bomb", compress(join(words(2051, 1, 28, 28), make([]byte, 10<<20)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, stored := range []int{0, len(c.file)} {
				var err error
				used := allocated(func() { _, err = readIDX(bytes.NewReader(c.file), "f", imageFormat, int64(stored), ignore) })
				if err == nil {
					t.Error("expected an error")
				}
				if used > uint64(limit+maxRatio*stored) {
					t.Errorf("%d bytes known: expected at most %d bytes allocated, found %d", stored, limit+maxRatio*stored, used)
				}
			}
		})
	}
}

// From a gigabyte of zeros after a header of ten images, only the ten images and one byte more are decompressed.
func TestReadStopsAtThePromise(t *testing.T) {
	zeros := compress(make([]byte, 1<<20))
	file := join(compress(words(2051, 10, 28, 28)), bytes.Repeat(zeros, 1<<10))
	for _, stored := range []int{0, len(file)} {
		told := 0
		var err error
		used := allocated(func() {
			_, err = readIDX(bytes.NewReader(file), "f", imageFormat, int64(stored), func(piece []byte) { told += len(piece) })
		})
		if err == nil || !strings.Contains(err.Error(), "expected it to end after the 10 images") {
			t.Errorf("expected the end to be missed, found %v", err)
		}
		if told != 16+10*Pixels+1 || used > 1<<19 {
			t.Errorf("of %d bytes: expected %d decompressed and half a megabyte allocated at most, found %d and %d", len(file), 16+10*Pixels+1, told, used)
		}
	}
}

func FuzzReadImages(f *testing.F) {
	good := encoded(WriteImages, ramp(1).Images)
	for _, seed := range [][]byte{nil, good, compress(good), good[:20], words(2051, 1<<31, 28, 28), []byte("<html>")} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) { checkRead(t, file, imageFormat) })
}

func FuzzReadLabels(f *testing.F) {
	good := encoded(WriteLabels, ramp(12).Labels)
	for _, seed := range [][]byte{nil, good, compress(good), good[:9], join(words(2049, 1), []byte{10})} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		for _, label := range checkRead(t, file, labelFormat) {
			if label >= Classes {
				t.Errorf("accepted the label %d", label)
			}
		}
	})
}

// checkRead checks that a file is refused with an error that names it, or equals its content written again. Either way at most the
// bytes that the header promises and one more are decompressed, and the memory is limited by the decompressed bytes, whether the file's
// length is known or not.
func checkRead(t *testing.T, file []byte, f format) (body []byte) {
	for _, stored := range []int{0, len(file)} {
		var err error
		var content []byte
		told := int64(0)
		used := allocated(func() {
			body, err = readIDX(bytes.NewReader(file), "f", f, int64(stored), func(piece []byte) { told += int64(len(piece)) })
		})
		if most := uint64(2<<20 + maxRatio*stored + 8*int(told)); used > most {
			t.Errorf("%d bytes of which %d inflate: expected at most %d bytes allocated, found %d", len(file), told, most, used)
		}
		if err != nil {
			if !strings.HasPrefix(err.Error(), "f: ") || body != nil {
				t.Errorf("expected an error that names the file and no data, found %v and %d bytes", err, len(body))
			}
			continue
		}
		plain, err := decompress(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		if content, err = io.ReadAll(plain); err != nil {
			t.Fatal(err)
		}
		if told != int64(len(content)) || !bytes.Equal(content, encoded(f.write, body)) {
			t.Errorf("%d bytes accepted: the file differs from its content written again", len(file))
		}
	}
	return body
}

// allocated is the number of bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
