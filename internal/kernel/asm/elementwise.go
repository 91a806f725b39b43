package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// An elementwise is a kernel under construction that does the same at each index of some slices of one length: a loop for whole vectors,
// then a mask for the rest.
type elementwise struct {
	set
	slices   map[string]reg.Register   // base pointers
	scalars  map[string]reg.VecVirtual // each in all lanes
	negative map[string]reg.Register   // for AVX-512: all lanes of the mask if the slope is negative, none if not
	index    reg.Register
	vectors  int   // that a turn of the loop takes
	mask     *mask // the remaining lanes; nil within the loop
}

// newElementwise writes the function with this name, slices and scalars for each set. body writes the arithmetic of one vector, in the
// order and with the roundings of the plain twin.
func newElementwise(name, twin string, slices, scalars []string, body func(*elementwise)) {
	for _, s := range sets {
		s.elementwise(name, twin, slices, scalars, 1, body)
	}
}

// newUnrolled is newElementwise with a loop that takes so many vectors in a turn, before the loop that takes one.
func newUnrolled(name, twin string, slices []string, vectors int, body func(*elementwise)) {
	for _, s := range sets {
		s.elementwise(name, twin, slices, nil, vectors, body)
	}
}

func (s set) elementwise(name, twin string, slices, scalars []string, vectors int, body func(*elementwise)) {
	signature := fmt.Sprintf("func(%s []float32", strings.Join(slices, ", "))
	if len(scalars) > 0 {
		signature += fmt.Sprintf(", %s float32", strings.Join(scalars, ", "))
	}
	TEXT(name+s.name, 0, signature+")")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is %s.", name+s.name, twin))

	k := &elementwise{
		set: s, slices: map[string]reg.Register{}, scalars: map[string]reg.VecVirtual{}, negative: map[string]reg.Register{},
	}
	for _, slice := range slices {
		k.slices[slice] = base(slice)
	}
	for _, scalar := range scalars {
		k.scalars[scalar] = s.broadcast(scalar)
		if s.wide && strings.HasPrefix(scalar, "slope") {
			k.negative[scalar] = K()
			VPMOVD2M(k.scalars[scalar], k.negative[scalar])
		}
	}
	n := length(slices[0])
	k.index = GP64()
	XORQ(k.index, k.index)
	if vectors > 1 {
		k.loop("unrolled", n, vectors, body)
	}
	k.loop("", n, 1, body)

	SUBQ(k.index, n)
	JZ(LabelRef("done"))
	k.mask = s.firstLanes(n)
	body(k)
	Label("done")
	end()
}

// loop writes the loop over the values from the index on, with this many whole vectors in each turn.
func (k *elementwise) loop(prefix string, n reg.GPVirtual, vectors int, body func(*elementwise)) {
	k.vectors = vectors
	last, lanes := GP64(), vectors*k.lanes()
	LEAQ(Mem{Base: n, Disp: -lanes}, last)
	JMP(LabelRef(prefix + "test"))
	Label(prefix + "loop")
	body(k)
	ADDQ(Imm(uint64(lanes)), k.index)
	Label(prefix + "test")
	CMPQ(k.index, last)
	JLE(LabelRef(prefix + "loop"))
}

// at is the address of the vector of a turn.
func (k *elementwise) at(slice string, vector int) Mem {
	return Mem{Base: k.slices[slice], Index: k.index, Scale: 4, Disp: 4 * vector * k.lanes()}
}

func (k *elementwise) load(slice string) reg.VecVirtual { return k.loadVector(slice, 0) }

func (k *elementwise) store(slice string, v reg.VecVirtual) { k.storeVector(slice, 0, v) }

func (k *elementwise) loadVector(slice string, vector int) reg.VecVirtual {
	return k.set.load(k.at(slice, vector), k.mask)
}

func (k *elementwise) storeVector(slice string, vector int, v reg.VecVirtual) {
	k.mask.store(v, k.at(slice, vector))
}
