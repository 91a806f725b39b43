package main

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// smoothActivations writes the activations with an exponential in them and their derivatives. Each does, operation for operation, what
// the functions of one value in the package's smooth.go do.
func smoothActivations() {
	newGELU()
	newSmooth("tanh", (*elementwise).tanh, (*elementwise).tanhSlope)
	newSmooth("elu", (*elementwise).elu, (*elementwise).eluSlope)
	newSmooth("selu", (*elementwise).selu, (*elementwise).seluSlope)
}

// newSmooth writes an activation and its derivative.
func newSmooth(name string, f, slope func(k *elementwise, x pair) pair) {
	newElementwise(name, name+"Go", []string{"y", "x"}, nil, func(k *elementwise) {
		k.storePair("y", f(k, k.loadPair("x")))
	})
	newElementwise(name+"Grad", name+"GradGo", []string{"dx", "dy", "x"}, nil, func(k *elementwise) {
		s := slope(k, k.loadPair("x"))
		k.storePair("dx", k.loadPair("dy").mul(s))
	})
}

// The places of the constants in the package's variable smooth.
const (
	smoothLeast = iota
	smoothLog2E
	smoothShift
	smoothLn2
	smoothExpm1
)

const (
	smoothOne = smoothExpm1 + 7 + iota
	smoothTwo
	smoothFour
	smoothAlpha
	smoothScale
	smoothHalf
	smoothPerSquare
	smoothPower
)

const (
	smoothFar       = smoothPower + 3
	smoothTailAbove = smoothFar + 1
	smoothTailBelow = smoothTailAbove + 6
	smoothRoot      = smoothTailBelow + 7
	smoothAbove     = smoothRoot + 1
	smoothBelow     = smoothAbove + 6
)

// A pair is a vector of float32 values as float64: its lower and its upper half, each as wide as the vector. Two halves share each
// constant that is loaded, and one computes while the other waits. If a turn of the loop takes several vectors, it is all their halves.
type pair []reg.VecVirtual

// each makes what f gives for each half of p.
func (p pair) each(f func(i int) reg.VecVirtual) pair {
	q := make(pair, len(p))
	for i := range p {
		q[i] = f(i)
	}
	return q
}

// halves is a pair of nothing yet, for the vectors of a turn.
func (k *elementwise) halves() pair { return make(pair, 2*k.vectors) }

// loadPair loads float32 values of the slice.
func (k *elementwise) loadPair(slice string) pair {
	return k.widen(func(vector int) reg.VecVirtual { return k.loadVector(slice, vector) })
}

// widen converts the float32 vectors that get gives to float64.
func (k *elementwise) widen(get func(vector int) reg.VecVirtual) pair {
	var v reg.VecVirtual
	return k.halves().each(func(i int) reg.VecVirtual {
		var half reg.Register
		switch {
		case i%2 == 0:
			v = get(i / 2)
			half = v.AsX()
			if k.wide {
				half = v.AsY()
			}
		case k.wide:
			half = YMM()
			VEXTRACTF64X4(Imm(1), v, half)
		default:
			half = XMM()
			VEXTRACTF128(Imm(1), v, half)
		}
		double := k.vector()
		VCVTPS2PD(half, double)
		return double
	})
}

// storePair rounds to float32 values of the slice, in the registers of p.
func (k *elementwise) storePair(slice string, p pair) {
	for i := range k.vectors {
		v := p[2*i]
		if k.wide {
			upper := YMM()
			VCVTPD2PS(v, v.AsY())
			VCVTPD2PS(p[2*i+1], upper)
			VINSERTF64X4(Imm(1), upper, v, v)
		} else {
			upper := XMM()
			VCVTPD2PSY(v, v.AsX())
			VCVTPD2PSY(p[2*i+1], upper)
			VINSERTF128(Imm(1), upper, v, v)
		}
		k.storeVector(slice, i, v)
	}
}

// constant64 loads the constant at the place of smooth. Both halves share the register: nothing may be written to it.
func (k *elementwise) constant64(place int) pair {
	return k.same(k.broadcast64(place))
}

// same is a pair whose halves are all v.
func (k *elementwise) same(v reg.VecVirtual) pair {
	return k.halves().each(func(int) reg.VecVirtual { return v })
}

func (k *elementwise) broadcast64(place int) reg.VecVirtual {
	v := k.vector()
	VBROADCASTSD(NewDataAddr(Symbol{Name: "·smooth"}, 8*place), v)
	return v
}

// bits64 is a constant of those bits.
func (k *elementwise) bits64(bits uint64) pair {
	b, v := GP64(), k.vector()
	MOVQ(U64(bits), b)
	VMOVQ(b, v.AsX())
	VPBROADCASTQ(v.AsX(), v)
	return k.same(v)
}

func (p pair) with(instruction func(...Op), q pair) pair {
	return p.each(func(i int) reg.VecVirtual { return binary(instruction, p[i], q[i]) })
}

func (p pair) add(q pair) pair { return p.with(VADDPD, q) }
func (p pair) sub(q pair) pair { return p.with(VSUBPD, q) }
func (p pair) mul(q pair) pair { return p.with(VMULPD, q) }
func (p pair) div(q pair) pair { return p.with(VDIVPD, q) }

// atLeast and atMost keep a NaN: of a NaN as the second operand VMAXPD and VMINPD make their result.
func (p pair) atLeast(bound pair) pair { return bound.with(VMAXPD, p) }
func (p pair) atMost(bound pair) pair  { return bound.with(VMINPD, p) }

// fma is p·q + r, in the registers of p.
func (p pair) fma(q, r pair) pair {
	for i := range p {
		VFMADD213PD(r[i], q[i], p[i])
	}
	return p
}

// fresh loads the constant to a register for each half.
func (k *elementwise) fresh(place int) pair {
	return k.halves().each(func(int) reg.VecVirtual { return k.register(place) })
}

// register loads the constant to a register.
func (k *elementwise) register(place int) reg.VecVirtual {
	v := k.vector()
	VMOVUPD(number(place), v)
	return v
}

// number is where the constant at the place of smooth is, in all lanes of a vector. It needs no register.
func number(place int) Mem { return NewDataAddr(Symbol{Name: "·smoothLanes"}, 64*place) }

// fmaNumber is p·q + the constant, in the registers of p.
func (p pair) fmaNumber(q pair, place int) pair {
	for i := range p {
		VFMADD213PD(number(place), q[i], p[i])
	}
	return p
}

// withNumber is the instruction with the constant as its right operand.
func (p pair) withNumber(instruction func(...Op), place int) pair {
	return p.each(func(i int) reg.VecVirtual {
		v := like(p[i])
		instruction(number(place), p[i], v)
		return v
	})
}

// horner is the polynomial of so many coefficients from the place on.
func (k *elementwise) horner(place, count int, x pair) pair {
	sum := k.fresh(place)
	for i := 1; i < count; i++ {
		sum = sum.fmaNumber(x, place+i)
	}
	return sum
}

// where is then where a < b, and otherwise elsewhere.
func (k *elementwise) where(a, b, then, otherwise pair) pair {
	const lessOrderedQuiet = 17
	return a.each(func(i int) reg.VecVirtual {
		v := k.vector()
		if k.wide {
			less := K()
			VCMPPD(Imm(lessOrderedQuiet), b[i], a[i], less)
			VBLENDMPD(then[i], otherwise[i], less, v)
		} else {
			less := YMM()
			VCMPPD(Imm(lessOrderedQuiet), b[i], a[i], less)
			VBLENDVPD(less, then[i], otherwise[i], v)
		}
		return v
	})
}

func (k *elementwise) zeros() pair { return k.same(k.zero()) }

const signBit = 1 << 63

// abs clears the sign.
func (k *elementwise) abs(x pair) pair { return x.with(VANDPD, k.bits64(math.MaxInt64)) }

// expParts is as in smooth.go.
func (k *elementwise) expParts(x pair) (power, p pair) {
	x = x.atLeast(k.constant64(smoothLeast))
	shift := k.constant64(smoothShift)
	shifted := k.fresh(smoothLog2E).fma(x, shift)
	r, ln2 := shifted.sub(shift), k.constant64(smoothLn2)
	for i, n := range r {
		VFNMADD213PD(x[i], ln2[i], n)
	}
	power = x.each(func(i int) reg.VecVirtual {
		v := k.vector()
		VPSLLQ(Imm(52), shifted[i], v)
		return v
	}).with(VPADDQ, k.constant64(smoothOne))
	return power, r.mul(k.horner(smoothExpm1, 7, r))
}

func (k *elementwise) exp(x pair) pair {
	power, p := k.expParts(x)
	return p.fma(power, power)
}

func (k *elementwise) expm1(x pair) pair {
	power, p := k.expParts(x)
	return p.fma(power, power.sub(k.constant64(smoothOne)))
}

// newGELU writes GELU and its derivative. Two vectors at a time keep the processor busy while their long chains of operations wait
// for each other. The steps are in an order in which the values of four halves fit in sixteen registers.
func newGELU() {
	newUnrolled("gelu", "geluGo", []string{"y", "x"}, 2, func(k *elementwise) {
		a := k.distance()
		tail := k.timesBell(a, smoothTailAbove, 6, func() pair { return a }, smoothTailBelow, 7)
		positive := k.widen(func(vector int) reg.VecVirtual { return binary(VMAXPS, k.zero(), k.loadVector("x", vector)) })
		k.storePair("y", positive.sub(tail))
	})
	newUnrolled("geluGrad", "geluGradGo", []string{"dx", "dy", "x"}, 2, func(k *elementwise) {
		a := k.distance()
		toRoot := func() pair { return k.constant64(smoothRoot).sub(a) }
		slope := k.timesBell(a, smoothAbove, 6, toRoot, smoothBelow, 6)
		sign, half := k.loadPair("x").with(VANDPD, k.bits64(signBit)), k.constant64(smoothHalf)
		positive := sign.with(VORPD, half).add(half) // 1, or 0 for a negative x
		k.storePair("dx", positive.sub(slope.with(VXORPD, sign)).mul(k.loadPair("dy")))
	})
}

// distance is |x|, up to far.
func (k *elementwise) distance() pair { return k.abs(k.loadPair("x")).atMost(k.constant64(smoothFar)) }

// timesBell is as in smooth.go, for the two polynomials of so many coefficients from those places on, the first one times factor.
// The exponential comes first: the polynomials don't wait for it.
func (k *elementwise) timesBell(a pair, above, aboveCount int, factor func() pair, below, belowCount int) pair {
	denominator := make(pair, len(a))
	numerator := a.mul(a)
	for i, square := range numerator {
		square, shifted := pair{square}, pair{k.register(smoothPerSquare)}
		shifted = shifted.fmaNumber(square, smoothShift)
		whole := shifted.withNumber(VSUBPD, smoothShift)
		VFMSUB132PD(number(smoothPerSquare), whole[0], square[0])
		r := square
		VPSLLQ(Imm(52), shifted[0], shifted[0])
		square = r.mul(r)
		v := pair{k.register(smoothPower + 1)}.fmaNumber(square, smoothPower+2).mul(r)
		u := pair{k.register(smoothPower)}.fmaNumber(square, smoothOne)
		denominator[i] = u.sub(v)[0]
		numerator[i] = u.add(v).with(VPADDQ, shifted)[0]
	}
	numerator = numerator.mul(k.horner(above, aboveCount, a))
	return numerator.mul(factor()).div(denominator.mul(k.horner(below, belowCount, a)))
}

// minusTwice is −2|x|.
func (k *elementwise) minusTwice(x pair) pair {
	negative := x.with(VORPD, k.bits64(signBit))
	return negative.add(negative)
}

func (k *elementwise) tanh(x pair) pair {
	e := k.expm1(k.minusTwice(x))
	size := k.zeros().sub(e).div(k.constant64(smoothTwo).add(e))
	return size.with(VORPD, x.with(VANDPD, k.bits64(signBit)))
}

func (k *elementwise) tanhSlope(x pair) pair {
	e := k.exp(k.minusTwice(x))
	below := k.constant64(smoothOne).add(e)
	return k.constant64(smoothFour).mul(e).div(below.mul(below))
}

func (k *elementwise) elu(x pair) pair {
	return k.where(x, k.zeros(), k.expm1(x), x)
}

func (k *elementwise) eluSlope(x pair) pair { return k.exp(x.atMost(k.zeros())) }

func (k *elementwise) selu(x pair) pair {
	negative := k.constant64(smoothAlpha).mul(k.expm1(x))
	return k.constant64(smoothScale).mul(k.where(x, k.zeros(), negative, x))
}

func (k *elementwise) seluSlope(x pair) pair {
	negative := k.constant64(smoothAlpha).mul(k.exp(x.atMost(k.zeros())))
	return k.constant64(smoothScale).mul(k.where(k.zeros(), x, k.constant64(smoothOne), negative))
}
