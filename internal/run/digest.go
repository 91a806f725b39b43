package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"

	"fmtrain/internal/model"
)

// Digest is the SHA-256, in hexadecimal, of a model's weights: the values of each weight in the model's order, row by row, float32,
// little-endian. These are the bytes of the tensors model.… of a checkpoint, in the checkpoint's order.
func Digest(weights model.Weights) string {
	h := sha256.New()
	var buffer []byte
	for _, w := range weights {
		buffer = buffer[:0]
		for _, x := range w.Value.Float32s() {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(x))
		}
		h.Write(buffer)
	}
	return hex.EncodeToString(h.Sum(nil))
}
