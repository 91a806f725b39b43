package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stripKinds are the strips of the matrix product. The registers hold a tile's sums, the vectors of b's row and one value of
// a. The processors have two units for multiply-adds with a latency of 4 to 5 cycles, which 8 to 10 sums keep busy, or one for
// vectors of 64 bytes, and load two vectors in the time of two multiplications: the widest tile of AVX2 takes 7 loads for 12
// multiplications, that of AVX-512 13 for 22. A strip of a few columns has taller tiles, so as to have no fewer sums.
//
// AVX-512 has registers for 13 rows of 32 columns. They are no faster than 11, which share out 32 rows as well, and slower by a
// tenth where the rows of a lie a multiple of 4096 bytes apart, and so in one set of a cache of 8 ways.
var stripKinds = []stripKind{
	{columns: 24, isa: "AVX2", rows: 4, register: YMM, lanes: 8},
	{columns: 16, isa: "AVX2", rows: 6, register: YMM, lanes: 8},
	{columns: 8, isa: "AVX2", rows: 12, register: YMM, lanes: 8},
	{columns: 32, isa: "AVX512", rows: 11, register: ZMM, lanes: 16},
	{columns: 16, isa: "AVX512", rows: 11, register: ZMM, lanes: 16},
	{columns: 8, isa: "AVX512", rows: 11, register: YMM, lanes: 8},
}

// A stripKind is the columns of c in some vectors beside each other, of which the last may be under a mask.
type stripKind struct {
	columns  int
	isa      string
	rows     int // of the tallest tile
	register func() reg.VecVirtual
	lanes    int // of a vector
}

// matmul writes the strips of the matrix product, and the copies and the transposition of b that they need.
func matmul() {
	for _, kind := range stripKinds {
		kind.write()
		kind.writePack()
	}
	transpose()
}

// write writes the function for the strip: tiles of one height each below the other.
func (s stripKind) write() {
	name := fmt.Sprintf("strip%d%s", s.columns, s.isa)
	TEXT(name, 0, "func(c, a, b, start *float32, rows, tiles, k, aRow, aStep, bStep, cRow, startRow, last int)")
	Pragma("noescape")
	doc := []string{
		fmt.Sprintf("%s is so many tiles below each other, each of 1 to %d rows, in a strip of up to %d columns, of which", name, s.rows, s.columns),
		fmt.Sprintf("the last vector has so many of its %d. The strides are in values; tiles and k are above 0.", s.lanes),
	}
	if s.isa == "AVX2" {
		doc = append(doc, "The rows of b are read whole.")
	}
	Doc(doc...)

	t := &tile{stripKind: s, left: parameter("tiles")}
	t.c, t.a, t.start = parameter("c"), parameter("a"), parameter("start")
	t.aRow, t.aStep, t.bStep = stride("aRow"), stride("aStep"), stride("bStep")

	rows := parameter("rows")
	for i := s.rows; i > 1; i-- {
		CMPQ(rows, Imm(uint64(i)))
		JEQ(LabelRef(fmt.Sprintf("rows%d", i)))
	}
	for i := 1; i <= s.rows; i++ {
		Label(fmt.Sprintf("rows%d", i))
		t.write(i)
		DECQ(t.left)
		JNZ(LabelRef(fmt.Sprintf("rows%d", i)))
		if i < s.rows {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

// writePack writes the function that copies a strip of b to a panel.
func (s stripKind) writePack() {
	name := fmt.Sprintf("pack%d%s", s.columns, s.isa)
	TEXT(name, 0, "func(panel, b *float32, steps, bStep, last int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s copies so many rows of up to %d columns to rows of %d, with zeros after them. steps is above 0.", name, s.columns, s.columns))
	panel, b, steps, bStep := parameter("panel"), parameter("b"), parameter("steps"), stride("bStep")
	mask := s.mask()
	Label("row")
	for j, v := range s.load(b, mask) {
		VMOVUPS(v, Mem{Base: panel, Disp: j * s.lanes * 4})
	}
	ADDQ(bStep, b)
	ADDQ(I32(s.columns*4), panel)
	DECQ(steps)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// load loads the vectors of a row, the last of them under the mask if there is one.
func (s stripKind) load(from reg.Register, mask *mask) []reg.VecVirtual {
	row := make([]reg.VecVirtual, s.columns/s.lanes)
	for j := range row {
		row[j] = s.register()
		at := Mem{Base: from, Disp: j * s.lanes * 4}
		if j == len(row)-1 {
			mask.load(at, row[j])
		} else {
			VMOVUPS(at, row[j])
		}
	}
	return row
}

// mask loads the mask of the last vector.
func (s stripKind) mask() *mask {
	last := GP64()
	Load(Param("last"), last)
	return set{wide: s.isa == "AVX512"}.firstLanes(last)
}

// A tile is some rows of a strip, whose sums stay in registers while k is run through.
type tile struct {
	stripKind
	left               reg.Register // tiles left
	c, a, start        reg.Register // the next row
	aRow, aStep, bStep reg.Register
}

// write writes the tile, and takes the pointers to the row after it.
func (t *tile) write(rows int) {
	mask := t.mask()
	sums := make([][]reg.VecVirtual, rows)
	startRow := stride("startRow")
	for i := range sums {
		sums[i] = t.load(t.start, mask)
		ADDQ(startRow, t.start)
	}

	b, k := parameter("b"), parameter("k")
	at, bases := t.rowsOfA(rows)
	step := fmt.Sprintf("step%d", rows)
	Label(step)
	if t.isa == "AVX2" {
		mask = nil // there is no register for it
	}
	row := t.load(b, mask)
	ADDQ(t.bStep, b)
	value := t.register()
	for i := range rows {
		// AVX-512 multiplies by a value of a in memory. That is faster than to load it first where one unit multiplies, but
		// it loads the value once for each vector: with two of them, that is done for every other row, which leaves a second
		// unit its loads too.
		embedded := t.isa == "AVX512" && (len(row) == 1 || i%2 == 0)
		if !embedded {
			VBROADCASTSS(at[i], value)
		}
		for j := range row {
			if embedded {
				VFMADD231PS_BCST(at[i], row[j], sums[i][j])
			} else {
				VFMADD231PS(value, row[j], sums[i][j])
			}
		}
	}
	for _, base := range bases {
		ADDQ(t.aStep, base)
	}
	DECQ(k)
	JNZ(LabelRef(step))

	cRow, whole, stored := stride("cRow"), fmt.Sprintf("whole%d", rows), fmt.Sprintf("stored%d", rows)
	if t.isa == "AVX2" { // whose stores under a mask are slow
		CMPQ(parameter("last"), Imm(uint64(t.lanes)))
		JEQ(LabelRef(whole))
	}
	t.store(sums, t.mask(), cRow)
	if t.isa == "AVX2" {
		JMP(LabelRef(stored))
		Label(whole)
		t.store(sums, nil, cRow)
		Label(stored)
	}
	down := GP64()
	IMUL3Q(Imm(uint64(rows)), t.aRow, down)
	ADDQ(down, t.a)
}

// store stores the rows of c.
func (t *tile) store(sums [][]reg.VecVirtual, mask *mask, cRow reg.Register) {
	for _, row := range sums {
		for j, v := range row {
			at := Mem{Base: t.c, Disp: j * t.lanes * 4}
			if j == len(row)-1 {
				mask.store(v, at)
			} else {
				VMOVUPS(v, at)
			}
		}
		ADDQ(cRow, t.c)
	}
}

// rowsOfA is where the rows of a tile are, and the registers to move on from step to step: every seventh row has one, and the
// six after it lie some multiple of 1, 3 or 5 strides from it.
func (t *tile) rowsOfA(rows int) (at []Mem, bases []reg.Register) {
	const group = 7
	var row3, row5 reg.Register
	if rows > 3 {
		row3 = GP64()
		LEAQ(Mem{Base: t.aRow, Index: t.aRow, Scale: 2}, row3)
	}
	if rows > 5 {
		row5 = GP64()
		LEAQ(Mem{Base: t.aRow, Index: t.aRow, Scale: 4}, row5)
	}
	for i := range rows {
		if i%group == 0 {
			base := GP64()
			if i == 0 {
				MOVQ(t.a, base)
			} else {
				IMUL3Q(Imm(uint64(i)), t.aRow, base)
				ADDQ(t.a, base)
			}
			bases = append(bases, base)
		}
		base := bases[i/group]
		at = append(at, [group]Mem{
			{Base: base},
			{Base: base, Index: t.aRow, Scale: 1},
			{Base: base, Index: t.aRow, Scale: 2},
			{Base: base, Index: row3, Scale: 1},
			{Base: base, Index: t.aRow, Scale: 4},
			{Base: base, Index: row5, Scale: 1},
			{Base: base, Index: row3, Scale: 2},
		}[i%group])
	}
	return at, bases
}

// transpose writes the transposition of columns of b, each of which lies in one piece.
func transpose() {
	TEXT("transposeAVX2", 0, "func(panel, b *float32, steps, bColumn, columns, panelRow int)")
	Pragma("noescape")
	Doc("transposeAVX2 copies so many columns of so many values to the rows of a panel, in squares of 8 by 8, the last of which",
		"overlaps the one before if need be. For the columns that it lacks it copies the last one again. The strides are in values;",
		"steps is 8 or more, columns above 0.")
	const side = 8
	panel, columns, panelRow := parameter("panel"), parameter("columns"), stride("panelRow")
	from := [side]reg.Register{parameter("b")}
	for i := 1; i < side; i++ {
		from[i] = GP64()
	}

	Label("columns")
	bColumn, next := stride("bColumn"), GP64()
	for i := 1; i < side; i++ {
		LEAQ(Mem{Base: from[i-1], Index: bColumn, Scale: 1}, next)
		MOVQ(from[i-1], from[i])
		CMPQ(columns, Imm(uint64(i)))
		CMOVQGT(next, from[i])
	}

	step := GP64()
	XORQ(step, step)
	Label("square")
	to := GP64()
	MOVQ(step, to)
	IMULQ(panelRow, to)
	ADDQ(panel, to)
	// A register holds four values of columns 0 to 3, and beside each of them its counterpart of columns 4 to 7.
	for half := range 2 {
		var values, pairs [side / 2]reg.VecVirtual
		for i := range values {
			values[i] = YMM()
			VMOVUPS(Mem{Base: from[i], Index: step, Scale: 4, Disp: 16 * half}, values[i].AsX())
			VINSERTF128(Imm(1), Mem{Base: from[i+4], Index: step, Scale: 4, Disp: 16 * half}, values[i], values[i])
		}
		for i := range 2 {
			pairs[i], pairs[2+i] = YMM(), YMM()
			VUNPCKLPS(values[2*i+1], values[2*i], pairs[i])
			VUNPCKHPS(values[2*i+1], values[2*i], pairs[2+i])
		}
		for i := 0; i < 4; i += 2 {
			even, odd := YMM(), YMM()
			VUNPCKLPD(pairs[i+1], pairs[i], even)
			VUNPCKHPD(pairs[i+1], pairs[i], odd)
			for _, row := range []reg.VecVirtual{even, odd} {
				VMOVUPS(row, Mem{Base: to})
				ADDQ(panelRow, to)
			}
		}
	}
	last := parameter("steps")
	SUBQ(Imm(side), last)
	CMPQ(step, last)
	JEQ(LabelRef("squared"))
	ADDQ(Imm(side), step)
	CMPQ(step, last)
	CMOVQGT(last, step)
	JMP(LabelRef("square"))

	Label("squared")
	ADDQ(Imm(side*4), panel)
	MOVQ(from[side-1], from[0])
	ADDQ(stride("bColumn"), from[0])
	SUBQ(Imm(side), columns)
	JG(LabelRef("columns"))
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
