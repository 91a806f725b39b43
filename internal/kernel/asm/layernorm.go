package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layernorm writes the passes of LayerNorm over some rows. They compute in float64.
func layernorm() {
	for _, s := range sets {
		s.widen()
		s.layerNormRows()
		s.layerNormGradRows()
		s.layerNormColumns()
	}
}

// eachRow writes body for every row, of which there is at least one. Each pointer moves to the next row after it.
func eachRow(label string, next []func(), body func()) {
	rows := length("mean")
	Label(label)
	body()
	for _, move := range next {
		move()
	}
	DECQ(rows)
	JNZ(LabelRef(label))
}

// by moves a pointer by n values of this many bytes.
func by(n reg.Register, size uint8, pointer reg.Register) func() {
	return func() { LEAQ(Mem{Base: pointer, Index: n, Scale: size}, pointer) }
}

// byOne moves a pointer by this many bytes.
func byOne(bytes uint64, pointer reg.Register) func() {
	return func() { ADDQ(Imm(bytes), pointer) }
}

// first is the float64 that the pointer points to.
func first(pointer reg.Register) Mem { return Mem{Base: pointer} }

// countOf is n as a float64, in the first lane.
func countOf(n reg.Register) reg.VecVirtual {
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SDQ(n, count, count)
	return count
}

func (s set) widen() {
	s.text("widen", "(to []float64, from []float32)")
	to, from := base("to"), base("from")
	s.newRow(length("from")).each("values", func(d doubles) { d.store64(to, d.load(from)) })
	end()
}

// layerNormRows takes each step for all rows before the next step. So the steps of different rows overlap: a row alone would wait for
// its sums, its divisions and its root. A step after the first reads the values of x in float64 from work.
func (s set) layerNormRows() {
	s.text("layerNormRows",
		"(y, x []float32, alpha, beta, work []float64, inside, outside float64, mean, inv, correction []float64)")
	n := length("alpha")
	row, count := s.newRow(n), spread(countOf(n))

	x, values, means := base("x"), base("work"), base("mean")
	eachRow("sumRows", []func(){by(n, 4, x), by(n, 8, values), byOne(8, means)}, func() {
		sum := newSum()
		row.each("sum", func(d doubles) {
			v := d.load(x)
			d.keep(values, v)
			sum.add(d, v)
		})
		VMOVSD(sum.total(), first(means))
	})
	means = base("mean")
	s.newRow(length("mean")).each("means", func(d doubles) { d.store64(means, d.div(d.load64(means), count)) })

	values, means, invs := base("work"), base("mean"), base("inv")
	eachRow("squareRows", []func(){by(n, 8, values), byOne(8, means), byOne(8, invs)}, func() {
		mean, squares := spread(first(means)), newSum()
		row.each("squares", func(d doubles) {
			deviation := d.sub(d.kept(values), mean)
			squares.add(d, d.mul(deviation, deviation))
		})
		VMOVSD(squares.total(), first(invs))
	})
	invs, corrections := base("inv"), base("correction")
	inside, outside, one := broadcast64("inside"), broadcast64("outside"), number64(1)
	s.newRow(length("mean")).each("scales", func(d doubles) {
		const notEqual = 4 // or unordered
		root, some := YMM(), YMM()
		VSQRTPD(d.add(d.div(d.load64(invs), count), inside), root)
		scale := d.add(root, outside)
		VCMPPD(Imm(notEqual), zero64(), root, some)
		d.store64(corrections, binary(VANDPD, d.div(scale, root), some))
		d.store64(invs, d.div(one, scale))
	})

	y, alpha, beta := base("y"), base("alpha"), base("beta")
	values, means, invs = base("work"), base("mean"), base("inv")
	eachRow("normalRows", []func(){by(n, 4, y), by(n, 8, values), byOne(8, means), byOne(8, invs)}, func() {
		mean, inv := spread(first(means)), spread(first(invs))
		row.each("normal", func(d doubles) {
			scaled := d.mul(d.kept(alpha), d.standardize(d.kept(values), mean, inv))
			d.store(y, d.add(scaled, d.kept(beta)))
		})
	})
	end()
}

// layerNormGradRows first computes the sums of all rows and keeps the terms, then dx of all rows.
func (s set) layerNormGradRows() {
	s.text("layerNormGradRows", "(dx, dy, x []float32, alpha, g, xHat, sums, mean, inv, correction []float64)")
	n := length("alpha")
	row, count := s.newRow(n), countOf(n)

	dy, x, alpha := base("dy"), base("x"), base("alpha")
	gs, xHats, sums := base("g"), base("xHat"), base("sums")
	means, invs := base("mean"), base("inv")
	eachRow("sumRows", []func(){
		by(n, 4, dy), by(n, 4, x), by(n, 8, gs), by(n, 8, xHats), byOne(16, sums), byOne(8, means), byOne(8, invs),
	}, func() {
		mean, inv := spread(first(means)), spread(first(invs))
		sum, projection := newSum(), newSum()
		row.each("sums", func(d doubles) {
			g := d.mul(d.kept(alpha), d.load(dy))
			d.keep(gs, g)
			sum.add(d, g)
			xHat := d.standardize(d.load(x), mean, inv)
			d.keep(xHats, xHat)
			projection.add(d, d.mul(g, xHat))
		})
		VMOVSD(sum.total(), first(sums))
		VMOVSD(projection.total(), first(sums).Offset(8))
	})

	dx, corrections := base("dx"), base("correction")
	gs, xHats, sums, invs = base("g"), base("xHat"), base("sums"), base("inv")
	eachRow("gradRows", []func(){
		by(n, 4, dx), by(n, 8, gs), by(n, 8, xHats), byOne(16, sums), byOne(8, invs), byOne(8, corrections),
	}, func() {
		sum, projection := XMM(), XMM()
		VMOVSD(first(sums), sum)
		VDIVSD(count, sum, sum)
		VMOVSD(first(corrections), projection)
		VMULSD(first(sums).Offset(8), projection, projection)
		VDIVSD(count, projection, projection)
		meanG, slope, inv := spread(sum), spread(projection), spread(first(invs))
		row.each("grad", func(d doubles) {
			rest := d.sub(d.sub(d.kept(gs), meanG), d.mul(slope, d.kept(xHats)))
			d.store(dx, d.mul(rest, inv))
		})
	})
	end()
}

// layerNormColumns handles some columns at a time, whose sums stay in registers over all rows: sixteen columns, a cache line, and fewer at
// the end.
func (s set) layerNormColumns() {
	s.text("layerNormColumns", "(dAlpha, dBeta, dy, x []float32, mean, inv []float64, left, n int)")
	dAlpha, dBeta, dy, x := base("dAlpha"), base("dBeta"), base("dy"), base("x")
	means, invs, rows := base("mean"), base("inv"), length("mean")
	left, stride := parameter("left"), stride("n")
	LEAQ(Mem{Base: dy, Index: left, Scale: 4}, dy)
	LEAQ(Mem{Base: x, Index: left, Scale: 4}, x)
	columns, loops := s.newRow(length("dAlpha")), 0
	body := func(parts ...doubles) {
		loops++
		label := fmt.Sprintf("rows%d", loops)
		alphaSums, betaSums := make([]reg.VecVirtual, len(parts)), make([]reg.VecVirtual, len(parts))
		for i := range parts {
			alphaSums[i], betaSums[i] = zero64(), zero64()
		}
		dyRow, xRow, r := GP64(), GP64(), GP64()
		MOVQ(dy, dyRow)
		MOVQ(x, xRow)
		XORQ(r, r)
		JMP(LabelRef(label + "Test"))
		Label(label)
		mean := spread(Mem{Base: means, Index: r, Scale: 8})
		inv := spread(Mem{Base: invs, Index: r, Scale: 8})
		for i, d := range parts {
			grad := d.load(dyRow)
			projected := d.mul(grad, d.standardize(d.load(xRow), mean, inv))
			VADDPD(projected, alphaSums[i], alphaSums[i])
			VADDPD(grad, betaSums[i], betaSums[i])
		}
		ADDQ(stride, dyRow)
		ADDQ(stride, xRow)
		INCQ(r)
		Label(label + "Test")
		CMPQ(r, rows)
		JLT(LabelRef(label))
		for i, d := range parts {
			d.store(dAlpha, alphaSums[i])
			d.store(dBeta, betaSums[i])
		}
	}
	XORQ(columns.index, columns.index)
	columns.loop("columns16", 4, body)
	columns.loop("columns8", 2, body)
	columns.left("columns", body)
	end()
}
