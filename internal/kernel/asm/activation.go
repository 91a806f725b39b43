package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// activation writes ReLU and its derivative.
func activation() {
	newElementwise("reluAVX2", "[ReLU]'s Forward", []string{"y", "x"}, nil, func(k *elementwise) {
		// Where neither is the greater (NaN, -0), VMAXPS returns its second operand.
		k.store("y", binary(VMAXPS, zero(), k.load("x")))
	})

	newElementwise("reluGradAVX2", "[ReLU]'s Backward", []string{"dx", "dy", "y"}, nil, func(k *elementwise) {
		const lessOrderedQuiet = 17
		positive := YMM()
		VCMPPS(Imm(lessOrderedQuiet), k.load("y"), zero(), positive)
		k.store("dx", binary(VANDPS, k.load("dy"), positive))
	})
}

func zero() reg.VecVirtual {
	v := YMM()
	VXORPS(v, v, v)
	return v
}
