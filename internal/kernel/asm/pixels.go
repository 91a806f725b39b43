package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// pixels writes the intensities of pixels.
func pixels() {
	for _, s := range sets {
		s.intensities()
	}
}

// intensities divides by 255 with a factor in two parts: p·upper + (p·lower) is rounded once. Only the second product is rounded before,
// and it is so small that this changes no pixel's quotient. A division would take several times as long. AVX2 has no mask for bytes, so
// it handles the last pixels one at a time.
func (s set) intensities() {
	s.text("intensities", "(y []float32, pixels []uint8)")
	y, pixels, n := base("y"), base("pixels"), length("y")
	const inverse = 1.0 / 255
	upper := s.constant(math.Float32bits(inverse))
	lower := s.constant(math.Float32bits(float32(inverse - float64(float32(inverse)))))
	divide := func(p reg.VecVirtual) reg.VecVirtual {
		q := mul(p, lower)
		VFMADD231PS(upper, p, q)
		return q
	}
	i := GP64()
	XORQ(i, i)
	for _, vectors := range []int{4, 1} {
		label, last := fmt.Sprintf("values%d", vectors*s.lanes()), GP64()
		LEAQ(Mem{Base: n, Disp: -vectors * s.lanes()}, last)
		JMP(LabelRef(label + "Test"))
		Label(label)
		for u := range vectors {
			p := s.vector()
			VPMOVZXBD(Mem{Base: pixels, Index: i, Scale: 1, Disp: u * s.lanes()}, p)
			VCVTDQ2PS(p, p)
			VMOVUPS(divide(p), Mem{Base: y, Index: i, Scale: 4, Disp: 4 * u * s.lanes()})
		}
		ADDQ(Imm(uint64(vectors*s.lanes())), i)
		Label(label + "Test")
		CMPQ(i, last)
		JLE(LabelRef(label))
	}
	if s.wide {
		SUBQ(i, n)
		JZ(LabelRef("done"))
		m, p := s.firstLanes(n), s.vector()
		VPMOVZXBD_Z(Mem{Base: pixels, Index: i, Scale: 1}, m.k, p)
		VCVTDQ2PS(p, p)
		m.store(divide(p), Mem{Base: y, Index: i, Scale: 4})
		Label("done")
	} else {
		JMP(LabelRef("pixelTest"))
		Label("pixel")
		pixel, p, q := GP32(), XMM(), XMM()
		MOVBLZX(Mem{Base: pixels, Index: i, Scale: 1}, pixel)
		VCVTSI2SSL(pixel, upper.AsX(), p)
		VMULSS(lower.AsX(), p, q)
		VFMADD231SS(upper.AsX(), p, q)
		VMOVSS(q, Mem{Base: y, Index: i, Scale: 4})
		INCQ(i)
		Label("pixelTest")
		CMPQ(i, n)
		JLT(LabelRef("pixel"))
	}
	end()
}
