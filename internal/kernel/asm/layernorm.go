package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// layernorm writes the passes of LayerNorm over one row. They compute in float64.
func layernorm() {
	for _, s := range sets {
		s.rowMoments()
		s.normalize()
		s.layerNormGradSums()
		s.layerNormColumns()
		s.layerNormGradRow()
	}
}

func (s set) rowMoments() {
	s.text("rowMoments", "(x []float32) (mean, squares float64)")
	x, row := base("x"), s.newRow(length("x"))

	sum := newSum()
	row.each("sum", func(d doubles) { sum.add(d, d.load(x)) })
	count := XMM()
	VXORPS(count, count, count)
	VCVTSI2SDQ(row.n, count, count)
	first := sum.total()
	VDIVSD(count, first, first)
	result64(first, "mean")
	mean := spread(first)

	squares := newSum()
	row.each("squares", func(d doubles) {
		deviation := d.sub(d.load(x), mean)
		squares.add(d, d.mul(deviation, deviation))
	})
	result64(squares.total(), "squares")
	end()
}

func (s set) normalize() {
	s.text("normalize", "(y, x, alpha, beta []float32, mean, inv float64)")
	y, x, alpha, beta := base("y"), base("x"), base("alpha"), base("beta")
	mean, inv := broadcast64("mean"), broadcast64("inv")
	s.newRow(length("y")).each("values", func(d doubles) {
		scaled := d.mul(d.load(alpha), d.standardize(d.load(x), mean, inv))
		d.store(y, d.add(scaled, d.load(beta)))
	})
	end()
}

func (s set) layerNormGradSums() {
	s.text("layerNormGradSums", "(dy, x, alpha []float32, mean, inv float64) (sum, projection float64)")
	dy, x, alpha := base("dy"), base("x"), base("alpha")
	mean, inv := broadcast64("mean"), broadcast64("inv")
	row := s.newRow(length("dy"))
	sum, projection := newSum(), newSum()
	row.each("values", func(d doubles) {
		g := d.mul(d.load(alpha), d.load(dy))
		sum.add(d, g)
		projection.add(d, d.mul(g, d.standardize(d.load(x), mean, inv)))
	})
	result64(sum.total(), "sum")
	result64(projection.total(), "projection")
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

func (s set) layerNormGradRow() {
	s.text("layerNormGradRow", "(dx, dy, x, alpha []float32, mean, inv, meanG, slope float64)")
	dx, dy, x, alpha := base("dx"), base("dy"), base("x"), base("alpha")
	mean, inv := broadcast64("mean"), broadcast64("inv")
	meanG, slope := broadcast64("meanG"), broadcast64("slope")
	s.newRow(length("dx")).each("values", func(d doubles) {
		xHat := d.standardize(d.load(x), mean, inv)
		g := d.mul(d.load(alpha), d.load(dy))
		d.store(dx, d.mul(d.sub(d.sub(g, meanG), d.mul(slope, xHat)), inv))
	})
	end()
}
