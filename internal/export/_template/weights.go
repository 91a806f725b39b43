package fashionmnist

import (
	_ "embed"
	"encoding/binary"
	"math"
)

// weightBytes are the weights one after the other: float32, little-endian.
//
//go:embed weights.bin
var weightBytes []byte

// take is the next n weights.
func take(n int) []float32 {
	values := make([]float32, n)
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(weightBytes[4*i:]))
	}
	weightBytes = weightBytes[4*n:]
	return values
}
