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
	newSmooth("gelu", (*elementwise).gelu, (*elementwise).geluSlope)
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
	smoothMinusHalf
	smoothFar
	smoothMinusFar
	smoothTailAbove
)

const (
	smoothTailBelow = smoothTailAbove + 6
	smoothRoot      = smoothTailBelow + 7
	smoothAbove     = smoothRoot + 1
	smoothBelow     = smoothAbove + 6
)

// A pair is a vector of float32 values as float64: its lower and its upper half, each as wide as the vector. Two halves share each
// constant that is loaded, and one computes while the other waits.
type pair [2]reg.VecVirtual

// each makes a pair of what f gives for each half.
func each(f func(i int) reg.VecVirtual) pair { return pair{f(0), f(1)} }

// loadPair loads float32 values of the slice.
func (k *elementwise) loadPair(slice string) pair {
	v := k.load(slice)
	return each(func(i int) reg.VecVirtual {
		half := v.AsX()
		if k.wide {
			half = v.AsY()
		}
		if i == 1 {
			upper := reg.Register(XMM())
			if k.wide {
				upper = YMM()
				VEXTRACTF64X4(Imm(1), v, upper)
			} else {
				VEXTRACTF128(Imm(1), v, upper)
			}
			half = upper
		}
		double := k.vector()
		VCVTPS2PD(half, double)
		return double
	})
}

// storePair rounds to float32 values of the slice.
func (k *elementwise) storePair(slice string, p pair) {
	v := k.vector()
	if k.wide {
		upper := YMM()
		VCVTPD2PS(p[0], v.AsY())
		VCVTPD2PS(p[1], upper)
		VINSERTF64X4(Imm(1), upper, v, v)
	} else {
		upper := XMM()
		VCVTPD2PSY(p[0], v.AsX())
		VCVTPD2PSY(p[1], upper)
		VINSERTF128(Imm(1), upper, v, v)
	}
	k.store(slice, v)
}

// constant64 loads the constant at the place of smooth. Both halves share the register: nothing may be written to it.
func (k *elementwise) constant64(place int) pair {
	v := k.broadcast64(place)
	return pair{v, v}
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
	return pair{v, v}
}

func (p pair) with(instruction func(...Op), q pair) pair {
	return each(func(i int) reg.VecVirtual { return binary(instruction, p[i], q[i]) })
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

// horner is the polynomial of so many coefficients from the place on.
func (k *elementwise) horner(place, count int, x pair) pair {
	sum := each(func(int) reg.VecVirtual { return k.broadcast64(place) })
	for i := 1; i < count; i++ {
		sum = sum.fma(x, k.constant64(place+i))
	}
	return sum
}

// where is then where a < b, and otherwise elsewhere.
func (k *elementwise) where(a, b, then, otherwise pair) pair {
	const lessOrderedQuiet = 17
	return each(func(i int) reg.VecVirtual {
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

func (k *elementwise) zeros() pair {
	v := k.zero()
	return pair{v, v}
}

const signBit = 1 << 63

// abs clears the sign.
func (k *elementwise) abs(x pair) pair { return x.with(VANDPD, k.bits64(math.MaxInt64)) }

// expParts is as in smooth.go.
func (k *elementwise) expParts(x pair) (power, p pair) {
	x = x.atLeast(k.constant64(smoothLeast))
	shift := k.constant64(smoothShift)
	shifted := each(func(int) reg.VecVirtual { return k.broadcast64(smoothLog2E) }).fma(x, shift)
	r, ln2 := shifted.sub(shift), k.constant64(smoothLn2)
	for i, n := range r {
		VFNMADD213PD(x[i], ln2[i], n)
	}
	power = each(func(i int) reg.VecVirtual {
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

// bell is exp(−a²/2).
func (k *elementwise) bell(a pair) pair { return k.exp(a.mul(k.constant64(smoothMinusHalf)).mul(a)) }

func (k *elementwise) gelu(x pair) pair {
	x = x.atLeast(k.constant64(smoothMinusFar))
	a := k.abs(x).atMost(k.constant64(smoothFar))
	e := k.bell(a)
	tail := e.mul(k.horner(smoothTailAbove, 6, a).div(k.horner(smoothTailBelow, 7, a)))
	return x.mul(k.where(x, k.zeros(), tail, k.constant64(smoothOne).sub(tail)))
}

func (k *elementwise) geluSlope(x pair) pair {
	a := k.abs(x).atMost(k.constant64(smoothFar))
	e := k.bell(a)
	rest := k.horner(smoothAbove, 6, a).div(k.horner(smoothBelow, 6, a))
	slope := e.mul(k.constant64(smoothRoot).sub(a).mul(rest))
	return k.where(x, k.zeros(), slope, k.constant64(smoothOne).sub(slope))
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
