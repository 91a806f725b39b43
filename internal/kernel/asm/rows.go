package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows writes the kernels on rows of a matrix.
func rows() {
	sumRows()
	allFinite()
}

// sumRows takes so many columns at a time that their sums stay in registers over all rows. The last columns are taken
// together with some before them, which are summed a second time to the same bits.
func sumRows() {
	TEXT("sumRowsAVX2", 0, "func(sum, x []float32)")
	Pragma("noescape")
	Doc("sumRowsAVX2 is [SumRows] for len(sum) >= 8.")
	sum, x := Load(Param("sum").Base(), GP64()), Load(Param("x").Base(), GP64())
	n, end := Load(Param("sum").Len(), GP64()), Load(Param("x").Len(), GP64())
	LEAQ(Mem{Base: x, Index: end, Scale: 4}, end)
	j, last := GP64(), GP64()
	XORQ(j, j)

	for _, vectors := range []int{8, 4, 1} {
		label := map[int]string{8: "columns64", 4: "columns32", 1: "columns8"}[vectors]
		MOVQ(n, last)
		SUBQ(Imm(uint64(vectors*lanes)), last)
		JMP(LabelRef(label + "Test"))
		Label(label)
		sums := make([]reg.VecVirtual, vectors)
		for i := range sums {
			sums[i] = zero()
		}
		row := GP64()
		LEAQ(Mem{Base: x, Index: j, Scale: 4}, row)
		JMP(LabelRef(label + "RowTest"))
		Label(label + "Row")
		for i, s := range sums {
			VADDPS(Mem{Base: row, Disp: i * lanes * 4}, s, s)
		}
		LEAQ(Mem{Base: row, Index: n, Scale: 4}, row)
		Label(label + "RowTest")
		CMPQ(row, end)
		JCS(LabelRef(label + "Row"))
		for i, s := range sums {
			VMOVUPS(s, Mem{Base: sum, Index: j, Scale: 4, Disp: i * lanes * 4})
		}
		ADDQ(Imm(uint64(vectors*lanes)), j)
		Label(label + "Test")
		CMPQ(j, last)
		JLE(LabelRef(label))
	}

	CMPQ(j, n)
	JGE(LabelRef("done"))
	MOVQ(last, j)
	JMP(LabelRef("columns8"))
	Label("done")
	VZEROUPPER()
	RET()
}

// allFinite keeps the greatest exponent that each lane has seen.
func allFinite() {
	TEXT("allFiniteAVX2", 0, "func(x []float32) bool")
	Pragma("noescape")
	Doc("allFiniteAVX2 is [AllFinite] for len(x) >= 8.")
	x, n := Load(Param("x").Base(), GP64()), Load(Param("x").Len(), GP64())
	exponent := YMM()
	VPCMPEQD(exponent, exponent, exponent)
	VPSRLD(Imm(24), exponent, exponent)
	VPSLLD(Imm(23), exponent, exponent)

	greatest := make([]reg.VecVirtual, 4)
	for i := range greatest {
		greatest[i] = zero()
	}
	i, last := GP64(), GP64()
	XORQ(i, i)
	for _, vectors := range []int{4, 1} {
		label := map[int]string{4: "values32", 1: "values8"}[vectors]
		MOVQ(n, last)
		SUBQ(Imm(uint64(vectors*lanes)), last)
		JMP(LabelRef(label + "Test"))
		Label(label)
		for u := range vectors {
			v := YMM()
			VPAND(Mem{Base: x, Index: i, Scale: 4, Disp: u * lanes * 4}, exponent, v)
			VPMAXUD(v, greatest[u], greatest[u])
		}
		ADDQ(Imm(uint64(vectors*lanes)), i)
		Label(label + "Test")
		CMPQ(i, last)
		JLE(LabelRef(label))
	}
	CMPQ(i, n)
	JGE(LabelRef("done"))
	MOVQ(last, i)
	JMP(LabelRef("values8"))

	Label("done")
	VPMAXUD(greatest[1], greatest[0], greatest[0])
	VPMAXUD(greatest[3], greatest[2], greatest[2])
	VPMAXUD(greatest[2], greatest[0], greatest[0])
	VPCMPEQD(exponent, greatest[0], greatest[0])
	VPTEST(greatest[0], greatest[0])
	finite := GP8()
	SETEQ(finite)
	Store(finite, ReturnIndex(0))
	VZEROUPPER()
	RET()
}
