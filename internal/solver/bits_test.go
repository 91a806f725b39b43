package solver

import (
	"encoding/binary"
	"hash/fnv"
	"testing"
)

// The weights after 50 steps have the same bits on every processor; CI also runs this on an emulated arm64. nadam is left out:
// its momentum is a power with a fractional exponent, which math.Pow may round differently there.
func TestBitsOnEveryProcessor(t *testing.T) {
	for name, want := range map[string]uint64{
		"sgd":      0xd0fe662bafc3d3d3,
		"momentum": 0xf4ddd1ba965ac80d,
		"nesterov": 0x1c1d39a5565f8357,
		"rmsprop":  0x2029ac5958a8751d,
		"adagrad":  0xf36604e4611a2b3d,
		"adam":     0xd82ee3de9a398044,
		"adamw":    0x257f553107d84c4f,
	} {
		s := mustNew(t, name, 0.01, nil)
		p := newParameter("p", make([]float32, 101)...)
		for step := range 50 {
			for i := range p.g {
				p.g[i] = float32((i*31+step*17)%64-30) / 64
			}
			mustStep(t, s, p)
		}
		h := fnv.New64a()
		if err := binary.Write(h, binary.LittleEndian, p.w); err != nil {
			t.Fatal(err)
		}
		if got := h.Sum64(); got != want {
			t.Errorf("%s: expected %#x, found %#x", name, want, got)
		}
	}
}
