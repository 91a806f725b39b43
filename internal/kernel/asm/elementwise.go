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
	mask     *mask // the remaining lanes; nil within the loop
}

// newElementwise writes the function with this name, slices and scalars for each set. body writes the arithmetic of one vector, in the
// order and with the roundings of the plain twin.
func newElementwise(name, twin string, slices, scalars []string, body func(*elementwise)) {
	for _, s := range sets {
		s.elementwise(name, twin, slices, scalars, body)
	}
}

func (s set) elementwise(name, twin string, slices, scalars []string, body func(*elementwise)) {
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
	n, whole := length(slices[0]), GP64()
	MOVQ(n, whole)
	ANDQ(I32(-s.lanes()), whole)

	k.index = GP64()
	XORQ(k.index, k.index)
	JMP(LabelRef("test"))
	Label("loop")
	body(k)
	ADDQ(Imm(uint64(s.lanes())), k.index)
	Label("test")
	CMPQ(k.index, whole)
	JLT(LabelRef("loop"))

	SUBQ(k.index, n)
	JZ(LabelRef("done"))
	k.mask = s.firstLanes(n)
	body(k)
	Label("done")
	end()
}

func (k *elementwise) at(slice string) Mem {
	return Mem{Base: k.slices[slice], Index: k.index, Scale: 4}
}

func (k *elementwise) load(slice string) reg.VecVirtual { return k.set.load(k.at(slice), k.mask) }

func (k *elementwise) store(slice string, v reg.VecVirtual) { k.mask.store(v, k.at(slice)) }
