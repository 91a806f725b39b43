package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// A row is the values of slices of one length, with which a kernel computes in float64, eight at a time: in two vectors of
// AVX2 or in one of AVX-512. So the lanes are the eight of laneSums with both.
type row struct {
	set
	n, index reg.GPVirtual
}

// newRow is a row of so many values.
func (s set) newRow(n reg.GPVirtual) *row { return &row{s, n, GP64()} }

// each writes body for eight values at a time, in a loop, and then under a mask for those that are left.
func (r *row) each(label string, body func(d doubles)) {
	r.whole(label, func(parts []doubles) { each(parts, body) })
	r.left(label, func(parts []doubles) { each(parts, body) })
}

func each(parts []doubles, body func(d doubles)) {
	for _, d := range parts {
		body(d)
	}
}

// whole writes the loop over the values, eight at a time, and leaves the index at those that are left.
func (r *row) whole(label string, body func(parts []doubles)) {
	last := GP64()
	LEAQ(Mem{Base: r.n, Disp: -8}, last)
	XORQ(r.index, r.index)
	JMP(LabelRef(label + "Test"))
	Label(label)
	body(r.parts(nil))
	ADDQ(Imm(8), r.index)
	Label(label + "Test")
	CMPQ(r.index, last)
	JLE(LabelRef(label))
}

// left writes what is done with the values at and after the index, if there are any.
func (r *row) left(label string, body func(parts []doubles)) {
	n := GP64()
	MOVQ(r.n, n)
	SUBQ(r.index, n)
	JZ(LabelRef(label + "Done"))
	body(r.parts(r.firstValues(n)))
	Label(label + "Done")
}

// firstValues is the mask, for each part, of the first n of eight values, n from 1 to 7.
func (r *row) firstValues(n reg.GPVirtual) []valueMask {
	if r.wide {
		return []valueMask{{k: firstBits(n)}}
	}
	from := fromLaneMasks(n)
	masks := make([]valueMask, 2)
	for part := range masks {
		at := from.Offset(16 * part)
		masks[part] = valueMask{single: XMM(), double: YMM()}
		VMOVUPS(at, masks[part].single)
		VPMOVSXDQ(at, masks[part].double)
	}
	return masks
}

// A valueMask is of some of the values of a part.
type valueMask struct {
	k              reg.Register   // of AVX-512
	single, double reg.VecVirtual // of AVX2: all ones in those lanes of float32, and of float64
}

// parts are the vectors that hold eight values.
func (r *row) parts(masks []valueMask) []doubles {
	parts := make([]doubles, 1)
	if !r.wide {
		parts = make([]doubles, 2)
	}
	for i := range parts {
		parts[i] = doubles{row: r, part: i}
		if masks != nil {
			parts[i].mask = &masks[i]
		}
	}
	return parts
}

// doubles is arithmetic in float64 on one vector of a row. Each operation rounds once, as the same operation in Go does.
type doubles struct {
	*row
	part int        // 0, or 1 for the upper four values with AVX2
	mask *valueMask // of the values that there are, nil if there are all
}

func (d doubles) add(a, b reg.VecVirtual) reg.VecVirtual { return binary(VADDPD, a, b) }
func (d doubles) sub(a, b reg.VecVirtual) reg.VecVirtual { return binary(VSUBPD, a, b) }
func (d doubles) mul(a, b reg.VecVirtual) reg.VecVirtual { return binary(VMULPD, a, b) }
func (d doubles) div(a, b reg.VecVirtual) reg.VecVirtual { return binary(VDIVPD, a, b) }

// standardize is (v − mean)·inv.
func (d doubles) standardize(v, mean, inv reg.VecVirtual) reg.VecVirtual {
	return d.mul(d.sub(v, mean), inv)
}

// at is where the values of so many bytes are.
func (d doubles) at(slice reg.Register, size int) Mem {
	return Mem{Base: slice, Index: d.index, Scale: uint8(size), Disp: 4 * d.part * size}
}

// load takes float32 values of the row to float64. Values that are masked out are 0.
func (d doubles) load(slice reg.Register) reg.VecVirtual {
	v, from := d.vector(), d.at(slice, 4)
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

// store rounds to float32 values of the row.
func (d doubles) store(slice reg.Register, v reg.VecVirtual) {
	to := d.at(slice, 4)
	if d.wide {
		single := YMM()
		VCVTPD2PS(v, single)
		if d.mask == nil {
			VMOVUPS(single, to)
		} else {
			VMOVUPS(single, d.mask.k, to)
		}
		return
	}
	single := XMM()
	VCVTPD2PSY(v, single)
	if d.mask == nil {
		VMOVUPS(single, to)
	} else {
		VMASKMOVPS(single, d.mask.single, to)
	}
}

// load64 loads float64 values of the row. Values that are masked out are 0.
func (d doubles) load64(slice reg.Register) reg.VecVirtual {
	v, from := d.vector(), d.at(slice, 8)
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

// A sum is kept in the eight lanes of laneSums, a vector for each part, and at last in the first lane alone.
type sum struct {
	set
	parts []reg.VecVirtual
}

func (r *row) newSum() *sum {
	s := &sum{set: r.set}
	for range r.parts(nil) {
		s.parts = append(s.parts, r.zero())
	}
	return s
}

// add adds the values that there are to their lanes. No lane is ever -0, so that AVX2 can add a 0 in place of a value that is
// masked out.
func (s *sum) add(d doubles, v reg.VecVirtual) {
	total := s.parts[d.part]
	switch {
	case d.mask == nil:
		VADDPD(v, total, total)
	case s.wide:
		VADDPD(v, total, d.mask.k, total)
	default:
		VADDPD(binary(VANDPD, v, d.mask.double), total, total)
	}
}

// total adds up the lanes, in the order of laneSums.total.
func (s *sum) total() reg.VecVirtual {
	all, upper := s.parts[0], YMM()
	if s.wide {
		VEXTRACTF64X4(Imm(1), all, upper)
		all = all.AsY().(reg.VecVirtual)
	} else {
		upper = s.parts[1]
	}
	VADDPD(upper, all, all)
	quarter := XMM()
	VEXTRACTF128(Imm(1), all, quarter)
	VADDPD(quarter, all.AsX(), all.AsX())
	VUNPCKHPD(all.AsX(), all.AsX(), quarter)
	VADDSD(quarter, all.AsX(), all.AsX())
	return all.AsX().(reg.VecVirtual)
}

// broadcast64 loads the float64 parameter into all lanes.
func (s set) broadcast64(parameter string) reg.VecVirtual { return s.spread(address(Param(parameter))) }

// spread takes a float64, in memory or in the first lane of a register, to all lanes.
func (s set) spread(from Op) reg.VecVirtual {
	v := s.vector()
	VBROADCASTSD(from, v)
	return v
}

// result64 stores the first lane as the float64 result. avo's Store would take the instruction of SSE, which is slow beside
// those of AVX on some processors.
func result64(v reg.VecVirtual, result string) { VMOVSD(v.AsX(), address(Return(result))) }
