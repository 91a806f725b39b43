package solver

import (
	"math"
	"testing"
)

// Two steps by hand: each weight moves by the rate. Where the first gradient still weighs more, the step follows it and not the second.
func TestLion(t *testing.T) {
	s := mustNew(t, "lion", 0.125, func(o *Options) { o.Beta1, o.Beta2, o.WeightDecay = 0.75, 0.5, 0.5 })
	p := newParameter("upper.weight", 1, 2, -4)
	copy(p.g, []float32{3, -5, 0})
	mustStep(t, s, p)
	equalBits(t, "after a step", p.w, []float32{1 - 0.125 - 0.0625, 2 + 0.125 - 0.125, -4 + 0.25})
	equalBits(t, "m", s.State().Slots["m"]["upper.weight"], []float32{1.5, -2.5, 0})

	copy(p.g, []float32{-1, 100, float32(math.Copysign(0, -1))})
	first, second, third := p.w[0], p.w[1], p.w[2]
	mustStep(t, s, p)
	equalBits(t, "after two", p.w, []float32{first - 0.0625*first - 0.125, second - 0.0625*second - 0.125, third - 0.0625*third})
}
