package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the number of float32 values in a vector register.
const lanes = 8

// An elementwise is a kernel under construction that does the same to each index of some slices of one length: to whole
// vectors in a loop, and then to what is left under a mask.
type elementwise struct {
	slices  map[string]reg.Register   // base pointers
	scalars map[string]reg.VecVirtual // each in all lanes
	index   reg.Register
	mask    reg.VecVirtual // of the lanes that are left; nil within the loop
}

// newElementwise writes the function name of the slices and scalars. body writes the arithmetic of one vector, in the order
// and with the roundings of the plain twin.
func newElementwise(name, twin string, slices, scalars []string, body func(*elementwise)) {
	signature := fmt.Sprintf("func(%s []float32", strings.Join(slices, ", "))
	if len(scalars) > 0 {
		signature += fmt.Sprintf(", %s float32", strings.Join(scalars, ", "))
	}
	TEXT(name, 0, signature+")")
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is %s.", name, twin))

	k := &elementwise{slices: map[string]reg.Register{}, scalars: map[string]reg.VecVirtual{}}
	for _, s := range slices {
		k.slices[s] = Load(Param(s).Base(), GP64())
	}
	for _, s := range scalars {
		k.scalars[s] = broadcast(s)
	}
	n, whole := Load(Param(slices[0]).Len(), GP64()), GP64()
	MOVQ(n, whole)
	ANDQ(I32(-lanes), whole)

	k.index = GP64()
	XORQ(k.index, k.index)
	JMP(LabelRef("test"))
	Label("loop")
	body(k)
	ADDQ(Imm(lanes), k.index)
	Label("test")
	CMPQ(k.index, whole)
	JLT(LabelRef("loop"))

	SUBQ(k.index, n)
	JZ(LabelRef("done"))
	k.mask = firstLanes(n)
	body(k)
	Label("done")
	VZEROUPPER()
	RET()
}

func (k *elementwise) at(slice string) Mem {
	return Mem{Base: k.slices[slice], Index: k.index, Scale: 4}
}

func (k *elementwise) load(slice string) reg.VecVirtual {
	v := YMM()
	if k.mask != nil {
		VMASKMOVPS(k.at(slice), k.mask, v)
	} else {
		VMOVUPS(k.at(slice), v)
	}
	return v
}

func (k *elementwise) store(slice string, v reg.VecVirtual) {
	if k.mask != nil {
		VMASKMOVPS(v, k.mask, k.at(slice))
	} else {
		VMOVUPS(v, k.at(slice))
	}
}

// firstLanes is the mask of the first n lanes, n from 1 to 8.
func firstLanes(n reg.Register) reg.VecVirtual {
	from, mask := GP64(), YMM()
	LEAQ(laneMasks(), from)
	SHLQ(Imm(2), n)
	SUBQ(n, from)
	VMOVUPS(Mem{Base: from, Disp: lanes * 4}, mask)
	return mask
}

// laneMasks are eight masked lanes and then eight that are not, written once a file.
func laneMasks() Mem {
	if masks.Symbol.Name == "" {
		masks = GLOBL("laneMasks", RODATA|NOPTR)
		for i := range 2 * lanes {
			DATA(4*i, U32(map[bool]uint32{true: 1<<32 - 1, false: 0}[i < lanes]))
		}
	}
	return masks
}

var masks Mem

// broadcast loads the scalar parameter into all lanes.
func broadcast(parameter string) reg.VecVirtual {
	v := YMM()
	VBROADCASTSS(address(Param(parameter)), v)
	return v
}

// address is where the parameter or the result is.
func address(c gotypes.Component) Mem {
	basic, err := c.Resolve()
	if err != nil {
		panic(err)
	}
	return basic.Addr
}

// The arithmetic of vectors. Each operation rounds once, as the same operation in Go does.

func add(a, b reg.VecVirtual) reg.VecVirtual { return binary(VADDPS, a, b) }
func sub(a, b reg.VecVirtual) reg.VecVirtual { return binary(VSUBPS, a, b) }
func mul(a, b reg.VecVirtual) reg.VecVirtual { return binary(VMULPS, a, b) }
func div(a, b reg.VecVirtual) reg.VecVirtual { return binary(VDIVPS, a, b) }

// binary writes a∘b: the assembler takes the right operand first.
func binary(instruction func(...Op), a, b reg.VecVirtual) reg.VecVirtual {
	v := YMM()
	instruction(b, a, v)
	return v
}

func sqrt(a reg.VecVirtual) reg.VecVirtual {
	v := YMM()
	VSQRTPS(a, v)
	return v
}
