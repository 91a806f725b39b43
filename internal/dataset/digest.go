package dataset

import (
	"crypto/sha256"
	"encoding/hex"
)

// digest is the SHA-256 of bytes as they arrive. A separate goroutine computes it while the next bytes are inflated, which takes
// several times as long.
type digest struct {
	pieces chan []byte
	sum    chan string
}

// maxWaiting is the number of pieces that may wait to be hashed. They are not copied.
const maxWaiting = 64

func newDigest() *digest {
	d := &digest{pieces: make(chan []byte, maxWaiting), sum: make(chan string, 1)}
	go func() {
		sum := sha256.New()
		for piece := range d.pieces {
			sum.Write(piece)
		}
		d.sum <- hex.EncodeToString(sum.Sum(nil))
	}()
	return d
}

// add hashes a piece. It is not copied, so its bytes must not change until finish returns.
func (d *digest) add(piece []byte) { d.pieces <- piece }

// finish returns the sum of all pieces in hexadecimal and ends the goroutine. It must be called once, as the last call.
func (d *digest) finish() string {
	close(d.pieces)
	return <-d.sum
}
