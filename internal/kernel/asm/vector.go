package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/gotypes"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lanes is the number of float32 values in a vector register of AVX2.
const lanes = 8

// A set is an instruction set. The sets differ in the width of their vectors and in their masks: with AVX-512 a mask register
// works with any instruction, with AVX2 a vector masks only loads and stores.
type set struct {
	name string // the suffix of its functions
	wide bool   // vectors have 64 bytes, not 32
}

// sets are the instruction sets for which each element-wise and row kernel is written.
var sets = []set{{"AVX2", false}, {"AVX512", true}}

// text begins the function that gives the bits of the plain twin of that name.
func (s set) text(name, signature string) {
	TEXT(name+s.name, 0, "func"+signature)
	Pragma("noescape")
	Doc(fmt.Sprintf("%s is %sGo.", name+s.name, name))
}

// end ends the function.
func end() {
	VZEROUPPER()
	RET()
}

// vector is a new vector register.
func (s set) vector() reg.VecVirtual {
	if s.wide {
		return ZMM()
	}
	return YMM()
}

// lanes is the number of float32 values in a vector.
func (s set) lanes() int {
	if s.wide {
		return 2 * lanes
	}
	return lanes
}

// A mask selects the first lanes of a vector.
type mask struct {
	k      reg.Register   // for AVX-512
	vector reg.VecVirtual // for AVX2: all ones in those lanes
}

// firstLanes is the mask of the first n lanes of float32, where n is at least 1.
func (s set) firstLanes(n reg.GPVirtual) *mask {
	if s.wide {
		return &mask{k: firstBits(n)}
	}
	v := YMM()
	VMOVUPS(fromLaneMasks(n), v)
	return &mask{vector: v}
}

// firstBits is the mask register of the first n lanes, n below 32.
func firstBits(n reg.GPVirtual) reg.Register {
	bits, k := GP32(), K()
	MOVL(I32(-1), bits)
	BZHIL(n.As32(), bits, bits)
	KMOVW(bits, k)
	return k
}

// fromLaneMasks is the address of eight lanes of 32 bits, the first n of which are all ones.
func fromLaneMasks(n reg.GPVirtual) Mem {
	from, bytes := GP64(), GP64()
	LEAQ(laneMasks(), from)
	MOVQ(n, bytes)
	SHLQ(Imm(2), bytes)
	SUBQ(bytes, from)
	return Mem{Base: from, Disp: lanes * 4}
}

// laneMasks are eight lanes of ones and then eight of zeros, written once in each file.
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

// load loads float32 values, those under the mask and zeros if it is not nil.
func (s set) load(from Mem, m *mask) reg.VecVirtual {
	v := s.vector()
	m.load(from, v)
	return v
}

// load loads float32 values to v, those under the mask and zeros if it is not nil.
func (m *mask) load(from Mem, v reg.VecVirtual) {
	switch {
	case m == nil:
		VMOVUPS(from, v)
	case m.k != nil:
		VMOVUPS_Z(from, m.k, v)
	default:
		VMASKMOVPS(from, m.vector, v)
	}
}

// store stores float32 values, only those under the mask if it is not nil.
func (m *mask) store(v reg.VecVirtual, to Mem) {
	switch {
	case m == nil:
		VMOVUPS(v, to)
	case m.k != nil:
		VMOVUPS(v, m.k, to)
	default:
		VMASKMOVPS(v, m.vector, to)
	}
}

// zero is a vector of zeros.
func (s set) zero() reg.VecVirtual {
	v := s.vector()
	VXORPS(v, v, v)
	return v
}

// broadcast loads the float32 parameter into all lanes.
func (s set) broadcast(parameter string) reg.VecVirtual {
	v := s.vector()
	VBROADCASTSS(address(Param(parameter)), v)
	return v
}

// constant copies 32 bits to all lanes.
func (s set) constant(bits uint32) reg.VecVirtual {
	b, v := GP32(), s.vector()
	MOVL(U32(bits), b)
	VMOVD(b, v.AsX())
	VPBROADCASTD(v.AsX(), v)
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

// base loads the base pointer of the slice parameter.
func base(slice string) reg.Register { return Load(Param(slice).Base(), GP64()) }

// length loads the length of the slice parameter.
func length(slice string) reg.GPVirtual {
	n := GP64()
	Load(Param(slice).Len(), n)
	return n
}

// The arithmetic of float32 vectors. Each operation rounds once, as the same operation in Go does.

func add(a, b reg.VecVirtual) reg.VecVirtual { return binary(VADDPS, a, b) }
func sub(a, b reg.VecVirtual) reg.VecVirtual { return binary(VSUBPS, a, b) }
func mul(a, b reg.VecVirtual) reg.VecVirtual { return binary(VMULPS, a, b) }
func div(a, b reg.VecVirtual) reg.VecVirtual { return binary(VDIVPS, a, b) }

// binary writes a∘b, of the width of a: the assembler takes the right operand first.
func binary(instruction func(...Op), a, b reg.VecVirtual) reg.VecVirtual {
	v := like(a)
	instruction(b, a, v)
	return v
}

func sqrt(a reg.VecVirtual) reg.VecVirtual {
	v := like(a)
	VSQRTPS(a, v)
	return v
}

// like is a new vector register of the same width.
func like(v reg.VecVirtual) reg.VecVirtual { return set{wide: v.Size() == 64}.vector() }
