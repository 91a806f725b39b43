package dataset

import (
	"crypto/sha256"
	"encoding/hex"
)

// digest is the SHA-256 of bytes as they arrive. It is taken on a goroutine of its own, while the next bytes are being
// inflated, which takes several times as long.
type digest struct {
	pieces chan []byte
	sum    chan string
}

// maxWaiting is how many pieces may wait to be hashed. They take no memory of their own.
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

// add appends a piece to the bytes hashed. It is not copied: its bytes must stay as they are until finish returns.
func (d *digest) add(piece []byte) { d.pieces <- piece }

// finish gives the sum of all pieces in hexadecimal, and ends the goroutine. It must be called, once, and is the last call.
func (d *digest) finish() string {
	close(d.pieces)
	return <-d.sum
}
