package export

import (
	"encoding/binary"
	"math"
)

// message is an encoded message of Protocol Buffers (https://protobuf.dev/programming-guides/encoding): its fields one after the other.
// A field is its number and wire type, then a variable-length integer, four bytes, or a length and as many bytes.
type message []byte

// The wire types.
const (
	varintType = 0
	bytesType  = 2
	fixed32    = 5
)

func (m *message) tag(field, wireType int) {
	*m = binary.AppendUvarint(*m, uint64(field)<<3|uint64(wireType))
}

// int adds an integer. A negative one is encoded as its two's complement in 64 bits.
func (m *message) int(field int, value int64) {
	m.tag(field, varintType)
	*m = binary.AppendUvarint(*m, uint64(value))
}

// float adds a float32.
func (m *message) float(field int, value float32) {
	m.tag(field, fixed32)
	*m = binary.LittleEndian.AppendUint32(*m, math.Float32bits(value))
}

// bytes adds bytes or another message.
func (m *message) bytes(field int, value []byte) {
	m.tag(field, bytesType)
	*m = append(binary.AppendUvarint(*m, uint64(len(value))), value...)
}

// text adds a string.
func (m *message) text(field int, value string) { m.bytes(field, []byte(value)) }
