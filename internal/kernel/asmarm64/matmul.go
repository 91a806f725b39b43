package main

import "fmt"

// A tile has 8 rows and, in the widest strip, 3 vectors of columns: 24 sums, which with the vectors of b's row and 5 values of a
// makes the 32 vector registers. Each step takes 11 loads for 24 multiplications, and 24 sums are more than the 16 that four
// units with a latency of 4 cycles need. 8 rows divide the usual sizes of a batch.
const (
	tileRows    = 8
	tileVectors = 3
)

// matmul writes the strips of the matrix product and the transposition that they need.
func matmul(f *file) {
	for vectors := 1; vectors <= tileVectors; vectors++ {
		writeStrip(f, vectors, false)
		writeStrip(f, vectors, true)
	}
	transpose(f)
}

// The registers of a strip. c, a and start point to the next row; strides are in bytes.
const (
	c, a, b, start        = "R0", "R1", "R2", "R3"
	m, k                  = "R4", "R5"
	aRow, aStep, bStep    = "R6", "R7", "R8"
	cRow, startRow        = "R9", "R10"
	last                  = "R11" // the columns in the last vector
	bNext, aOffset, steps = "R12", "R13", "R14"
	beyond                = "R25" // a pointer to the third value of a vector
)

// rowsOfA point to the rows of a tile. There is none in R16 to R18 and from R26, which belong to the linker, the system
// and Go.
var rowsOfA = [tileRows]string{a, "R15", "R19", "R20", "R21", "R22", "R23", "R24"}

// A strip is the function under construction.
type strip struct {
	*function
	vectors int
	part    bool // whether the last vector has only some columns
}

// writeStrip writes the function for strips of so many vectors, the last of them whole or in part.
func writeStrip(f *file, vectors int, part bool) {
	name, doc := fmt.Sprintf("strip%dNEON", vectors), ""
	parameters := "c, a, b, start *float32, m, k, aRow, aStep, bStep, cRow, startRow int"
	if part {
		name, doc = fmt.Sprintf("strip%dPartNEON", vectors), ", the last with 1 to 3 columns of c, but all of b"
		parameters = "c, a, b, start *float32, m, k, aRow, aStep, bStep, cRow, startRow, last int"
	}
	s := &strip{f.function(name, parameters, fmt.Sprintf("a strip of %d vectors%s. The strides are in values.", vectors, doc)),
		vectors, part}
	for _, p := range [][2]string{{"c", c}, {"a", a}, {"b", b}, {"start", start}, {"m", m}, {"k", k}} {
		s.parameter(p[0], p[1])
	}
	for _, p := range [][2]string{{"aRow", aRow}, {"aStep", aStep}, {"bStep", bStep}, {"cRow", cRow}, {"startRow", startRow}} {
		s.stride(p[0], p[1])
	}
	if part {
		s.parameter("last", last)
	}

	s.op("B", "test")
	s.label("tile")
	s.tile(tileRows)
	s.op("SUB", fmt.Sprint("$", tileRows), m)
	s.label("test")
	s.op("CMP", fmt.Sprint("$", tileRows), m)
	s.op("BGE", "tile")

	for bit := 2; bit >= 0; bit-- { // the rows that are left, by 4, 2 and 1
		skip := fmt.Sprint("without", 1<<bit)
		s.op("TBZ", fmt.Sprint("$", bit), m, skip)
		s.tile(1 << bit)
		s.label(skip)
	}
	s.end()
}

// tile writes a tile of so many rows, whose sums stay in registers while k is run through, and takes the pointers to the row
// after it.
func (s *strip) tile(rows int) {
	sum := func(i, j int) vector { return vector(i*s.vectors + j) }
	rowOfB := func(j int) vector { return vector(tileRows*tileVectors + j) }
	const firstValue = tileRows*tileVectors + tileVectors
	value := func(i int) vector { return vector(firstValue + i%(32-firstValue)) }

	for i := range rows {
		for j := range s.vectors {
			s.load(start, j, sum(i, j))
		}
		s.op("ADD", startRow, start)
	}
	for i := 1; i < rows; i++ {
		s.op("ADD", aRow, rowsOfA[i-1], rowsOfA[i])
	}
	s.op("MOVD", "$0", aOffset)
	s.op("MOVD", b, bNext)
	s.op("MOVD", k, steps)

	step := fmt.Sprint("step", rows)
	s.label(step)
	for j := range s.vectors {
		s.op("FMOVQ", at(bNext, j*lanes*4), rowOfB(j))
	}
	s.op("ADD", bStep, bNext)
	loadValue := func(i int) {
		if i < rows {
			s.op("FMOVS", fmt.Sprintf("(%s)(%s)", rowsOfA[i], aOffset), value(i))
		}
	}
	// Each value is loaded as early as there is a register for it: not every processor looks ahead for loads.
	const ahead = 32 - firstValue
	for i := range ahead {
		loadValue(i)
	}
	for i := range rows {
		for j := range s.vectors {
			s.fmla(sum(i, j), rowOfB(j), value(i))
		}
		loadValue(i + ahead)
	}
	s.op("ADD", aStep, aOffset)
	s.op("SUB", "$1", steps)
	s.op("CBNZ", steps, step)

	for i := range rows {
		for j := range s.vectors {
			s.store(sum(i, j), j)
		}
		s.op("ADD", cRow, c)
	}
	s.op("ADD", aRow, rowsOfA[rows-1], a)
}

// load loads the vector j of the row that begins at the register.
func (s *strip) load(row string, j int, v vector) {
	if !s.part || j < s.vectors-1 {
		s.op("FMOVQ", at(row, j*lanes*4), v)
		return
	}
	s.inPart(row, j, func(move, from string) { s.op(move, from, v) }, func(from string) { s.op("VLD1", from, v.lane(2)) })
}

// store stores the vector j of c's row.
func (s *strip) store(v vector, j int) {
	if !s.part || j < s.vectors-1 {
		s.op("FMOVQ", v, at(c, j*lanes*4))
		return
	}
	s.inPart(c, j, func(move, to string) { s.op(move, v, to) }, func(to string) { s.op("VST1", v.lane(2), to) })
}

// inPart writes the moves of the first 1 to 3 values of the vector j of a row: of one or two at its beginning, or of two
// and then a third. A load of one or two clears the others.
func (s *strip) inPart(row string, j int, begin func(move, place string), third func(place string)) {
	one, done := s.newLabel("one"), s.newLabel("done")
	s.op("TBZ", "$1", last, one)
	begin("FMOVD", at(row, j*lanes*4))
	s.op("TBZ", "$0", last, done)
	s.op("ADD", fmt.Sprint("$", j*lanes*4+8), row, beyond)
	third(at(beyond, 0))
	s.op("B", done)
	s.label(one)
	begin("FMOVS", at(row, j*lanes*4))
	s.label(done)
}

// transpose writes the transposition of squares of 4 by 4 values.
func transpose(f *file) {
	t := f.function("transpose4NEON", "dst, src *float32, dstRow, srcRow, squares int",
		"the transposition of so many squares of 4x4 values, which lie beside each other in src and\n"+
			"// below each other in dst. The strides are in values.")
	const dst, src, dstRow, srcRow, squares, from = "R0", "R1", "R2", "R3", "R4", "R5"
	t.parameter("dst", dst)
	t.parameter("src", src)
	t.stride("dstRow", dstRow)
	t.stride("srcRow", srcRow)
	t.parameter("squares", squares)

	t.label("square")
	t.op("MOVD", src, from)
	for i := range vector(4) {
		t.op("FMOVQ", at(from, 0), i)
		t.op("ADD", srcRow, from)
	}
	// Squares of 2 by 2, first of values and then of pairs of them: 4 and 5 are the even and the odd columns of the rows 0
	// and 1, 6 and 7 those of the rows 2 and 3.
	for i := vector(0); i < 4; i += 2 {
		t.op("VTRN1", (i + 1).lanes(), i.lanes(), (i + 4).lanes())
		t.op("VTRN2", (i + 1).lanes(), i.lanes(), (i + 5).lanes())
	}
	for i := range vector(2) {
		t.op("VTRN1", (i + 6).halves(), (i + 4).halves(), i.halves())
		t.op("VTRN2", (i + 6).halves(), (i + 4).halves(), (i + 2).halves())
	}
	for i := range vector(4) {
		t.op("FMOVQ", i, at(dst, 0))
		t.op("ADD", dstRow, dst)
	}
	t.op("ADD", "$16", src)
	t.op("SUB", "$1", squares)
	t.op("CBNZ", squares, "square")
	t.end()
}
