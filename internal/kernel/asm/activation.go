package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// activation writes the activations and their derivatives.
func activation() {
	relu()
	smoothActivations()
}

func relu() {
	newElementwise("relu", "[ReLU]'s Forward", []string{"y", "x"}, nil, func(k *elementwise) {
		// Where neither is the greater (NaN, -0), VMAXPS returns its second operand.
		k.store("y", binary(VMAXPS, k.zero(), k.load("x")))
	})

	newElementwise("reluGrad", "[ReLU]'s Backward", []string{"dx", "dy", "y"}, nil, func(k *elementwise) {
		const lessOrderedQuiet = 17
		y := k.load("y")
		if k.wide {
			positive := K()
			VCMPPS(Imm(lessOrderedQuiet), y, k.zero(), positive)
			k.store("dx", k.set.load(k.at("dy", 0), &mask{k: positive})) // of which none is beyond the end, where y is 0
			return
		}
		positive := YMM()
		VCMPPS(Imm(lessOrderedQuiet), y, k.zero(), positive)
		k.store("dx", binary(VANDPS, k.load("dy"), positive))
	})
}
