package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layernorm writes the passes of LayerNorm over one row. They compute in float64: eight values at a time in two vectors, then
// one at a time what is left.
func layernorm() {
	rowMoments()

	TEXT("normalizeAVX2", 0, "func(y, x, alpha, beta []float32, mean, inv float64)")
	Pragma("noescape")
	Doc("normalizeAVX2 is normalizeGo.")
	y, x, alpha, beta := base("y"), base("x"), base("alpha"), base("beta")
	mean, inv := broadcast64("mean"), broadcast64("inv")
	row := newRow("y")
	row.each("values", func(d doubles) {
		scaled := d.mul(d.load(row, alpha), d.standardize(d.load(row, x), mean, inv))
		d.store(row, y, d.add(scaled, d.load(row, beta)))
	}, nil)
	VZEROUPPER()
	RET()

	layerNormGradSums()

	TEXT("layerNormColumnsAVX2", 0, "func(dAlpha, dBeta []float64, dy, x []float32, mean, inv float64)")
	Pragma("noescape")
	Doc("layerNormColumnsAVX2 is layerNormColumnsGo.")
	dAlpha, dBeta, dy, x := base("dAlpha"), base("dBeta"), base("dy"), base("x")
	mean, inv = broadcast64("mean"), broadcast64("inv")
	row = newRow("dy")
	row.each("values", func(d doubles) {
		grad := d.load(row, dy)
		d.increase(row, dAlpha, d.mul(grad, d.standardize(d.load(row, x), mean, inv)))
		d.increase(row, dBeta, grad)
	}, nil)
	VZEROUPPER()
	RET()

	TEXT("layerNormGradRowAVX2", 0, "func(dx, dy, x, alpha []float32, mean, inv, meanG, slope float64)")
	Pragma("noescape")
	Doc("layerNormGradRowAVX2 is layerNormGradRowGo.")
	dx, dy, x, alpha := base("dx"), base("dy"), base("x"), base("alpha")
	mean, inv = broadcast64("mean"), broadcast64("inv")
	meanG, slope := broadcast64("meanG"), broadcast64("slope")
	row = newRow("dx")
	row.each("values", func(d doubles) {
		xHat := d.standardize(d.load(row, x), mean, inv)
		g := d.mul(d.load(row, alpha), d.load(row, dy))
		d.store(row, dx, d.mul(d.sub(d.sub(g, meanG), d.mul(slope, xHat)), inv))
	}, nil)
	VZEROUPPER()
	RET()
}

func rowMoments() {
	TEXT("rowMomentsAVX2", 0, "func(x []float32) (mean, squares float64)")
	Pragma("noescape")
	Doc("rowMomentsAVX2 is rowMomentsGo.")
	x, row := base("x"), newRow("x")

	sum := newSum()
	row.each("sum", func(d doubles) { sum.add(d, d.load(row, x)) }, sum.total)
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SDQ(row.n, count, count)
	mean := YMM()
	VDIVSD(count, sum.halves[0].AsX(), mean.AsX())
	result64(mean, "mean")
	VBROADCASTSD(mean.AsX(), mean)

	squares := newSum()
	row.each("squares", func(d doubles) {
		deviation := d.sub(d.load(row, x), mean)
		squares.add(d, d.mul(deviation, deviation))
	}, squares.total)
	result64(squares.halves[0], "squares")
	VZEROUPPER()
	RET()
}

func layerNormGradSums() {
	TEXT("layerNormGradSumsAVX2", 0, "func(dy, x, alpha []float32, mean, inv float64) (sum, projection float64)")
	Pragma("noescape")
	Doc("layerNormGradSumsAVX2 is layerNormGradSumsGo.")
	dy, x, alpha := base("dy"), base("x"), base("alpha")
	mean, inv := broadcast64("mean"), broadcast64("inv")
	sum, projection := newSum(), newSum()
	row := newRow("dy")
	row.each("values", func(d doubles) {
		g := d.mul(d.load(row, alpha), d.load(row, dy))
		sum.add(d, g)
		projection.add(d, d.mul(g, d.standardize(d.load(row, x), mean, inv)))
	}, func() {
		sum.total()
		projection.total()
	})
	result64(sum.halves[0], "sum")
	result64(projection.halves[0], "projection")
	VZEROUPPER()
	RET()
}

// A row is a loop over the values of slices of one length.
type row struct{ index, whole, n reg.GPVirtual }

// newRow is a loop over the length of the slice parameter.
func newRow(slice string) *row {
	r := &row{GP64(), GP64(), GP64()}
	Load(Param(slice).Len(), r.n)
	MOVQ(r.n, r.whole)
	ANDQ(I32(-8), r.whole)
	return r
}

// each writes body for the two vectors of eight values, in a loop, and then for the values that are left, one at a time.
// between is written between the two, unless it is nil.
func (r *row) each(label string, body func(d doubles), between func()) {
	XORQ(r.index, r.index)
	JMP(LabelRef(label + "Test"))
	Label(label)
	body(doubles{packed: true, half: 0})
	body(doubles{packed: true, half: 1})
	ADDQ(Imm(8), r.index)
	Label(label + "Test")
	CMPQ(r.index, r.whole)
	JLT(LabelRef(label))
	if between != nil {
		between()
	}
	JMP(LabelRef(label + "LeftTest"))
	Label(label + "Left")
	body(doubles{})
	INCQ(r.index)
	Label(label + "LeftTest")
	CMPQ(r.index, r.n)
	JLT(LabelRef(label + "Left"))
}

// A sum is kept in eight lanes, two vectors of four, and at last in the first lane alone.
type sum struct{ halves [2]reg.VecVirtual }

func newSum() *sum { return &sum{[2]reg.VecVirtual{zero(), zero()}} }

func (s *sum) add(d doubles, v reg.VecVirtual) {
	half := d.of(s.halves[d.half])
	d.instruction(VADDPD, VADDSD)(v, half, half)
}

// total adds up the lanes, in the order of laneSums.total.
func (s *sum) total() {
	all, upper := s.halves[0], YMM()
	VADDPD(s.halves[1], all, all)
	VEXTRACTF128(Imm(1), all, upper.AsX())
	VADDPD(upper.AsX(), all.AsX(), all.AsX())
	VUNPCKHPD(all.AsX(), all.AsX(), upper.AsX())
	VADDSD(upper.AsX(), all.AsX(), all.AsX())
}

// doubles is arithmetic in float64: on four lanes, which are a row's next four values or the four after them, or on one.
type doubles struct {
	packed bool
	half   int
}

// instruction is the one of the two that fits.
func (d doubles) instruction(packed, single func(...Op)) func(...Op) {
	if d.packed {
		return packed
	}
	return single
}

// of is the part of a vector register that d computes on.
func (d doubles) of(v reg.VecVirtual) reg.VecVirtual {
	if d.packed {
		return v
	}
	return v.AsX().(reg.VecVirtual)
}

func (d doubles) add(a, b reg.VecVirtual) reg.VecVirtual { return d.binary(VADDPD, VADDSD, a, b) }
func (d doubles) sub(a, b reg.VecVirtual) reg.VecVirtual { return d.binary(VSUBPD, VSUBSD, a, b) }
func (d doubles) mul(a, b reg.VecVirtual) reg.VecVirtual { return d.binary(VMULPD, VMULSD, a, b) }

func (d doubles) binary(packed, single func(...Op), a, b reg.VecVirtual) reg.VecVirtual {
	v := d.of(YMM())
	d.instruction(packed, single)(d.of(b), d.of(a), v)
	return v
}

// standardize is (v − mean)·inv.
func (d doubles) standardize(v, mean, inv reg.VecVirtual) reg.VecVirtual {
	return d.mul(d.sub(v, mean), inv)
}

func (d doubles) at(r *row, slice reg.Register, size int) Mem {
	return Mem{Base: slice, Index: r.index, Scale: uint8(size), Disp: 4 * d.half * size}
}

// load takes float32 values of the row to float64.
func (d doubles) load(r *row, slice reg.Register) reg.VecVirtual {
	v := d.of(YMM())
	if d.packed {
		VCVTPS2PD(d.at(r, slice, 4), v)
		return v
	}
	VMOVSS(d.at(r, slice, 4), v)
	VCVTSS2SD(v, v, v)
	return v
}

// store rounds to float32 values of the row.
func (d doubles) store(r *row, slice reg.Register, v reg.VecVirtual) {
	if d.packed {
		VCVTPD2PSY(v, v.AsX())
		VMOVUPS(v.AsX(), d.at(r, slice, 4))
		return
	}
	VCVTSD2SS(v, v, v)
	VMOVSS(v, d.at(r, slice, 4))
}

// increase adds v to float64 values of the row.
func (d doubles) increase(r *row, slice reg.Register, v reg.VecVirtual) {
	total := d.of(YMM())
	if d.packed {
		VADDPD(d.at(r, slice, 8), v, total)
		VMOVUPD(total, d.at(r, slice, 8))
		return
	}
	VADDSD(d.at(r, slice, 8), v, total)
	VMOVSD(total, d.at(r, slice, 8))
}

// base loads the base pointer of the slice parameter.
func base(slice string) reg.Register { return Load(Param(slice).Base(), GP64()) }

// broadcast64 loads the float64 parameter into all lanes.
func broadcast64(parameter string) reg.VecVirtual {
	v := YMM()
	VBROADCASTSD(address(Param(parameter)), v)
	return v
}

// result64 stores the first lane as the float64 result. avo's Store would take the instruction of SSE, which is slow beside
// those of AVX on some processors.
func result64(v reg.VecVirtual, result string) { VMOVSD(v.AsX(), address(Return(result))) }
