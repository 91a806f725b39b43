package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"pgregory.net/rapid"
)

// A productForm is one of the four products, with where the factors' entries are in their slices.
type productForm struct {
	name       string
	multiply   func(c, a, b, bias []float32, m, k, n int)
	a, b       func(m, k, n int) Matrix // of nil values
	transposed [2]blas.Transpose
	bias       bool
}

var (
	rowsOfA    = func(m, k, n int) Matrix { return Matrix{nil, m, k, k, 1} }
	columnsOfA = func(m, k, n int) Matrix { return Matrix{nil, m, k, 1, m} }
	rowsOfB    = func(m, k, n int) Matrix { return Matrix{nil, k, n, n, 1} }
	columnsOfB = func(m, k, n int) Matrix { return Matrix{nil, k, n, 1, k} }
)

var productForms = []productForm{
	{"NN", productNN, rowsOfA, rowsOfB, [2]blas.Transpose{blas.NoTrans, blas.NoTrans}, false},
	{"TN", productTN, columnsOfA, rowsOfB, [2]blas.Transpose{blas.Trans, blas.NoTrans}, false},
	{"NT", productNT, rowsOfA, columnsOfB, [2]blas.Transpose{blas.NoTrans, blas.Trans}, false},
	{"Bias", MatMulBias, rowsOfA, rowsOfB, [2]blas.Transpose{blas.NoTrans, blas.NoTrans}, true},
}

func productNN(c, a, b, _ []float32, m, k, n int) {
	Gemm(RowMajor(c, m, n), RowMajor(a, m, k), RowMajor(b, k, n), 1, 0)
}

func productTN(c, a, b, _ []float32, m, k, n int) {
	Gemm(RowMajor(c, m, n), RowMajor(a, k, m).T(), RowMajor(b, k, n), 1, 0)
}

func productNT(c, a, b, _ []float32, m, k, n int) {
	Gemm(RowMajor(c, m, n), RowMajor(a, m, k), RowMajor(b, n, k).T(), 1, 0)
}

// A productProblem is the factors of a product, and a place for the result among values that must stay.
type productProblem struct {
	form       productForm
	m, k, n    int
	a, b, bias []float32
	c, around  []float32
}

// guard is a value that no product has.
var guard = math.Float32frombits(0x7fc12345)

// newProductProblem draws the factors. The slices begin so many values after an aligned address.
func newProductProblem(random *rand.Rand, form productForm, m, k, n, offset int) *productProblem {
	p := emptyProductProblem(form, m, k, n, offset)
	for _, x := range [][]float32{p.a, p.b, p.bias} {
		for i := range x {
			x[i] = float32(random.NormFloat64())
		}
	}
	return p
}

func emptyProductProblem(form productForm, m, k, n, offset int) *productProblem {
	empty := func(size int) []float32 { return make([]float32, size+offset)[offset:] }
	p := &productProblem{form: form, m: m, k: k, n: n, a: empty(m * k), b: empty(k * n), bias: empty(n)}
	p.around = make([]float32, offset+16+m*n+16)
	p.c = p.around[offset+16:][: m*n : m*n]
	return p
}

// corner is the product of the first m rows of a and the first n columns of b, at some offset.
func (p *productProblem) corner(offset, m, n int) *productProblem {
	corner := emptyProductProblem(p.form, m, p.k, n, offset)
	a, b := p.form.a(p.m, p.k, p.n), p.form.b(p.m, p.k, p.n)
	cornerA, cornerB := p.form.a(m, p.k, n), p.form.b(m, p.k, n)
	for l := range p.k {
		for i := range m {
			corner.a[i*cornerA.row+l*cornerA.column] = p.a[i*a.row+l*a.column]
		}
		for j := range n {
			corner.b[l*cornerB.row+j*cornerB.column] = p.b[l*b.row+j*b.column]
		}
	}
	copy(corner.bias, p.bias)
	return corner
}

// run computes the product and returns a copy of it. It fails if anything else was written to.
func (p *productProblem) run(t rapid.TB) []float32 {
	t.Helper()
	for i := range p.around {
		p.around[i] = guard
	}
	a, b, bias := slices.Clone(p.a), slices.Clone(p.b), slices.Clone(p.bias)
	p.form.multiply(p.c, p.a, p.b, p.bias, p.m, p.k, p.n)
	if !sameBits(a, p.a) || !sameBits(b, p.b) || !sameBits(bias, p.bias) {
		t.Fatalf("%v: a factor was written to", p)
	}
	c := slices.Clone(p.c)
	for i := range p.c {
		p.c[i] = guard
	}
	for i, v := range p.around {
		if math.Float32bits(v) != math.Float32bits(guard) {
			t.Fatalf("%v: a value outside c was written to, %d values after its begin", p, i-(len(p.around)-len(p.c)-16))
		}
	}
	return c
}

func (p *productProblem) String() string {
	return fmt.Sprintf("%s of [%d,%d]·[%d,%d] with %s", p.form.name, p.m, p.k, p.k, p.n, Active())
}

// requireNear compares c with the sum in float64. A term is rounded once as a product and then in at most k sums, each time
// by at most 2⁻²⁴, so the result is off by at most (k+1)·2⁻²⁴ of the sum of the magnitudes, in first order.
func (p *productProblem) requireNear(t rapid.TB, c []float32) {
	t.Helper()
	a, b := p.form.a(p.m, p.k, p.n), p.form.b(p.m, p.k, p.n)
	for i := range p.m {
		for j := range p.n {
			var want float64
			if p.form.bias {
				want = float64(p.bias[j])
			}
			size := math.Abs(want)
			for l := range p.k {
				term := float64(p.a[i*a.row+l*a.column]) * float64(p.b[l*b.row+j*b.column])
				want += term
				size += math.Abs(term)
			}
			got, tolerance := float64(c[i*p.n+j]), float64(p.k+1)*0x1p-24*size
			if !(math.Abs(got-want) <= tolerance) {
				t.Fatalf("%v: [%d,%d]: expected %v ± %v, found %v", p, i, j, want, tolerance, got)
			}
		}
	}
}

// requireSequential compares the bits of an entry with a sum from left to right.
func (p *productProblem) requireSequential(t testing.TB, c []float32, i, j int) {
	t.Helper()
	a, b := p.form.a(p.m, p.k, p.n), p.form.b(p.m, p.k, p.n)
	var want float32
	if p.form.bias {
		want = p.bias[j]
	}
	for l := range p.k {
		x, y := p.a[i*a.row+l*a.column], p.b[l*b.row+j*b.column]
		if Active() == Generic {
			want += float32(x * y)
		} else {
			want = fusedMultiplyAdd(x, y, want)
		}
	}
	if got := c[i*p.n+j]; math.Float32bits(got) != math.Float32bits(want) {
		t.Fatalf("%v: [%d,%d]: expected the sum from left to right, %v, found %v", p, i, j, want, got)
	}
}

// fusedMultiplyAdd is x·y + z, rounded once. x·y is exact in float64; the float64 sum is rounded to odd, which leaves the
// rounding to float32 as if it had been the only one.
func fusedMultiplyAdd(x, y, z float32) float32 {
	product, addend := float64(x)*float64(y), float64(z)
	sum := product + addend
	if math.IsInf(sum, 0) || math.IsNaN(sum) {
		return float32(sum)
	}
	// The error of the sum, exact (Knuth's TwoSum).
	virtual := sum - product
	rest := (product - (sum - virtual)) + (addend - virtual)
	if bits := math.Float64bits(sum); rest != 0 && bits&1 == 0 {
		if (rest > 0) == (sum > 0) {
			bits++
		} else {
			bits--
		}
		sum = math.Float64frombits(bits)
	}
	return float32(sum)
}

func eachProduct(t *testing.T, test func(t *testing.T, form productForm)) {
	eachSet(t, func(t *testing.T) {
		for _, form := range productForms {
			t.Run(form.name, func(t *testing.T) { test(t, form) })
		}
	})
}

// Each shape of up to 40 rows and columns, which is several tiles and strips of each size and what they leave over, for the k
// where the kernels turn from one way to another; and each k up to 40 for some shapes.
func TestProductsOfEveryShape(t *testing.T) {
	const most = 40
	everyShape := []int{1, 2, 8, 11, 17}
	eachProduct(t, func(t *testing.T, form productForm) {
		random := rand.New(rand.NewPCG(1, 2))
		for k := 1; k <= most; k++ {
			whole := newProductProblem(random, form, most, k, most, 0)
			want := whole.run(t)
			whole.requireNear(t, want)
			for range 20 {
				whole.requireSequential(t, want, random.IntN(most), random.IntN(most))
			}
			step := 13
			if slices.Contains(everyShape, k) {
				step = 1
			}
			for m := 1; m <= most; m += step {
				for n := 1; n <= most; n += step {
					c := whole.corner(random.IntN(16), m, n).run(t)
					for i := range m {
						if !sameBits(c[i*n:][:n], want[i*most:][:n]) {
							t.Fatalf("[%d,%d]·[%d,%d]: row %d differs from that of the product with %d rows and columns",
								m, k, k, n, i, most)
						}
					}
				}
			}
		}
	})
}

func TestProductsOfLargerShapes(t *testing.T) {
	eachProduct(t, func(t *testing.T, form productForm) {
		random := rand.New(rand.NewPCG(1, 2))
		check := func(m, k, n int) {
			p := newProductProblem(random, form, m, k, n, random.IntN(16))
			c := p.run(t)
			p.requireNear(t, c)
			for range 10 {
				p.requireSequential(t, c, random.IntN(m), random.IntN(n))
			}
		}
		for n := 41; n <= 80; n++ {
			check(1+n%9, 3+n%7, n)
		}
		for range 8 {
			check(1+random.IntN(150), 1+random.IntN(150), 1+random.IntN(150))
		}
		check(520, 9, 33) // rows enough to pack b
		check(3, 5, 1030) // rows of b far enough apart to pack it
		// Several blocks of k, and their limits.
		for _, k := range []int{256, 257, 513, 784, 785, 1570} {
			check(1+random.IntN(30), k, 1+random.IntN(70))
		}
		// Rows and columns enough to go by blocks; then to pack a, which may be far apart besides.
		for _, s := range [][3]int{{192, 7, 33}, {207, 30, 100}, {193, 100, 201}, {650, 130, 205}, {512, 1024, 256}, {1024, 20, 150}} {
			p := newProductProblem(random, form, s[0], s[1], s[2], random.IntN(16))
			c := p.run(t)
			for range 50 {
				p.requireSequential(t, c, random.IntN(s[0]), random.IntN(s[2]))
			}
		}
	})
}

// A product without terms is the start.
func TestProductsOfNothing(t *testing.T) {
	eachProduct(t, func(t *testing.T, form productForm) {
		random := rand.New(rand.NewPCG(3, 4))
		for _, s := range [][3]int{{0, 3, 5}, {3, 5, 0}, {0, 0, 0}, {3, 0, 5}} {
			p := newProductProblem(random, form, s[0], s[1], s[2], 1)
			p.requireNear(t, p.run(t))
		}
	})
}

// An entry's bits depend on its row and column alone: a row multiplied by itself, and a column.
func TestProductsOfARowAlone(t *testing.T) {
	eachProduct(t, func(t *testing.T, form productForm) {
		random := rand.New(rand.NewPCG(7, 8))
		for range 15 {
			m, k, n := 1+random.IntN(90), 1+random.IntN(600), 1+random.IntN(120)
			p := newProductProblem(random, form, m, k, n, 0)
			c := p.run(t)
			a, b := form.a(m, k, n), form.b(m, k, n)

			i, j := random.IntN(m), random.IntN(n)
			row, column := make([]float32, k), make([]float32, k)
			for l := range k {
				row[l], column[l] = p.a[i*a.row+l*a.column], p.b[l*b.row+j*b.column]
			}
			got := make([]float32, n)
			form.multiply(got, row, p.b, p.bias, 1, k, n)
			if !sameBits(got, c[i*n:][:n]) {
				t.Fatalf("%v: row %d alone differs from the same in the batch", p, i)
			}
			got = make([]float32, m)
			form.multiply(got, p.a, column, p.bias[j:j+1], m, k, 1)
			for r := range m {
				if math.Float32bits(got[r]) != math.Float32bits(c[r*n+j]) {
					t.Fatalf("%v: column %d alone differs from the same beside others, in row %d", p, j, r)
				}
			}
		}
	})
}

// Products that run side by side do not share their panels.
func TestProductsSideBySide(t *testing.T) {
	eachProduct(t, func(t *testing.T, form productForm) {
		done := make(chan bool)
		for seed := range uint64(4) {
			go func() {
				p := newProductProblem(rand.New(rand.NewPCG(seed, 11)), form, 70, 60, 50, 0)
				want := p.run(t)
				same := true
				for range 20 {
					same = same && sameBits(p.run(t), want)
				}
				done <- same
			}()
		}
		for range 4 {
			if !<-done {
				t.Error("the result differs from run to run")
			}
		}
	})
}

// What is not finite goes to the entries of its row or column, and to no other, also where the other factor is 0.
func TestProductsOfWhatIsNotFinite(t *testing.T) {
	infinity := float32(math.Inf(1))
	eachProduct(t, func(t *testing.T, form productForm) {
		random := rand.New(rand.NewPCG(12, 13))
		for range 50 {
			m, k, n := 1+random.IntN(20), 1+random.IntN(20), 1+random.IntN(40)
			p := newProductProblem(random, form, m, k, n, 0)
			a, b := form.a(m, k, n), form.b(m, k, n)
			i, j, l := random.IntN(m), random.IntN(n), random.IntN(k)
			p.a[i*a.row+l*a.column] = infinity
			p.b[l*b.row+j*b.column] = 0
			c := p.run(t)
			for r := range m {
				for s := range n {
					v := float64(c[r*n+s])
					switch {
					case r == i && s == j && !math.IsNaN(v):
						t.Fatalf("%v: expected 0·∞ = NaN, found %v", p, v)
					case r == i && s != j && !math.IsInf(v, 0):
						t.Fatalf("%v: [%d,%d]: expected ±∞, found %v", p, r, s, v)
					case r != i && (math.IsNaN(v) || math.IsInf(v, 0)):
						t.Fatalf("%v: [%d,%d]: expected a finite value, found %v", p, r, s, v)
					}
				}
			}
		}
		tiny := math.Float32frombits(1)
		p := newProductProblem(random, form, 5, 1, 9, 0)
		for x := range p.a {
			p.a[x] = tiny
		}
		for x := range p.b {
			p.b[x], p.bias[x] = 3, 0
		}
		for x, v := range p.run(t) {
			if v != 3*tiny {
				t.Errorf("%v: [%d]: expected the denormal %v, found %v", p, x, 3*tiny, v)
			}
		}
	})
}

func TestProductsDoNotAllocate(t *testing.T) {
	eachProduct(t, func(t *testing.T, form productForm) {
		p := newProductProblem(rand.New(rand.NewPCG(14, 15)), form, 70, 40, 30, 0)
		multiply := func() { form.multiply(p.c, p.a, p.b, p.bias, p.m, p.k, p.n) }
		// The race detector lets pools forget at times.
		if n := testing.AllocsPerRun(200, multiply); n >= 1 {
			t.Errorf("expected no allocation, found %v a call", n)
		}
	})
}

// BenchmarkProducts has the products of a training step, of a whole batch and of half of one, those of two convolutions of 3x3, and
// gonum's beside ours. gonum's share the work out over GOMAXPROCS, ours don't.
func BenchmarkProducts(b *testing.B) {
	shapes := map[string][][3]int{
		"NN": {{32, 784, 100}, {16, 784, 100}, {32, 100, 10}, {128, 784, 300}, {64, 784, 300}, {128, 300, 100}, {512, 784, 512},
			{256, 784, 512}, {512, 512, 512}, {256, 512, 512}, {250, 784, 100}, {1024, 1024, 1024},
			{6272, 144, 32}, {1568, 576, 128}},
		"TN": {{784, 32, 100}, {392, 32, 100}, {100, 32, 10}, {784, 128, 300}, {300, 128, 100}, {784, 512, 512}, {512, 512, 512},
			{144, 6272, 32}, {576, 1568, 128}},
		"NT": {{32, 10, 100}, {32, 100, 300}, {128, 100, 300}, {64, 100, 300}, {128, 300, 784}, {512, 512, 512}, {256, 512, 512},
			{6272, 32, 144}, {1568, 128, 576}},
	}
	for _, form := range productForms {
		for _, s := range shapes[form.name] {
			m, k, n := s[0], s[1], s[2]
			p := newProductProblem(rand.New(rand.NewPCG(17, 18)), form, m, k, n, 0)
			measure := func(set string, multiply func()) {
				b.Run(fmt.Sprintf("%s/%dx%dx%d/%s", form.name, m, k, n, set), func(b *testing.B) {
					for b.Loop() {
						multiply()
					}
					b.ReportMetric(2*float64(m)*float64(k)*float64(n)*float64(b.N)/float64(b.Elapsed().Nanoseconds()), "GFLOP/s")
				})
			}
			measure("gonum", func() {
				lda, ldb := max(form.a(m, k, n).row, form.a(m, k, n).column), max(form.b(m, k, n).row, form.b(m, k, n).column)
				var implementation gonum.Implementation
				implementation.Sgemm(form.transposed[0], form.transposed[1], m, n, k, 1, p.a, lda, p.b, ldb, 0, p.c, n)
			})
			for _, set := range Available() {
				use(b, set)
				measure(set, func() { form.multiply(p.c, p.a, p.b, p.bias, m, k, n) })
			}
		}
	}
}
