package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// crossEntropy writes the softmax of a row.
func crossEntropy() {
	for _, s := range sets {
		s.softmax()
	}
}

// softmax keeps exponentials under a mask in registers, because values that were just stored under a mask are slow to load. A row of
// ten logits takes little more than the latency of one exponential, because the exponentials of its three vectors overlap.
func (s set) softmax() {
	s.text("softmax", "(p []float32, exps []float64, x []float32, largest float64) (sum float64)")
	p, exps, x := base("p"), base("exps"), base("x")
	largest := broadcast64("largest")
	row, sums, kept := s.newRow(length("x")), newSum(), YMM()
	exponentials := func(parts ...doubles) {
		e := make([]reg.VecVirtual, len(parts))
		for i, d := range parts {
			e[i] = d.sub(d.load(x), largest)
		}
		expNegative(parts, e)
		for i, d := range parts {
			d.store64(exps, e[i])
			sums.add(d, e[i])
			if d.mask != nil {
				VMOVAPD(e[i], kept)
			}
		}
	}
	row.whole("exponentials", exponentials)
	row.left("exponentials", exponentials)

	first := sums.total()
	result64(first, "sum")
	sum := spread(first)
	row.each("quotients", func(d doubles) {
		if d.mask != nil {
			d.store(p, d.div(kept, sum))
		} else {
			d.store(p, d.div(d.load64(exps), sum))
		}
	})
	end()
}

// The places of the constants in the package's variable exponential.
const (
	least = iota
	log2E
	shift
	ln2Upper
	ln2Lower
	coefficients
	one = coefficients + 13
)

// expNegative replaces each vector by its exponential, step for step as the plain twin does.
func expNegative(parts []doubles, x []reg.VecVirtual) {
	constant := func(place int) reg.VecVirtual {
		return spread(NewDataAddr(Symbol{Name: "·exponential"}, 8*place))
	}
	shifted, r, sum := make([]reg.VecVirtual, len(x)), make([]reg.VecVirtual, len(x)), make([]reg.VecVirtual, len(x))
	minimum, perPower, rounding := constant(least), constant(log2E), constant(shift)
	upper, lower := constant(ln2Upper), constant(ln2Lower)
	for i, d := range parts {
		v := binary(VMAXPD, minimum, x[i]) // if the second operand is NaN, so is the result
		shifted[i] = d.add(d.mul(v, perPower), rounding)
		n := d.sub(shifted[i], rounding)
		r[i] = d.sub(d.sub(v, d.mul(n, upper)), d.mul(n, lower))
	}
	for place := coefficients; place <= one; place++ {
		c := constant(place)
		for i, d := range parts {
			if place == coefficients {
				sum[i] = c
			} else {
				sum[i] = d.add(d.mul(sum[i], r[i]), c)
			}
		}
	}
	unit := constant(one)
	for i, d := range parts {
		power := YMM()
		VPSLLQ(Imm(52), shifted[i], power)
		VPADDQ(unit, power, power)
		x[i] = d.mul(sum[i], power)
	}
}
