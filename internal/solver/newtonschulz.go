package solver

import (
	"math"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// newtonSchulz replaces a matrix U = P·Σ·Qᵀ by about its polar factor P·Qᵀ: the singular vectors stay and the singular values get
// near 1. After a division by the Frobenius norm all singular values are from 0 to 1. Then each of five iterations is
//
//	U ← a·U + b·UUᵀU + c·UUᵀUUᵀU
//
// which applies the odd polynomial a·σ + b·σ³ + c·σ⁵ to every singular value, without computing one (Newton-Schulz). With Jordan's
// coefficients small values grow fast, to between about 0.7 and 1.2; they don't converge to 1, and need not.
//
// If U has more rows than columns, the iteration is U·(a + b·G + c·G²) with G = UᵀU, otherwise (a + b·G + c·G²)·U with G = UUᵀ.
// So the square matrices are as small as they can be. They are symmetric, so only the blocks on and above the diagonal are computed.
//
// An entry has the same bits for any number of threads: it is a sum of a kernel's product.
type newtonSchulz struct {
	rows, columns int
	side          int       // of the square matrices
	u, next       []float32 // U before and after an iteration
	gram, poly    []float32 // G, and a + b·G + c·G²
	squares       []float64 // the sum of squares of each row
	inverse       float32   // 1 / the norm

	square, scale, product, polynomial, iterate team.Job
}

// The coefficients and the number of iterations of the article, and what it adds to the norm.
const (
	muonA, muonB, muonC = 3.4445, -4.7750, 2.0315
	muonIterations      = 5
	muonEpsilon         = 1e-7
)

// phase is a part of a step that a team shares.
type phase func(part, parts int)

func (p phase) Do(part, parts int) { p(part, parts) }

// matrix is the memory for a matrix of that shape, for the caller to fill.
func (s *newtonSchulz) matrix(rows, columns int) []float32 {
	if s.iterate == nil {
		s.square, s.scale = phase(s.doSquare), phase(s.doScale)
		s.product, s.polynomial, s.iterate = phase(s.doProduct), phase(s.doPolynomial), phase(s.doIterate)
	}
	s.rows, s.columns, s.side = rows, columns, min(rows, columns)
	s.u, s.next = resize(s.u, rows*columns), resize(s.next, rows*columns)
	s.gram, s.poly = resize(s.gram, s.side*s.side), resize(s.poly, s.side*s.side)
	s.squares = resize(s.squares, rows)
	return s.u
}

// resize is a slice of that length, which reuses the memory if it is enough.
func resize[T any](values []T, length int) []T {
	if cap(values) < length {
		return make([]T, length)
	}
	return values[:length]
}

// polar is the result for the matrix that was filled, in memory that the next call of [newtonSchulz.matrix] reuses.
func (s *newtonSchulz) polar(t *team.Team) []float32 {
	run(t, len(s.u), s.square)
	var sum float64
	for _, squares := range s.squares {
		sum += squares
	}
	s.inverse = float32(1 / (math.Sqrt(sum) + muonEpsilon))
	run(t, len(s.u), s.scale)
	for range muonIterations {
		run(t, len(s.u), s.product)
		run(t, len(s.u), s.polynomial)
		run(t, len(s.u), s.iterate)
		s.u, s.next = s.next, s.u
	}
	return s.u
}

func (s *newtonSchulz) doSquare(part, parts int) {
	lo, hi := op.Split(s.rows, part, parts)
	for i := lo; i < hi; i++ {
		s.squares[i] = kernel.SumSquares(s.u[i*s.columns:][:s.columns])
	}
}

func (s *newtonSchulz) doScale(part, parts int) {
	lo, hi := op.Split(len(s.u), part, parts)
	for i, x := range s.u[lo:hi] {
		s.u[lo+i] = x * s.inverse
	}
}

// doProduct computes G.
func (s *newtonSchulz) doProduct(part, parts int) {
	u := kernel.RowMajor(s.u, s.rows, s.columns)
	if s.rows < s.columns {
		u = u.T()
	}
	gram := kernel.RowMajor(s.gram, s.side, s.side)
	for lo, hi := range strips(s.side, part, parts) {
		kernel.Gemm(gram.Rows(lo, hi).Columns(lo, s.side), u.T().Rows(lo, hi), u.Columns(lo, s.side), 1, 0)
		mirror(s.gram, s.side, lo, hi)
	}
}

// doPolynomial computes a + b·G + c·G².
func (s *newtonSchulz) doPolynomial(part, parts int) {
	gram, poly := kernel.RowMajor(s.gram, s.side, s.side), kernel.RowMajor(s.poly, s.side, s.side)
	for lo, hi := range strips(s.side, part, parts) {
		kernel.Gemm(poly.Rows(lo, hi).Columns(lo, s.side), gram.Rows(lo, hi), gram.Columns(lo, s.side), 1, 0)
		for i := lo; i < hi; i++ {
			row := s.poly[i*s.side:][:s.side]
			for j := lo; j < s.side; j++ {
				row[j] = float32(muonB*s.gram[i*s.side+j]) + float32(muonC*row[j])
			}
			row[i] += muonA
		}
		mirror(s.poly, s.side, lo, hi)
	}
}

// doIterate multiplies U by the polynomial.
func (s *newtonSchulz) doIterate(part, parts int) {
	lo, hi := op.Split(s.rows, part, parts)
	u, next := kernel.RowMajor(s.u, s.rows, s.columns), kernel.RowMajor(s.next, s.rows, s.columns).Rows(lo, hi)
	poly := kernel.RowMajor(s.poly, s.side, s.side)
	if s.rows < s.columns {
		kernel.Gemm(next, poly.Rows(lo, hi), u, 1, 0)
	} else {
		kernel.Gemm(next, u.Rows(lo, hi), poly, 1, 0)
	}
}

// stripHeight is the number of rows of a strip of a symmetric matrix.
const stripHeight = 24

// strips are a part's strips of rows of a symmetric matrix, each as its first row and the row after its last. The strips are dealt
// to the parts in turn, back and forth, because the strip of rows [lo,hi) is computed from column lo on: an upper strip is more work.
func strips(side, part, parts int) func(yield func(lo, hi int) bool) {
	return func(yield func(lo, hi int) bool) {
		for i := 0; i*stripHeight < side; i++ {
			turn, at := i/parts, i%parts
			if turn%2 == 1 {
				at = parts - 1 - at
			}
			if at == part && !yield(i*stripHeight, min((i+1)*stripHeight, side)) {
				return
			}
		}
	}
}

// mirror copies the strip of rows [lo,hi) of a symmetric matrix, from column hi on, to the columns [lo,hi) of the rows below.
func mirror(values []float32, side, lo, hi int) {
	for j := hi; j < side; j++ {
		row := values[j*side+lo:][:hi-lo]
		for i := range row {
			row[i] = values[(lo+i)*side+j]
		}
	}
}
