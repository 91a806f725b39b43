package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// A viewedMatrix is a part of a larger matrix, or of its transpose.
type viewedMatrix struct {
	whole []float32
	Matrix
}

// drawViewed draws a matrix of the shape. It is a part of a larger matrix unless dense is true.
func drawViewed(random *rand.Rand, rows, columns int, transposed, dense bool, draw func([]float32)) viewedMatrix {
	if transposed {
		x := drawViewed(random, columns, rows, false, dense, draw)
		x.Matrix = x.T()
		return x
	}
	var top, left, below, right int
	if !dense {
		top, left, below, right = random.IntN(3), random.IntN(9), random.IntN(3), random.IntN(9)
	}
	whole := make([]float32, (top+rows+below)*(left+columns+right))
	draw(whole)
	return viewedMatrix{whole,
		RowMajor(whole, top+rows+below, left+columns+right).Rows(top, top+rows).Columns(left, left+columns)}
}

func (x Matrix) at(i, j int) float32 { return x.values[i*x.row+j*x.column] }

// wantGemm is an entry of the result by the contract of Gemm.
func wantGemm(a, b Matrix, alpha, beta, c float32, i, j int) float32 {
	var sum float32
	if beta != 0 {
		sum = beta * c
	}
	if alpha == 0 {
		return sum
	}
	for l := range a.columns {
		x, y := a.at(i, l), alpha*b.at(l, j)
		if Active() == Generic {
			sum += float32(x * y)
		} else {
			sum = fusedMultiplyAdd(x, y, sum)
		}
	}
	return sum
}

// testGemm compares entries of the product with wantGemm, all of them if they are few. It also checks that nothing else changed.
func testGemm(t testing.TB, random *rand.Rand, m, k, n int, transposedA, transposedB, dense bool, alpha, beta float32, draw func([]float32)) {
	t.Helper()
	a := drawViewed(random, m, k, transposedA, dense, draw)
	b := drawViewed(random, k, n, transposedB, dense, draw)
	c := drawViewed(random, m, n, false, dense, draw)
	beforeA, beforeB, beforeC := slices.Clone(a.whole), slices.Clone(b.whole), slices.Clone(c.whole)

	Gemm(c.Matrix, a.Matrix, b.Matrix, alpha, beta)

	what := fmt.Sprintf("%s: %v·[%d,%d]·[%d,%d] + %v·c, transposed %v and %v, dense %v", Active(), alpha, m, k, k, n, beta,
		transposedA, transposedB, dense)
	if !sameBits(a.whole, beforeA) || !sameBits(b.whole, beforeB) {
		t.Fatalf("%s: a factor was written to", what)
	}
	before := c.Matrix
	before.values = beforeC[len(c.whole)-len(c.values):]
	for i := range m {
		for j := range n {
			if m*n*k > 1<<16 && random.IntN(m*n) > 50 {
				continue
			}
			got, want := c.at(i, j), wantGemm(a.Matrix, b.Matrix, alpha, beta, before.at(i, j), i, j)
			if math.Float32bits(got) != math.Float32bits(want) && (got == got || want == want) {
				t.Fatalf("%s: [%d,%d]: expected %v, found %v", what, i, j, want, got)
			}
		}
	}
	for i := range m { // put the result's old values back
		for j := range n {
			c.values[i*c.row+j] = before.at(i, j)
		}
	}
	if !sameBits(c.whole, beforeC) {
		t.Fatalf("%s: a value outside c was written to", what)
	}
}

var (
	gemmAlphas = []float32{1, 0, -1, 0.3, 1e-30}
	gemmBetas  = []float32{0, 1, -1, 0.7}
)

func drawNormals(random *rand.Rand) func([]float32) {
	return func(x []float32) {
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
	}
}

func TestGemm(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(21, 22))
		special := func(x []float32) { drawValues(random, x) }
		for _, alpha := range gemmAlphas {
			for _, beta := range gemmBetas {
				for form := range 8 {
					transposedA, transposedB, dense := form&1 != 0, form&2 != 0, form&4 != 0
					for _, draw := range []func([]float32){drawNormals(random), special} {
						m, k, n := random.IntN(40), random.IntN(30), random.IntN(70)
						testGemm(t, random, m, k, n, transposedA, transposedB, dense, alpha, beta, draw)
					}
				}
				// Several blocks of k, and of the part of b that alpha multiplies.
				for _, s := range [][3]int{{9, 800, 30}, {3, 300, 300}} {
					testGemm(t, random, s[0], s[1], s[2], random.IntN(2) == 0, random.IntN(2) == 0, false, alpha, beta,
						drawNormals(random))
				}
			}
		}
	})
}

func FuzzGemm(f *testing.F) {
	f.Add(uint8(0), uint8(7), uint16(9), uint8(25), uint8(0), uint64(1))
	f.Add(uint8(1), uint8(64), uint16(300), uint8(10), uint8(1), uint64(2))
	f.Add(uint8(6), uint8(3), uint16(17), uint8(31), uint8(7), uint64(3))
	f.Add(uint8(11), uint8(1), uint16(1), uint8(1), uint8(3), uint64(4))
	f.Fuzz(func(t *testing.T, form, m uint8, k uint16, n, factors uint8, seed uint64) {
		for _, set := range Available() {
			use(t, set)
			random := rand.New(rand.NewPCG(seed, 16))
			draw := drawNormals(random)
			if form&8 != 0 {
				draw = func(x []float32) { drawValues(random, x) }
			}
			alpha, beta := gemmAlphas[int(factors)%len(gemmAlphas)], gemmBetas[int(factors/8)%len(gemmBetas)]
			testGemm(t, random, int(m%80), int(k%900), int(n%80), form&1 != 0, form&2 != 0, form&4 != 0, alpha, beta, draw)
		}
	})
}

// All instruction sets that fuse products and sums give the same bits, for any values.
func TestProductsOfFusingSetsAreTheSame(t *testing.T) {
	sets := slices.DeleteFunc(Available(), func(set string) bool { return set == Generic })
	if len(sets) < 2 {
		t.Skip("this processor has fewer than two of them")
	}
	random := rand.New(rand.NewPCG(23, 24))
	for range 200 {
		m, k, n := 1+random.IntN(40), 1+random.IntN(40), 1+random.IntN(80)
		a, b, c := make([]float32, m*k), make([]float32, k*n), nans(m*n)
		drawValues(random, a)
		drawValues(random, b)
		use(t, sets[0])
		productNT(c, a, b, nil, m, k, n)
		want := slices.Clone(c)
		for _, set := range sets[1:] {
			use(t, set)
			productNT(c, a, b, nil, m, k, n)
			if !sameBits(c, want) {
				t.Errorf("[%d,%d]·[%d,%d]: %s differs from %s", m, k, k, n, set, sets[0])
			}
		}
	}
}

// A product that is split by the rows of c equals the whole product.
func TestGemmOfPartsOfTheRows(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		const m, k, n = 97, 32, 100
		a, b := normals(1, k*m, 0, 1), normals(2, k*n, 0, 1)
		want, got := nans(m*n), nans(m*n)
		productTN(want, a, b, nil, m, k, n)
		for top := 0; top < m; top += 40 {
			bottom := min(top+40, m)
			Gemm(RowMajor(got, m, n).Rows(top, bottom), RowMajor(a, k, m).T().Rows(top, bottom), RowMajor(b, k, n), 1, 0)
		}
		if !sameBits(got, want) {
			t.Error("the parts differ from the whole")
		}
	})
}

func TestGemmDoesNotAllocate(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		a, b, c := RowMajor(normals(1, 40*30, 0, 1), 30, 40).T(), RowMajor(normals(2, 30*20, 0, 1), 30, 20), RowMajor(nans(40*20), 40, 20)
		if n := testing.AllocsPerRun(200, func() { Gemm(c, a, b, 0.5, 0) }); n >= 1 {
			t.Errorf("expected no allocation, found %v a call", n)
		}
	})
}

func TestGemmPanicsOnShapes(t *testing.T) {
	x := func(rows, columns int) Matrix { return RowMajor(nans(rows*columns), rows, columns) }
	wantPanic(t, "kernel.Gemm: expected as many rows of b as columns of a, 3, found 4", func() { Gemm(x(2, 5), x(2, 3), x(4, 5), 1, 0) })
	wantPanic(t, "kernel.Gemm: expected c of shape [2,5], found [3,5]", func() { Gemm(x(3, 5), x(2, 3), x(3, 5), 1, 0) })
	wantPanic(t, "kernel.Gemm: expected c of shape [2,5], found [2,4]", func() { Gemm(x(2, 4), x(2, 3), x(3, 5), 1, 0) })
	wantPanic(t, "kernel.Gemm: expected the entries of a row of c side by side, found them 2 apart",
		func() { Gemm(x(5, 2).T(), x(2, 3), x(3, 5), 1, 0) })
	wantPanic(t, "kernel.RowMajor: expected len(values) = 6, found 5", func() { RowMajor(nans(5), 2, 3) })
	for _, part := range [][2]int{{-1, 2}, {2, 1}, {0, 6}} {
		wantPanic(t, fmt.Sprintf("kernel.Matrix.Rows: expected a part of 5 rows, found [%d,%d)", part[0], part[1]),
			func() { x(5, 3).Rows(part[0], part[1]) })
		wantPanic(t, fmt.Sprintf("kernel.Matrix.Columns: expected a part of 5 columns, found [%d,%d)", part[0], part[1]),
			func() { x(3, 5).Columns(part[0], part[1]) })
	}
}
