package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// peakSums is the number of sums that don't wait for each other: more than any processor's units times their latency, and so few
// that they fit the registers of AVX2.
const peakSums = 12

// peak writes the loop that measures how many multiply-adds a core can do.
func peak() {
	for _, s := range sets {
		s.text("peak", "(rounds int)")
		x := s.constant(math.Float32bits(0.5))
		sums := make([]reg.VecVirtual, peakSums)
		for i := range sums {
			sums[i] = s.zero()
		}
		rounds := parameter("rounds")
		JMP(LabelRef("test"))
		Label("round")
		for _, sum := range sums {
			VFMADD231PS(x, x, sum)
		}
		DECQ(rounds)
		Label("test")
		TESTQ(rounds, rounds)
		JG(LabelRef("round"))
		end()
	}
}
