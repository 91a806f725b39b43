package dataset

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"
	"testing/iotest"
)

// The digest is that of the plain bytes, wherever the body ends between two pieces, however the bytes arrive, and whether or not the
// body's memory moves as it grows.
func TestDigestOfWhatIsRead(t *testing.T) {
	body := make([]uint8, 4<<20+1)
	for i := range body {
		body[i] = uint8(i * i % 251 % Classes)
	}
	for _, size := range []int{1, pieceSize - 1, pieceSize, pieceSize + 1, 2 * pieceSize, 1 << 20, 1<<20 + 1, 4<<20 + 1} {
		plain := encoded(WriteLabels, body[:size])
		sum := sha256.Sum256(plain)
		want := hex.EncodeToString(sum[:])
		for _, pack := range []func([]byte) []byte{bytes.Clone, compress} {
			file := pack(plain)
			for _, arrive := range []func(io.Reader) io.Reader{iotest.HalfReader, iotest.DataErrReader} {
				for _, stored := range []int{0, len(file)} {
					d := newDigest()
					found, err := readIDX(arrive(bytes.NewReader(file)), "f", labelFormat, int64(stored), d.add)
					if sum := d.finish(); err != nil || sum != want || !bytes.Equal(found, body[:size]) {
						t.Errorf("%d labels in %d bytes, %d of them known: expected the sum %s and the same labels, found %s, %d labels, %v",
							size, len(file), stored, want, sum, len(found), err)
					}
				}
			}
		}
	}
}

func TestDigestOfNothing(t *testing.T) {
	const want = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	if sum := newDigest().finish(); sum != want {
		t.Errorf("expected %s, found %s", want, sum)
	}
}
