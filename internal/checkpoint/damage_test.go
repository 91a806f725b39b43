package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

const digestAt = lengthSize + len(headerStart)

// seal replaces the file's digest by the right one.
func seal(file []byte) []byte {
	sealed := slices.Clone(file)
	if len(sealed) >= digestAt+len(zeroDigest) {
		copy(sealed[digestAt:], zeroDigest)
		sum := sha256.Sum256(sealed)
		hex.Encode(sealed[digestAt:], sum[:])
	}
	return sealed
}

func TestEveryTruncationIsDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c.safetensors")
	whole := mustSave(t, path, small())
	for n := range whole {
		if err := os.Truncate(path, int64(len(whole)-1-n)); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), path) {
			t.Fatalf("%d of %d bytes: error %v, want ErrDamaged with the path", len(whole)-1-n, len(whole), err)
		}
	}
}

// Each byte in turn is changed by one bit, and to each of the bytes that have a meaning in JSON or in the format.
func TestEveryChangedByteIsDamage(t *testing.T) {
	file := encoded(t, small())
	for i, was := range file {
		changes := []byte("{}[]\",: \t\nnul019afAF\x00\xff")
		for bit := range 8 {
			changes = append(changes, was^1<<bit)
		}
		for _, is := range changes {
			if is == was {
				continue
			}
			file[i] = is
			if _, err := decodeBytes(file); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrForeign) || errors.Is(err, ErrVersion) {
				t.Fatalf("byte %d changed from %q to %q: error %v, want ErrDamaged alone", i, was, is, err)
			}
		}
		file[i] = was
	}
}

func TestLongerFileIsDamage(t *testing.T) {
	file := encoded(t, small())
	for _, b := range [][]byte{append(slices.Clone(file), 0), append(slices.Clone(file), file...)} {
		for _, b := range [][]byte{b, seal(b)} {
			if _, err := decodeBytes(b); !errors.Is(err, ErrDamaged) {
				t.Errorf("%d bytes more: error %v, want ErrDamaged", len(b)-len(file), err)
			}
		}
	}
}

// A file that shrinks after its size was read and before its content is.
func TestFileShorterThanItsSize(t *testing.T) {
	file := encoded(t, small())
	for n := range file {
		if _, err := decode(bytes.NewReader(file[:n]), int64(len(file))); !errors.Is(err, ErrDamaged) {
			t.Fatalf("%d of %d bytes: error %v, want ErrDamaged", n, len(file), err)
		}
	}
}

func TestOtherVersion(t *testing.T) {
	file := encoded(t, small())
	other := bytes.Replace(file, []byte(`"version":"1"`), []byte(`"version":"2"`), 1)
	_, err := decodeBytes(seal(other))
	if !errors.Is(err, ErrVersion) || errors.Is(err, ErrDamaged) {
		t.Fatalf("error %v, want ErrVersion", err)
	}
	for _, word := range []string{`expected version "1"`, `found "2"`} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %s", err, word)
		}
	}
	other[len(other)-1] ^= 1
	if _, err := decodeBytes(other); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrVersion) {
		t.Errorf("damaged file of another version: error %v, want ErrDamaged", err)
	}
}

// raw makes a file of a header as it stands and some bytes of data.
func raw(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestForeign(t *testing.T) {
	for name, file := range map[string][]byte{
		"without metadata": raw(`{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}`, 8),
		"of PyTorch":       raw(`{"__metadata__":{"format":"pt"},"w":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]}}`, 4),
		"without tensors":  raw(`{}`, 0),
	} {
		_, err := decodeBytes(file)
		if !errors.Is(err, ErrForeign) || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error %v, want ErrForeign", name, err)
		}
	}
}

func TestNoSafetensorsFile(t *testing.T) {
	for name, c := range map[string]struct {
		file, says string
	}{
		"empty":         {"", "found 0 bytes"},
		"short":         {"abc", "found 3 bytes"},
		"text":          {"Dear reader, this is no checkpoint.\n", `found another that begins with "Dear rea"`},
		"page":          {"<!DOCTYPE html><html><body>404 Not Found</body></html>", `"<!DOCTYP"`},
		"zeros":         {strings.Repeat("\x00", 4096), "header of 0 bytes"},
		"JSON":          {`{"__metadata__":{"format":"fmtrain"}}`, `"{\"__meta"`},
		"cut in header": {string(raw(`{"__metadata__":{"format":"pt"}}`, 0))[:20], "header of 32 bytes where 12 are possible"},
	} {
		_, err := decodeBytes([]byte(c.file))
		if !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: error %v, want ErrDamaged", name, err)
			continue
		}
		for _, word := range []string{"expected a safetensors", c.says} {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: error %q does not say %q", name, err, word)
			}
		}
	}
}

// hostile is a list of files made to deceive a reader, with a right SHA-256 if there is room for one.
func hostile() map[string][]byte {
	const start = headerStart + `0000000000000000000000000000000000000000000000000000000000000000","format":"fmtrain","version":"1"}`
	file := func(tensors string, data int) []byte {
		header := start + tensors + "}"
		return seal(raw(header+strings.Repeat(" ", -len(header)&7), data))
	}
	tensor := func(name, shape, offsets string) string {
		return `,"` + name + `":{"dtype":"F32","shape":` + shape + `,"data_offsets":` + offsets + `}`
	}
	length := func(n uint64) []byte {
		f := file(tensor("w", "[1]", "[0,4]"), 4)
		binary.LittleEndian.PutUint64(f, n)
		return seal(f)
	}
	many := slices.Repeat([]string{"1,"}, 1<<18)
	return map[string][]byte{
		"header beyond the file":         length(1 << 20),
		"header length of 2^64-1":        length(math.MaxUint64),
		"header length of 2^60":          length(1 << 60),
		"header length of 2^63":          length(1 << 63),
		"header length of 2^64-8":        length(math.MaxUint64 - 7),
		"header length of 0":             length(0),
		"header length one short":        length(uint64(len(file(tensor("w", "[1]", "[0,4]"), 4)) - 13)),
		"no header":                      raw("", 0),
		"null":                           raw("null", 0),
		"array":                          raw("[]", 0),
		"unclosed":                       raw("{", 0),
		"deep nesting":                   raw(`{"w":`+strings.Repeat("[", 100_000), 0),
		"null metadata, null tensor":     raw(`{"__metadata__":null,"w":null}`, 0),
		"metadata that is no object":     raw(`{"__metadata__":"fmtrain"}`, 0),
		"metadata that is no string":     raw(`{"__metadata__":{"format":1}}`, 0),
		"marked, without a digest":       raw(`{"__metadata__":{"format":"fmtrain","version":"1"}}`, 0),
		"marked, digest elsewhere":       raw(`{"__metadata__":{"format":"fmtrain","sha256":"`+zeroDigest+`","version":"1"}}`, 0),
		"marked, digest too short":       raw(headerStart+`0"}}`, 0),
		"marked, digest beyond header":   raw(headerStart+`"}}`, 100),
		"overlap":                        file(tensor("a", "[2]", "[0,8]")+tensor("b", "[2]", "[4,12]"), 12),
		"same bytes twice":               file(tensor("a", "[2]", "[0,8]")+tensor("b", "[2]", "[0,8]"), 8),
		"hole":                           file(tensor("a", "[1]", "[0,4]")+tensor("b", "[1]", "[8,12]"), 12),
		"hole at the start":              file(tensor("a", "[1]", "[4,8]"), 8),
		"bytes after the last":           file(tensor("a", "[1]", "[0,4]"), 8),
		"not in the order of offsets":    file(tensor("a", "[1]", "[4,8]")+tensor("b", "[1]", "[0,4]"), 8),
		"offsets back to front":          file(tensor("a", "[1]", "[4,0]"), 4),
		"negative offset":                file(tensor("a", "[1]", "[-4,0]"), 4),
		"offset of 2^63":                 file(tensor("a", "[1]", "[9223372036854775808,9223372036854775812]"), 4),
		"offsets that wrap round":        file(tensor("a", "[1]", "[18446744073709551612,0]"), 4),
		"one offset":                     file(tensor("a", "[1]", "[0]"), 4),
		"three offsets":                  file(tensor("a", "[1]", "[0,4,8]"), 4),
		"offsets as text":                file(tensor("a", "[1]", `["0","4"]`), 4),
		"shape unlike offsets":           file(tensor("a", "[2]", "[0,4]"), 4),
		"shape that overflows to 1":      file(tensor("a", "[9223372036854775809,9223372036854775809]", "[0,4]"), 4),
		"shape that overflows to 0":      file(tensor("a", "[4294967296,4294967296]", "[0,0]"), 0),
		"bytes that overflow":            file(tensor("a", "[4611686018427387905]", "[0,4]"), 4),
		"2^40 values":                    file(tensor("a", "[1099511627776]", "[0,4398046511104]"), 4),
		"2^31 images":                    file(tensor("a", "[2147483648,28,28]", "[0,6734508720128]"), 4),
		"negative dimensions":            file(tensor("a", "[-1,-1]", "[0,4]"), 4),
		"fractional dimension":           file(tensor("a", "[1.5]", "[0,4]"), 4),
		"dimension in another notation":  file(tensor("a", "[1e0]", "[0,4]"), 4),
		"262,145 dimensions":             file(tensor("a", "["+strings.Join(many, "")+"1]", "[0,4]"), 4),
		"another dtype":                  seal(bytes.Replace(file(tensor("a", "[1]", "[0,4]"), 4), []byte("F32"), []byte("I32"), 1)),
		"a dtype in small letters":       seal(bytes.Replace(file(tensor("a", "[1]", "[0,4]"), 4), []byte("F32"), []byte("f32"), 1)),
		"a key in capitals":              seal(bytes.Replace(file(tensor("a", "[1]", "[0,4]"), 4), []byte("dtype"), []byte("DTYPE"), 1)),
		"two tensors of one name":        file(tensor("a", "[1]", "[0,4]")+tensor("a", "[1]", "[4,8]"), 8),
		"two shapes":                     file(`,"a":{"dtype":"F32","shape":[1],"shape":[2],"data_offsets":[0,8]}`, 8),
		"metadata twice":                 file(`,"__metadata__":{"k":"v"}`, 0),
		"metadata key twice":             seal(bytes.Replace(file("      ", 0), []byte(`"}      }`), []byte(`","k":"","k":"v"}}      `), 1)),
		"unknown key in a tensor":        file(`,"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}`, 4),
		"name that is not UTF-8":         file(tensor("\xff", "[1]", "[0,4]"), 4),
		"spaces within the header":       file(" "+tensor("a", "[1]", "[0,4]"), 4),
		"header not padded":              seal(raw(start+tensor("aaaaaaaa", "[1]", "[0,4]")+"}", 4)),
		"padding too long":               seal(raw(start+"}"+strings.Repeat(" ", 64), 0)),
		"two objects":                    seal(raw(start+"}{}", 0)),
		"no closing brace":               seal(raw(start, 0)),
		"a comma too many":               file(",", 0),
		"40,000 empty tensors, no dtype": seal(raw(start+strings.Repeat(`,"a":{}`, 40_000)+"}", 0)),
		"a name of 256 KiB":              file(tensor(strings.Repeat("n", 1<<18), "[-1]", "[0,4]"), 4),
		"a version of 256 KiB":           seal(raw(strings.Replace(start, `"1"`, `"`+strings.Repeat("9", 1<<18)+`"`, 1)+"}", 0)),
	}
}

// decodeWithin decodes b and checks what must be true of any bytes: decoding takes at most a small multiple of their number in memory,
// plus the buffers. It gives one kind of error with a message of limited length, or a checkpoint that encodes to the same bytes.
func decodeWithin(t *testing.T, b []byte) error {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := decodeBytes(b)
	runtime.ReadMemStats(&after)
	if allocated, most := after.TotalAlloc-before.TotalAlloc, uint64(4*bufferSize+64*len(b)); allocated > most {
		t.Errorf("allocated %d bytes for %d, want at most %d", allocated, len(b), most)
	}
	if err != nil {
		kinds := 0
		for _, kind := range []error{ErrDamaged, ErrForeign, ErrVersion} {
			if errors.Is(err, kind) {
				kinds++
			}
		}
		if kinds != 1 {
			t.Errorf("error %v has %d kinds, want 1", err, kinds)
		}
		if len(err.Error()) > 2000 {
			t.Errorf("error of %d bytes: %.100s...", len(err.Error()), err)
		}
		return err
	}
	if !bytes.Equal(encoded(t, c), b) {
		t.Errorf("accepted %d bytes that it does not write itself", len(b))
	}
	return nil
}

func TestHostileFilesAreRefused(t *testing.T) {
	for name, file := range hostile() {
		t.Run(name, func(t *testing.T) {
			if err := decodeWithin(t, file); err == nil {
				t.Errorf("accepted %.300q", file)
			}
		})
	}
}

func FuzzLoad(f *testing.F) {
	for _, file := range hostile() {
		if len(file) < 4096 {
			f.Add(file)
		}
	}
	f.Add(encoded(f, small()))
	f.Fuzz(func(t *testing.T, file []byte) {
		_ = decodeWithin(t, file)
		_ = decodeWithin(t, seal(file)) // past the checksum
	})
}

func BenchmarkSave(b *testing.B) { benchmark(b, Save) }

func BenchmarkLoad(b *testing.B) {
	benchmark(b, func(path string, _ *Checkpoint) error {
		_, err := Load(path)
		return err
	})
}

func benchmark(b *testing.B, do func(string, *Checkpoint) error) {
	for name, n := range map[string]int{"1MB": 1 << 18, "20MB": 5 << 20} {
		b.Run(name, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "c.safetensors")
			c := &Checkpoint{Tensors: []Tensor{{Name: "w", Shape: []int{n}, Data: make([]float32, n)}}}
			mustSave(b, path, c)
			b.SetBytes(int64(4 * n))
			for b.Loop() {
				if err := do(path, c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
