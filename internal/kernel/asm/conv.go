package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// gatherKinds are the strips of the gathered products. Each row of a tile has a pointer of its own, so there are at most as many rows as
// general registers.
var gatherKinds = []stripKind{
	{columns: 16, isa: "AVX2", rows: 6, register: YMM, lanes: 8},
	{columns: 8, isa: "AVX2", rows: 10, register: YMM, lanes: 8},
	{columns: 32, isa: "AVX512", rows: 12, register: ZMM, lanes: 16},
	{columns: 16, isa: "AVX512", rows: 12, register: ZMM, lanes: 16},
	{columns: 8, isa: "AVX512", rows: 12, register: YMM, lanes: 8},
}

// conv writes the tiles of the gathered products.
func conv() {
	for _, kind := range gatherKinds {
		kind.writeGather()
	}
}

// writeGather writes the function for some tiles of one height.
func (s stripKind) writeGather() {
	name := fmt.Sprintf("gather%d%s", s.columns, s.isa)
	TEXT(name, 0, "func(c, a, b, start *float32, places *int, rows, tiles int, segments *int, count, steps, step, bStep, startMask, add, last int)")
	Pragma("noescape")
	doc := []string{
		fmt.Sprintf("%s is so many tiles, each of 1 to %d rows and up to %d columns, of which the last vector has so many of its %d.",
			name, s.rows, s.columns, s.lanes),
		"places has two values for each row: where it begins in a, and where in c. From its begin in a, a row's terms begin at each of",
		"the segments, and are step apart. The rows start from start, or, if startMask is -1, as far from there as from c. If add is not",
		"0, the sums are added to c. places and segments are in values, step and bStep in bytes; tiles, count and steps are above 0.",
	}
	if s.isa == "AVX2" {
		doc = append(doc, "The rows of b are read whole.")
	}
	Doc(doc...)
	segment, left := AllocLocal(8), AllocLocal(8)

	var mask *mask
	if s.isa == "AVX512" {
		mask = s.mask()
	}
	rows := parameter("rows")
	for i := s.rows; i > 1; i-- {
		CMPQ(rows, Imm(uint64(i)))
		JEQ(LabelRef(fmt.Sprintf("rows%d", i)))
	}
	for i := 1; i <= s.rows; i++ {
		Label(fmt.Sprintf("rows%d", i))
		s.gatherTile(i, mask, segment, left)
		ADDQ(Imm(uint64(i*placeBytes)), address(Param("places")))
		DECQ(address(Param("tiles")))
		JNZ(LabelRef(fmt.Sprintf("rows%d", i)))
		if i < s.rows {
			JMP(LabelRef("done"))
		}
	}
	Label("done")
	VZEROUPPER()
	RET()
}

const placeBytes = 16 // of a row's place in a and in c

// gatherTile writes a tile, whose sums stay in registers while the terms are run through.
func (s stripKind) gatherTile(rows int, mask *mask, segment, left Mem) {
	if s.isa == "AVX2" { // there is a register for it only before the steps and after them
		mask = s.mask()
	}
	sums := make([][]reg.VecVirtual, rows)
	places, start, startMask := parameter("places"), parameter("start"), parameter("startMask")
	for i := range sums {
		from := GP64()
		MOVQ(Mem{Base: places, Disp: i*placeBytes + 8}, from)
		ANDQ(startMask, from)
		LEAQ(Mem{Base: start, Index: from, Scale: 4}, from)
		sums[i] = s.load(from, mask)
	}
	if s.isa == "AVX2" {
		mask = nil
	}

	// c is asked for now, so that it is there when the sums are added to it.
	CMPQ(address(Param("add")), Imm(0))
	JEQ(LabelRef(fmt.Sprintf("asked%d", rows)))
	s.eachRowOfC(rows, func(_ int, c reg.Register) {
		for line := 0; line < s.columns*4; line += lineBytes {
			PREFETCHT0(Mem{Base: c, Disp: line})
		}
		PREFETCHT0(Mem{Base: c, Disp: s.columns*4 - 4}) // in one line more, unless the row begins with a line
	})

	Label(fmt.Sprintf("asked%d", rows))
	places = parameter("places")
	a, offset := parameter("a"), GP64()
	at := make([]Mem, rows)
	for i := range at {
		row := GP64()
		MOVQ(Mem{Base: places, Disp: i * placeBytes}, row)
		LEAQ(Mem{Base: a, Index: row, Scale: 4}, row)
		at[i] = Mem{Base: row, Index: offset, Scale: 1}
	}
	// With many rows there is no register for the strides.
	stride := func(name string) Op { return address(Param(name)) }
	if rows <= 8 {
		stride = func(name string) Op { return parameter(name) }
	}
	step, bStep, b, steps := stride("step"), stride("bStep"), parameter("b"), GP64()
	label := func(name string) string { return fmt.Sprintf("%s%d", name, rows) }
	MOVQ(parameter("segments"), offset)
	MOVQ(offset, segment)
	MOVQ(parameter("count"), steps)
	MOVQ(steps, left)

	Label(label("segment"))
	MOVQ(segment, offset)
	ADDQ(Imm(8), segment)
	MOVQ(Mem{Base: offset}, offset)
	SHLQ(Imm(2), offset)
	Load(Param("steps"), steps)
	Label(label("step"))
	row := s.load(b, mask)
	for line := 0; line < s.columns*4; line += lineBytes {
		PREFETCHT0(Mem{Base: b, Disp: fetchSteps*s.columns*4 + line})
	}
	ADDQ(bStep, b)
	s.addProducts(sums, at, row)
	ADDQ(step, offset)
	DECQ(steps)
	JNZ(LabelRef(label("step")))
	DECQ(left)
	JNZ(LabelRef(label("segment")))

	if s.isa == "AVX2" {
		mask = s.mask()
	}
	CMPQ(address(Param("add")), Imm(0))
	JEQ(LabelRef(label("added")))
	s.eachRowOfC(rows, func(i int, c reg.Register) {
		for j, v := range s.load(c, mask) {
			VADDPS(v, sums[i][j], sums[i][j])
		}
	})
	Label(label("added"))
	if s.isa == "AVX2" { // whose stores under a mask are slow
		CMPQ(parameter("last"), Imm(uint64(s.lanes)))
		JEQ(LabelRef(label("whole")))
		s.scatter(sums, mask)
		JMP(LabelRef(label("stored")))
		Label(label("whole"))
		s.scatter(sums, nil)
		Label(label("stored"))
	} else {
		s.scatter(sums, mask)
	}
}

// eachRowOfC writes some code for each row, which begins at the address in the register.
func (s stripKind) eachRowOfC(rows int, write func(i int, c reg.Register)) {
	places, c := parameter("places"), parameter("c")
	for i := range rows {
		row := GP64()
		MOVQ(Mem{Base: places, Disp: i*placeBytes + 8}, row)
		LEAQ(Mem{Base: c, Index: row, Scale: 4}, row)
		write(i, row)
	}
}

// scatter stores the rows of c.
func (s stripKind) scatter(sums [][]reg.VecVirtual, mask *mask) {
	s.eachRowOfC(len(sums), func(i int, c reg.Register) { s.storeRow(sums[i], c, mask) })
}
