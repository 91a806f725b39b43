package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// stripKinds are the strips of the matrix product. The registers hold a tile's sums, the vectors of b's row and one value of
// a. The processors have two units for multiply-adds with a latency of 4 to 5 cycles, which 8 to 10 sums keep busy, or one for
// vectors of 64 bytes, and load two vectors in the time of two multiplications: a tile of 24 columns takes 7 loads for 12
// multiplications, one of 16 takes 8 for 12, one of 32 takes 16 for 28. With all they read in the first cache, these three are
// as fast as a loop of multiply-adds alone. A strip of a few columns has taller tiles, so as to have no fewer sums.
var stripKinds = []stripKind{
	{columns: 24, isa: "AVX2", rows: 4, register: YMM, lanes: 8},
	{columns: 16, isa: "AVX2", rows: 6, register: YMM, lanes: 8, fetch: true},
	{columns: 8, isa: "AVX2", rows: 12, register: YMM, lanes: 8},
	{columns: 32, isa: "AVX512", rows: 14, register: ZMM, lanes: 16, fetch: true},
	{columns: 16, isa: "AVX512", rows: 14, register: ZMM, lanes: 16},
	{columns: 8, isa: "AVX512", rows: 14, register: YMM, lanes: 8},
}

// A stripKind is the columns of c in some vectors beside each other, of which the last may be under a mask.
type stripKind struct {
	columns  int
	isa      string
	rows     int // of the tallest tile
	register func() reg.VecVirtual
	lanes    int  // of a vector
	fetch    bool // asks for memory ahead
}

// matmul writes the tiles of the matrix product, and the copies and the transposition that they need.
func matmul() {
	for _, kind := range stripKinds {
		kind.write()
		kind.writePack()
	}
	transpose()
}

// write writes the function for some tiles of one height, wherever the next one lies.
func (s stripKind) write() {
	name := fmt.Sprintf("tiles%d%s", s.columns, s.isa)
	TEXT(name, 0, "func(c, a, b, start *float32, rows, tiles, k, aRow, aStep, aTile, bStep, bTile, cRow, cTile, startRow, startTile, last int)")
	Pragma("noescape")
	doc := []string{
		fmt.Sprintf("%s is so many tiles, each of 1 to %d rows and up to %d columns, of which the last vector has so many", name, s.rows, s.columns),
		fmt.Sprintf("of its %d. From one tile to the next it is cTile, aTile, bTile and startTile. The strides are in bytes; tiles and", s.lanes),
		"k are above 0.",
	}
	if s.isa == "AVX2" {
		doc = append(doc, "The rows of b are read whole.")
	}
	Doc(doc...)

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
		s.tile(i, mask)
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

// writePack writes the function that copies a strip of b, or steps of a, to a panel.
func (s stripKind) writePack() {
	name := fmt.Sprintf("pack%d%s", s.columns, s.isa)
	TEXT(name, 0, "func(panel, b *float32, steps, bStep, panelRow, last int)")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s copies so many rows of up to %d columns to rows of %d, with zeros after them. steps is above 0.", name, s.columns, s.columns))
	panel, b, steps, bStep, panelRow := parameter("panel"), parameter("b"), parameter("steps"), stride("bStep"), stride("panelRow")
	mask := s.mask()
	Label("row")
	for line := 0; line < s.columns*4; line += lineBytes {
		PREFETCHT1(Mem{Base: b, Disp: s.columns*4 + line})
	}
	for j, v := range s.load(b, mask) {
		VMOVUPS(v, Mem{Base: panel, Disp: j * s.lanes * 4})
	}
	ADDQ(bStep, b)
	ADDQ(panelRow, panel)
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

// tile writes a tile, whose sums stay in registers while k is run through, and takes the pointers to the next one. The pointers are
// kept in the parameters, since the loop needs the registers.
func (s stripKind) tile(rows int, mask *mask) {
	if s.isa == "AVX2" { // there is a register for it only before the steps and after them
		mask = s.mask()
	}
	sums := make([][]reg.VecVirtual, rows)
	start, startRow := parameter("start"), parameter("startRow")
	for i := range sums {
		sums[i] = s.load(start, mask)
		ADDQ(startRow, start)
	}

	aStep, bStep := parameter("aStep"), parameter("bStep")
	b, k := parameter("b"), parameter("k")
	at, bases := s.rowsOfA(rows)
	label := func(name string) string { return fmt.Sprintf("%s%d", name, rows) }
	left := k
	if s.fetch {
		left = s.fetchRow(k, label("fetch"))
	}
	Label(label("step"))
	if s.isa == "AVX2" {
		mask = nil
	}
	row := s.load(b, mask)
	if s.fetch {
		for line := 0; line < s.columns*4; line += lineBytes {
			PREFETCHT0(Mem{Base: b, Index: bStep, Scale: fetchSteps, Disp: line})
		}
	}
	ADDQ(bStep, b)
	s.addProducts(sums, at, row)
	for _, base := range bases {
		ADDQ(aStep, base)
	}
	DECQ(left)
	JNZ(LabelRef(label("step")))
	if s.fetch {
		SUBQ(Imm(fetchSteps), k)
		JG(LabelRef(label("fetch")))
	}

	if s.isa == "AVX2" { // whose stores under a mask are slow
		CMPQ(parameter("last"), Imm(uint64(s.lanes)))
		JEQ(LabelRef(label("whole")))
		s.store(sums, s.mask())
		JMP(LabelRef(label("stored")))
		Label(label("whole"))
		s.store(sums, nil)
		Label(label("stored"))
	} else {
		s.store(sums, mask)
	}
	for _, pointer := range []string{"c", "a", "b", "start"} {
		ADDQ(parameter(pointer+"Tile"), address(Param(pointer)))
	}
}

// addProducts adds to each row of sums the product of the row's value of a, which lies at its address, and the row of b.
func (s stripKind) addProducts(sums [][]reg.VecVirtual, at []Mem, row []reg.VecVirtual) {
	// AVX-512 can multiply by a value in memory, but loads it anew for each vector of the row.
	embedded := s.isa == "AVX512" && len(row) == 1
	value := s.register()
	for i := range sums {
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
}

// fetchSteps is how many steps ahead the rows of b are asked for, and after how many steps a row of the next tile of c.
const fetchSteps = 8

// fetchRow asks for the first row of the next tile of c and, each time that the label is jumped to, for the row below. A step may
// jump to it after as many steps as are left. The rows are not asked for all at once, because the loads of a and b would wait for
// them. They may be more than the tile's: what is at an address does not matter, whether there is memory or not.
func (s stripKind) fetchRow(k reg.GPVirtual, label string) (left reg.GPVirtual) {
	next := parameter("cTile")
	ADDQ(address(Param("c")), next)
	Label(label)
	left = parameter("cRow")
	for line := 0; line < s.columns*4; line += lineBytes {
		PREFETCHT0(Mem{Base: next, Disp: line})
	}
	PREFETCHT0(Mem{Base: next, Disp: s.columns*4 - 4}) // in one line more, unless the row begins with a line
	ADDQ(left, next)
	MOVQ(U32(fetchSteps), left)
	CMPQ(k, left)
	CMOVQLT(k, left)
	return left
}

// store stores the rows of c.
func (s stripKind) store(sums [][]reg.VecVirtual, mask *mask) {
	c, cRow := parameter("c"), parameter("cRow")
	for _, row := range sums {
		s.storeRow(row, c, mask)
		ADDQ(cRow, c)
	}
}

// storeRow stores a row of c, its last vector under the mask.
func (s stripKind) storeRow(row []reg.VecVirtual, c reg.Register, mask *mask) {
	for j, v := range row {
		at := Mem{Base: c, Disp: j * s.lanes * 4}
		if j == len(row)-1 {
			mask.store(v, at)
		} else {
			VMOVUPS(v, at)
		}
	}
}

// rowsOfA is where the rows of a tile are, and the registers to move on from step to step: every seventh row has one, and the
// six after it lie some multiple of 1, 3 or 5 strides from it.
func (s stripKind) rowsOfA(rows int) (at []Mem, bases []reg.Register) {
	const group = 7
	a, aRow := parameter("a"), parameter("aRow")
	var row3, row5 reg.Register
	if rows > 3 {
		row3 = GP64()
		LEAQ(Mem{Base: aRow, Index: aRow, Scale: 2}, row3)
	}
	if rows > 5 {
		row5 = GP64()
		LEAQ(Mem{Base: aRow, Index: aRow, Scale: 4}, row5)
	}
	for i := range rows {
		if i%group == 0 {
			base := a
			if i > 0 {
				base = GP64()
				IMUL3Q(Imm(uint64(i)), aRow, base)
				ADDQ(a, base)
			}
			bases = append(bases, base)
		}
		base := bases[i/group]
		at = append(at, [group]Mem{
			{Base: base},
			{Base: base, Index: aRow, Scale: 1},
			{Base: base, Index: aRow, Scale: 2},
			{Base: base, Index: row3, Scale: 1},
			{Base: base, Index: aRow, Scale: 4},
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

func parameter(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	return r
}

// stride loads a stride in values and makes it one in bytes.
func stride(name string) reg.GPVirtual {
	bytes := parameter(name)
	SHLQ(Imm(2), bytes)
	return bytes
}
