package kernel

import (
	"math/rand/v2"
	"testing"
)

// A product that is computed in parts of its terms has the bits of the whole. What is around the result stays as it is.
func TestAddProduct(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(23, 24))
		draw := drawNormals(random)
		for range 200 {
			m, k, n := random.IntN(40), random.IntN(300), random.IntN(70)
			a := drawViewed(random, m, k, random.IntN(2) == 0, false, draw)
			b := drawViewed(random, k, n, random.IntN(2) == 0, false, draw)
			c := drawViewed(random, m, n, false, false, draw)
			sums := drawViewed(random, m, n, false, false, draw)
			bias := normals(random.Uint64(), n, 0, 1)
			want := make([]float32, m*n)
			for i := range m {
				copy(want[i*n:], bias)
			}
			Gemm(rowMajor(want, m, n), a.Matrix, b.Matrix, 1, 1)
			around := [2]float64{SumSquares(c.whole) - squares(c.Matrix), SumSquares(sums.whole) - squares(sums.Matrix)}

			first, second := random.IntN(k+1), random.IntN(k+1)
			first, second = min(first, second), max(first, second)
			AddProduct(sums.Matrix, Repeat(bias, m), a.Columns(0, first), b.Rows(0, first))
			AddProduct(sums.Matrix, sums.Matrix, a.Columns(first, second), b.Rows(first, second))
			AddProduct(c.Matrix, sums.Matrix, a.Columns(second, k), b.Rows(second, k))

			for i := range m {
				for j := range n {
					if found := c.at(i, j); found != want[i*n+j] {
						t.Fatalf("[%d,%d]·[%d,%d] in parts of %d, %d and %d terms: [%d,%d]: expected %v, found %v",
							m, k, k, n, first, second-first, k-second, i, j, want[i*n+j], found)
					}
				}
			}
			after := [2]float64{SumSquares(c.whole) - squares(c.Matrix), SumSquares(sums.whole) - squares(sums.Matrix)}
			for i := range after {
				if d := after[i] - around[i]; !(d < 1e-3 && d > -1e-3) {
					t.Errorf("values around a result were changed: the sum of their squares by %v", d)
				}
			}
		}
	})
}

// squares is the sum of the squares of a matrix's entries.
func squares(x Matrix) (sum float64) {
	for i := range x.rows {
		for j := range x.columns {
			sum += float64(x.at(i, j)) * float64(x.at(i, j))
		}
	}
	return sum
}

func TestAddProductPanics(t *testing.T) {
	m := func(rows, columns int) Matrix { return rowMajor(make([]float32, rows*columns), rows, columns) }
	wantPanic(t, "kernel.AddProduct: expected c and its start of shape [2,4] for the product of [2,3] and [3,4], found [2,4] and [4,2]",
		func() { AddProduct(m(2, 4), m(4, 2), m(2, 3), m(3, 4)) })
	wantPanic(t, "kernel.AddProduct: expected the entries of a row of c and of its start side by side",
		func() { AddProduct(m(2, 4), m(4, 2).T(), m(2, 3), m(3, 4)) })
}
