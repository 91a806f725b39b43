package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tileRows is the number of rows of a tile. With the three vectors of the widest strip, a tile has 12 sums; with the vectors
// of b's row and one value of a that makes the 16 vector registers. Each step takes 7 loads for 12 multiplications, and 12
// sums are more than the 8 to 10 that two units with a latency of 4 to 5 cycles need.
const tileRows = 4

// matmul writes the strips of the matrix product and the transposition that they need.
func matmul() {
	for vectors := 1; vectors <= 3; vectors++ {
		strip(vectors, false)
		strip(vectors, true)
	}
	transpose()
}

// strip writes the function for strips of so many vectors, the last of them under a mask or not.
func strip(vectors int, masked bool) {
	name, last := fmt.Sprintf("strip%dAVX2", vectors), ""
	parameters := "c, a, b, start *float32, m, k, aRow, aStep, bStep, cRow, startRow int"
	if masked {
		name, last = fmt.Sprintf("strip%dMaskedAVX2", vectors), ", the last under the mask"
		parameters += ", mask *uint32"
	}
	TEXT(name, 0, "func("+parameters+")")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is a strip of %d vectors%s. The strides are in values.", name, vectors, last))

	t := &tile{vectors: vectors, m: parameter("m")}
	t.c, t.a, t.start = parameter("c"), parameter("a"), parameter("start")
	t.aRow, t.aStep, t.bStep = stride("aRow"), stride("aStep"), stride("bStep")
	if masked {
		t.mask = parameter("mask")
	}

	JMP(LabelRef("test"))
	Label("tile")
	t.write(tileRows)
	SUBQ(Imm(tileRows), t.m)
	Label("test")
	CMPQ(t.m, Imm(tileRows))
	JGE(LabelRef("tile"))

	for rows := tileRows - 1; rows > 0; rows-- {
		CMPQ(t.m, Imm(uint64(rows)))
		JEQ(LabelRef(fmt.Sprintf("rows%d", rows)))
	}
	JMP(LabelRef("done"))
	for rows := tileRows - 1; rows > 0; rows-- {
		Label(fmt.Sprintf("rows%d", rows))
		t.write(rows)
		if rows > 1 {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// A tile is some rows of a strip, whose sums stay in registers while k is run through.
type tile struct {
	vectors            int
	m                  reg.Register // rows left
	c, a, start        reg.Register // the next row
	aRow, aStep, bStep reg.Register
	mask               reg.Register // of the last vector, nil if it is whole
}

// write writes the tile, and takes the pointers to the row after it.
func (t *tile) write(rows int) {
	sums := make([][]reg.VecVirtual, rows)
	startRow := stride("startRow")
	for i := range sums {
		sums[i] = t.load(t.start, nil)
		ADDQ(startRow, t.start)
	}

	a, a3, b, k := GP64(), GP64(), parameter("b"), parameter("k")
	MOVQ(t.a, a)
	if rows > 3 {
		LEAQ(Mem{Base: a, Index: t.aRow, Scale: 2}, a3)
		ADDQ(t.aRow, a3)
	}
	at := []Mem{{Base: a}, {Base: a, Index: t.aRow, Scale: 1}, {Base: a, Index: t.aRow, Scale: 2}, {Base: a3}}

	step, test := fmt.Sprintf("step%d", rows), fmt.Sprintf("stepTest%d", rows)
	TESTQ(k, k)
	JZ(LabelRef(test))
	row := make([]reg.VecVirtual, t.vectors)
	for j := range row {
		row[j] = YMM()
	}
	Label(step)
	t.load(b, row)
	ADDQ(t.bStep, b)
	value := YMM()
	for i := range rows {
		VBROADCASTSS(at[i], value)
		for j := range t.vectors {
			VFMADD231PS(row[j], value, sums[i][j])
		}
	}
	ADDQ(t.aStep, a)
	if rows > 3 {
		ADDQ(t.aStep, a3)
	}
	DECQ(k)
	JNZ(LabelRef(step))
	Label(test)

	cRow := stride("cRow")
	for i := range rows {
		t.store(sums[i])
		ADDQ(cRow, t.c)
		ADDQ(t.aRow, t.a)
	}
}

// load loads the vectors of a row, into new registers if none are given. The mask passes through the last one's register,
// because there is none left for it.
func (t *tile) load(from reg.Register, row []reg.VecVirtual) []reg.VecVirtual {
	for j := range t.vectors {
		if len(row) == j {
			row = append(row, YMM())
		}
		at := Mem{Base: from, Disp: j * lanes * 4}
		if t.mask != nil && j == t.vectors-1 {
			VMOVUPS(Mem{Base: t.mask}, row[j])
			VMASKMOVPS(at, row[j], row[j])
		} else {
			VMOVUPS(at, row[j])
		}
	}
	return row
}

func (t *tile) store(row []reg.VecVirtual) {
	for j, v := range row {
		at := Mem{Base: t.c, Disp: j * lanes * 4}
		if t.mask != nil && j == t.vectors-1 {
			mask := YMM()
			VMOVUPS(Mem{Base: t.mask}, mask)
			VMASKMOVPS(v, mask, at)
		} else {
			VMOVUPS(v, at)
		}
	}
}

// transpose writes the transposition of squares of 8 by 8 values.
func transpose() {
	TEXT("transpose8AVX2", 0, "func(dst, src *float32, dstRow, srcRow, squares int)")
	Pragma("noescape")
	Doc("transpose8AVX2 transposes so many squares of 8x8 values, which lie beside each other in src and below each other in",
		"dst. The strides are in values.")
	dst, src, squares := parameter("dst"), parameter("src"), parameter("squares")
	dstRow, srcRow := stride("dstRow"), stride("srcRow")

	JMP(LabelRef("test"))
	Label("square")
	from := GP64()
	MOVQ(src, from)
	rows := make([]reg.VecVirtual, 8)
	for i := range rows {
		rows[i] = YMM()
		VMOVUPS(Mem{Base: from}, rows[i])
		ADDQ(srcRow, from)
	}
	// Pairs of rows, then fours, then the halves of the registers.
	pairs := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 2 {
		pairs[i], pairs[i+1] = YMM(), YMM()
		VUNPCKLPS(rows[i+1], rows[i], pairs[i])
		VUNPCKHPS(rows[i+1], rows[i], pairs[i+1])
	}
	fours := make([]reg.VecVirtual, 8)
	for i := 0; i < 8; i += 4 {
		for u := range 2 {
			fours[i+2*u], fours[i+2*u+1] = YMM(), YMM()
			VUNPCKLPD(pairs[i+2+u], pairs[i+u], fours[i+2*u])
			VUNPCKHPD(pairs[i+2+u], pairs[i+u], fours[i+2*u+1])
		}
	}
	for half := range 2 {
		for i := range 4 {
			column := YMM()
			VPERM2F128(Imm(uint64(0x20+0x11*half)), fours[4+i], fours[i], column)
			VMOVUPS(column, Mem{Base: dst})
			ADDQ(dstRow, dst)
		}
	}
	ADDQ(Imm(8*4), src)
	DECQ(squares)
	Label("test")
	CMPQ(squares, Imm(0))
	JG(LabelRef("square"))
	VZEROUPPER()
	RET()
}

func parameter(name string) reg.Register { return Load(Param(name), GP64()) }

// stride loads a stride in values and makes it one in bytes.
func stride(name string) reg.Register {
	bytes := parameter(name)
	SHLQ(Imm(2), bytes)
	return bytes
}
