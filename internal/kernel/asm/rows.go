package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows writes the kernels on rows of a matrix.
func rows() {
	for _, s := range sets {
		s.sumRows()
		s.allFinite()
	}
}

// sumRows handles as many columns at a time as can keep their sums in registers over all rows: eight vectors, so that no addition waits
// for another, and fewer at the end.
func (s set) sumRows() {
	s.text("sumRows", "(sum, x []float32)")
	sum, x := base("sum"), base("x")
	n, limit := length("sum"), length("x")
	LEAQ(Mem{Base: x, Index: limit, Scale: 4}, limit)
	j := GP64()
	XORQ(j, j)

	for _, vectors := range []int{8, 4, 2, 1} {
		columns := vectors * s.lanes()
		label := fmt.Sprintf("columns%d", columns)
		last := GP64()
		LEAQ(Mem{Base: n, Disp: -columns}, last)
		JMP(LabelRef(label + "Test"))
		Label(label)
		s.sumColumns(label, vectors, sum, x, j, n, limit, nil)
		ADDQ(Imm(uint64(columns)), j)
		Label(label + "Test")
		CMPQ(j, last)
		JLE(LabelRef(label))
	}

	left := GP64()
	MOVQ(n, left)
	SUBQ(j, left)
	JZ(LabelRef("done"))
	s.sumColumns("columnsLeft", 1, sum, x, j, n, limit, s.firstLanes(left))
	Label("done")
	end()
}

// sumColumns sums the columns of this many vectors, starting at column j.
func (s set) sumColumns(label string, vectors int, sum, x, j, n, limit reg.Register, m *mask) {
	sums := make([]reg.VecVirtual, vectors)
	for i := range sums {
		sums[i] = s.zero()
	}
	row := GP64()
	LEAQ(Mem{Base: x, Index: j, Scale: 4}, row)
	JMP(LabelRef(label + "RowTest"))
	Label(label + "Row")
	for i, v := range sums {
		from := Mem{Base: row, Disp: 4 * i * s.lanes()}
		if m == nil {
			VADDPS(from, v, v)
		} else {
			VADDPS(s.load(from, m), v, v)
		}
	}
	LEAQ(Mem{Base: row, Index: n, Scale: 4}, row)
	Label(label + "RowTest")
	CMPQ(row, limit)
	JCS(LabelRef(label + "Row"))
	for i, v := range sums {
		m.store(v, Mem{Base: sum, Index: j, Scale: 4, Disp: 4 * i * s.lanes()})
	}
}

// allFinite keeps the largest exponent in each lane. It takes two instructions for each vector, which run in the time of the load. To
// stop at the first value that is not finite would take more, and gains nothing because nearly all values are finite.
func (s set) allFinite() {
	s.text("allFinite", "(x []float32) bool")
	x, n := base("x"), length("x")
	exponent := s.constant(0x7f800000)
	greatest := make([]reg.VecVirtual, 4)
	for i := range greatest {
		greatest[i] = s.zero()
	}
	see := func(lane int, v Op) {
		exponents := s.vector()
		if s.wide {
			VPANDD(v, exponent, exponents)
		} else {
			VPAND(v, exponent, exponents)
		}
		VPMAXUD(exponents, greatest[lane], greatest[lane])
	}
	i := GP64()
	XORQ(i, i)
	for _, vectors := range []int{4, 1} {
		values := vectors * s.lanes()
		label := fmt.Sprintf("values%d", values)
		last := GP64()
		LEAQ(Mem{Base: n, Disp: -values}, last)
		JMP(LabelRef(label + "Test"))
		Label(label)
		for u := range vectors {
			see(u, Mem{Base: x, Index: i, Scale: 4, Disp: 4 * u * s.lanes()})
		}
		ADDQ(Imm(uint64(values)), i)
		Label(label + "Test")
		CMPQ(i, last)
		JLE(LabelRef(label))
	}
	SUBQ(i, n)
	JZ(LabelRef("done"))
	see(0, s.load(Mem{Base: x, Index: i, Scale: 4}, s.firstLanes(n)))

	Label("done")
	VPMAXUD(greatest[1], greatest[0], greatest[0])
	VPMAXUD(greatest[3], greatest[2], greatest[2])
	VPMAXUD(greatest[2], greatest[0], greatest[0])
	finite := GP8()
	if s.wide {
		k := K()
		VPCMPEQD(exponent, greatest[0], k)
		KORTESTW(k, k)
	} else {
		VPCMPEQD(exponent, greatest[0], greatest[0])
		VPTEST(greatest[0], greatest[0])
	}
	SETEQ(finite)
	Store(finite, ReturnIndex(0))
	end()
}
