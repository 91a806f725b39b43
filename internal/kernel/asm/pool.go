package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Predicates of VCMPPS.
const (
	unordered        = 0x03 // a or b is NaN
	notLessUnordered = 0x15 // not a < b, or one of them is NaN
)

// pool writes the kernels that pool a row of windows.
func pool() {
	const sizes = "channels, height, width, next int"
	for _, s := range sets {
		s.pooling("maxPool", "(y, x []float32, "+sizes+")", []string{"y"}, []string{"x"}, maxPool)
		s.pooling("maxPoolGrad", "(dx, dy, x, y []float32, "+sizes+")", []string{"y", "dy"}, []string{"x", "dx"}, maxPoolGrad)
		s.pooling("meanPool", "(y, x []float32, "+sizes+", count float32)", []string{"y"}, []string{"x"}, meanPool)
		s.pooling("meanPoolGrad", "(dx, dy []float32, "+sizes+", count float32)", []string{"dy"}, []string{"dx"}, meanPoolGrad)
	}
}

// block is some vectors of channels of a window.
type block struct {
	set
	vectors int
	mask    *mask              // the channels of the last vector; nil for whole vectors
	at      map[string]operand // of each slice, the first channel: of a map, at the current place of the window
	count   reg.VecVirtual
}

// operand is an address: a base and, for the second slice of two that are read side by side, the distance to the first.
type operand struct{ base, distance reg.Register }

func (b *block) address(slice string, vector int) Mem {
	m := Mem{Base: b.at[slice].base, Disp: 4 * vector * b.lanes()}
	if distance := b.at[slice].distance; distance != nil {
		m.Index, m.Scale = distance, 1
	}
	return m
}

func (b *block) load(slice string, vector int) reg.VecVirtual {
	return b.set.load(b.address(slice, vector), b.mask)
}

func (b *block) store(v reg.VecVirtual, slice string, vector int) {
	b.mask.store(v, b.address(slice, vector))
}

// pooling writes a kernel that goes through the windows of a row. windows are the slices with values for each window, and maps those with
// values for each place. For a block of channels, begin writes what comes before the places of a window. It returns what is done with each
// vector at each place, row by row, and at the end.
func (s set) pooling(name, signature string, windows, maps []string, begin func(*block) (place, finish func(vector int))) {
	s.text(name, signature)
	at := map[string]operand{}
	for _, slices := range [][]string{windows, maps} {
		first := base(slices[0])
		at[slices[0]] = operand{base: first}
		for _, other := range slices[1:] {
			distance := base(other)
			SUBQ(first, distance)
			at[other] = operand{first, distance}
		}
	}
	to, from := at[windows[0]].base, at[maps[0]].base
	limit := length(windows[0])
	LEAQ(Mem{Base: to, Index: limit, Scale: 4}, limit)
	channels := parameter("channels")
	left := GP64()
	MOVQ(channels, left)
	ANDQ(Imm(uint64(s.lanes()-1)), left)
	lastChannels := s.firstLanes(left)
	var count reg.VecVirtual
	if name == "meanPool" || name == "meanPoolGrad" {
		count = s.broadcast("count")
	}

	JMP(LabelRef("windowTest"))
	Label("window")
	end, first := GP64(), GP64() // of the channels of the window's result; the first channel of the block at the window's first place
	LEAQ(Mem{Base: to, Index: channels, Scale: 4}, end)
	MOVQ(from, first)
	channelBytes := GP64()
	MOVQ(channels, channelBytes)
	SHLQ(Imm(2), channelBytes)
	block := func(label string, vectors int, m *mask) {
		b := &block{set: s, vectors: vectors, mask: m, at: map[string]operand{}, count: count}
		row, place, rows, columns, next := GP64(), GP64(), GP64(), GP64(), GP64()
		for slice, o := range at {
			if o.base == from {
				o.base = place
			}
			b.at[slice] = o
		}
		MOVQ(first, row)
		MOVQ(first, place)
		each, finish := begin(b)
		Load(Param("height"), rows)
		Label(label + "Row")
		MOVQ(row, place)
		Load(Param("width"), columns)
		Label(label + "Place")
		for i := range vectors {
			each(i)
		}
		ADDQ(channelBytes, place)
		DECQ(columns)
		JNZ(LabelRef(label + "Place"))
		Load(Param("next"), next)
		LEAQ(Mem{Base: row, Index: next, Scale: 4}, row)
		DECQ(rows)
		JNZ(LabelRef(label + "Row"))
		for i := range vectors {
			finish(i)
		}
	}
	for _, vectors := range []int{4, 1} {
		bytes := 4 * vectors * s.lanes()
		label, after := fmt.Sprintf("channels%d", bytes/4), GP64()
		JMP(LabelRef(label + "Test"))
		Label(label)
		block(label, vectors, nil)
		ADDQ(I32(bytes), to)
		ADDQ(I32(bytes), first)
		Label(label + "Test")
		LEAQ(Mem{Base: to, Disp: bytes}, after)
		CMPQ(after, end)
		JLS(LabelRef(label))
	}
	CMPQ(to, end)
	JEQ(LabelRef("next"))
	block("lastChannels", 1, lastChannels)
	Label("next")
	MOVQ(end, to)
	width := parameter("width")
	IMULQ(channelBytes, width)
	ADDQ(width, from)
	Label("windowTest")
	CMPQ(to, limit)
	JCS(LabelRef("window"))
	VZEROUPPER()
	RET()
}

// maxPool takes the larger of two values, the first if they are equal, and the new one if it is NaN.
func maxPool(b *block) (place, finish func(int)) {
	largest := make([]reg.VecVirtual, b.vectors)
	for i := range largest {
		largest[i] = b.load("x", i)
	}
	return func(i int) {
		x := b.load("x", i)
		larger := binary(VMAXPS, x, largest[i])
		if b.wide {
			nan := K()
			VCMPPS(Imm(unordered), x, x, nan)
			VBLENDMPS(x, larger, nan, largest[i])
			return
		}
		nan := b.vector()
		VCMPPS(Imm(unordered), x, x, nan)
		VBLENDVPS(nan, x, larger, largest[i])
	}, func(i int) { b.store(largest[i], "y", i) }
}

// maxPoolGrad gives dy to the first value that is not less than y, and then has nothing left.
func maxPoolGrad(b *block) (place, finish func(int)) {
	y, left := make([]reg.VecVirtual, b.vectors), make([]reg.VecVirtual, b.vectors)
	for i := range y {
		y[i], left[i] = b.load("y", i), b.load("dy", i)
	}
	return func(i int) {
		x, dx := b.load("x", i), b.vector()
		if b.wide {
			isLargest, isLess := K(), K()
			VCMPPS(Imm(notLessUnordered), y[i], x, isLargest)
			KNOTW(isLargest, isLess)
			VMOVAPS_Z(left[i], isLargest, dx)
			VMOVAPS_Z(left[i], isLess, left[i])
		} else {
			isLargest := b.vector()
			VCMPPS(Imm(notLessUnordered), y[i], x, isLargest)
			VANDPS(left[i], isLargest, dx)
			VANDNPS(left[i], isLargest, left[i])
		}
		b.store(dx, "dx", i)
	}, func(int) {}
}

func meanPool(b *block) (place, finish func(int)) {
	sums := make([]reg.VecVirtual, b.vectors)
	for i := range sums {
		sums[i] = b.zero()
	}
	return func(i int) { VADDPS(b.load("x", i), sums[i], sums[i]) },
		func(i int) { b.store(div(sums[i], b.count), "y", i) }
}

func meanPoolGrad(b *block) (place, finish func(int)) {
	shares := make([]reg.VecVirtual, b.vectors)
	for i := range shares {
		shares[i] = div(b.load("dy", i), b.count)
	}
	return func(i int) { b.store(shares[i], "dx", i) }, func(int) {}
}
