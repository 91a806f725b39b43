package schedule

import (
	"encoding/binary"
	"hash/fnv"
	"testing"
)

// The factors have the same bits on every processor; CI also runs this on an emulated arm64. exponential and cosine are left
// out: math.Pow, with a fractional exponent, and math.Cos may round differently there.
func TestBitsOnEveryProcessor(t *testing.T) {
	for text, want := range map[string]uint64{
		"step:epochs=3,factor=0.3": 0xf0e796b5f2a7e500,
		"1cycle:rise=0.37,max=7":   0xe2387284eb7465cb,
		"plateau:patience=1":       0x17b3f7cf43bd91d8,
	} {
		s, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		h := fnv.New64a()
		for step := range 997 {
			at := Position{Step: step, Steps: 997, EpochSteps: 37, Losses: []float64{0.9, 0.7, 0.8, 0.71, 0.72, 0.73, 0.74}[:step/143]}
			factors := []float64{s.Factor(at)}
			if m, ok := s.(Momentum); ok {
				factors = append(factors, m.Momentum(at))
			}
			if err := binary.Write(h, binary.LittleEndian, factors); err != nil {
				t.Fatal(err)
			}
		}
		if got := h.Sum64(); got != want {
			t.Errorf("%s: expected %#x, found %#x", text, want, got)
		}
	}
}
