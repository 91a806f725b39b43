package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A row is the values of slices of one length. A kernel computes on them in float64, eight at a time in two vectors of four: these are
// the lanes of laneSums. AVX-512 could take all eight in one vector. But on the measured processor (Zen 4) one conversion of eight
// values takes longer than two of four, and the conversions are most of the work.
type row struct {
	set
	n, index reg.GPVirtual
}

// newRow is a row of this many values.
func (s set) newRow(n reg.GPVirtual) *row { return &row{s, n, GP64()} }

// each writes body for every vector of the row.
func (r *row) each(label string, body func(d doubles)) {
	bodies := func(parts ...doubles) {
		for _, d := range parts {
			body(d)
		}
	}
	r.whole(label, bodies)
	r.left(label, bodies)
}

// whole writes the loop over the values, eight at a time. It leaves the index at the remaining values.
func (r *row) whole(label string, body func(parts ...doubles)) {
	XORQ(r.index, r.index)
	r.loop(label, 2, body)
}

// loop writes the loop over the values from the index on, with this many vectors in each turn.
func (r *row) loop(label string, vectors int, body func(parts ...doubles)) {
	parts := make([]doubles, vectors)
	for i := range parts {
		parts[i] = doubles{row: r, part: i}
	}
	last := GP64()
	LEAQ(Mem{Base: r.n, Disp: -4 * vectors}, last)
	JMP(LabelRef(label + "Test"))
	Label(label)
	body(parts...)
	ADDQ(Imm(uint64(4*vectors)), r.index)
	Label(label + "Test")
	CMPQ(r.index, last)
	JLE(LabelRef(label))
}

// left writes the code for the remaining values at and after the index: a vector if there are at least four, and then one under a mask
// for the rest.
func (r *row) left(label string, body func(parts ...doubles)) {
	n := GP64()
	MOVQ(r.n, n)
	SUBQ(r.index, n)
	CMPQ(n, Imm(4))
	JLT(LabelRef(label + "Few"))
	body(doubles{row: r, part: 0})
	SUBQ(Imm(4), n)
	JZ(LabelRef(label + "Done"))
	body(doubles{row: r, part: 1, mask: r.firstValues(n)})
	JMP(LabelRef(label + "Done"))
	Label(label + "Few")
	TESTQ(n, n)
	JZ(LabelRef(label + "Done"))
	body(doubles{row: r, part: 0, mask: r.firstValues(n)})
	Label(label + "Done")
}

// A valueMask selects the first values of a vector.
type valueMask struct {
	k              reg.Register   // for AVX-512
	single, double reg.VecVirtual // for AVX2: all ones in those lanes of float32, and of float64
}

// firstValues is the mask of the first n of four values, n from 1 to 3.
func (s set) firstValues(n reg.GPVirtual) *valueMask {
	if s.wide {
		return &valueMask{k: firstBits(n)}
	}
	from, m := fromLaneMasks(n), &valueMask{single: XMM(), double: YMM()}
	VMOVUPS(from, m.single)
	VPMOVSXDQ(from, m.double)
	return m
}

// doubles is arithmetic in float64 on one vector of a row. Each operation rounds once, as the same operation in Go does.
type doubles struct {
	*row
	part int        // of the values at the index: 0 for the first four, 1 for the next
	mask *valueMask // selects the existing values; nil if all four exist
}

func (d doubles) add(a, b reg.VecVirtual) reg.VecVirtual { return binary(VADDPD, a, b) }
func (d doubles) sub(a, b reg.VecVirtual) reg.VecVirtual { return binary(VSUBPD, a, b) }
func (d doubles) mul(a, b reg.VecVirtual) reg.VecVirtual { return binary(VMULPD, a, b) }
func (d doubles) div(a, b reg.VecVirtual) reg.VecVirtual { return binary(VDIVPD, a, b) }

// standardize is (v − mean)·inv.
func (d doubles) standardize(v, mean, inv reg.VecVirtual) reg.VecVirtual {
	return d.mul(d.sub(v, mean), inv)
}

// at is the address of values of this many bytes.
func (d doubles) at(slice reg.Register, size int) Mem {
	return Mem{Base: slice, Index: d.index, Scale: uint8(size), Disp: 4 * d.part * size}
}

// load converts float32 values of the row to float64. Values that are masked out are 0.
func (d doubles) load(slice reg.Register) reg.VecVirtual {
	v, from := YMM(), d.at(slice, 4)
	switch {
	case d.mask == nil:
		VCVTPS2PD(from, v)
	case d.wide:
		VCVTPS2PD_Z(from, d.mask.k, v)
	default:
		single := XMM()
		VMASKMOVPS(from, d.mask.single, single)
		VCVTPS2PD(single, v)
	}
	return v
}

// store rounds to float32 and stores values of the row.
func (d doubles) store(slice reg.Register, v reg.VecVirtual) {
	single, to := XMM(), d.at(slice, 4)
	VCVTPD2PSY(v, single)
	switch {
	case d.mask == nil:
		VMOVUPS(single, to)
	case d.wide:
		VMOVUPS(single, d.mask.k, to)
	default:
		VMASKMOVPS(single, d.mask.single, to)
	}
}

// load64 loads float64 values of the row. Values that are masked out are 0.
func (d doubles) load64(slice reg.Register) reg.VecVirtual {
	v, from := YMM(), d.at(slice, 8)
	switch {
	case d.mask == nil:
		VMOVUPD(from, v)
	case d.wide:
		VMOVUPD_Z(from, d.mask.k, v)
	default:
		VMASKMOVPD(from, d.mask.double, v)
	}
	return v
}

// store64 stores float64 values of the row.
func (d doubles) store64(slice reg.Register, v reg.VecVirtual) {
	to := d.at(slice, 8)
	switch {
	case d.mask == nil:
		VMOVUPD(v, to)
	case d.wide:
		VMOVUPD(v, d.mask.k, to)
	default:
		VMASKMOVPD(v, d.mask.double, to)
	}
}

// keep stores a whole vector of float64 in working memory, which has room for it after the last value of the row.
func (d doubles) keep(slice reg.Register, v reg.VecVirtual) { VMOVUPD(v, d.at(slice, 8)) }

// kept loads a whole vector of float64 from working memory. Only the existing values of it count.
func (d doubles) kept(slice reg.Register) reg.VecVirtual {
	v := YMM()
	VMOVUPD(d.at(slice, 8), v)
	return v
}

// A sum is kept in the eight lanes of laneSums, with a vector for each part. At the end it is in the first lane.
type sum [2]reg.VecVirtual

func newSum() *sum { return &sum{zero64(), zero64()} }

// zero64 is a vector of zeros.
func zero64() reg.VecVirtual {
	v := YMM()
	VXORPD(v, v, v)
	return v
}

// add adds the existing values to their lanes. No lane is ever -0, so AVX2 can add a 0 for a value that is masked out.
func (s *sum) add(d doubles, v reg.VecVirtual) {
	total := s[d.part]
	switch {
	case d.mask == nil:
		VADDPD(v, total, total)
	case d.wide:
		VADDPD(v, total, d.mask.k, total)
	default:
		VADDPD(binary(VANDPD, v, d.mask.double), total, total)
	}
}

// total adds up the lanes, in the order of laneSums.total.
func (s *sum) total() reg.VecVirtual {
	all, upper := s[0], XMM()
	VADDPD(s[1], all, all)
	VEXTRACTF128(Imm(1), all, upper)
	VADDPD(upper, all.AsX(), all.AsX())
	VUNPCKHPD(all.AsX(), all.AsX(), upper)
	VADDSD(upper, all.AsX(), all.AsX())
	return all.AsX().(reg.VecVirtual)
}

// broadcast64 loads the float64 parameter into all lanes.
func broadcast64(parameter string) reg.VecVirtual { return spread(address(Param(parameter))) }

// spread copies a float64, in memory or in the first lane of a register, to all lanes.
func spread(from Op) reg.VecVirtual {
	v := YMM()
	VBROADCASTSD(from, v)
	return v
}

// number64 is the number in all lanes.
func number64(x float64) reg.VecVirtual {
	bits, v := GP64(), XMM()
	MOVQ(U64(math.Float64bits(x)), bits)
	VMOVQ(bits, v)
	return spread(v)
}

// result64 stores the first lane as the float64 result. avo's Store would use an SSE instruction, which is slow in AVX
// code on some processors.
func result64(v reg.VecVirtual, result string) { VMOVSD(v.AsX(), address(Return(result))) }
