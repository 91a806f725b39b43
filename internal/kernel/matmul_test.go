package kernel

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// matrixProducts are the products, each with where the factors' entries are in their slices.
var matrixProducts = []struct {
	name     string
	multiply func(c, a, b []float32, m, k, n int)
	a        func(i, l, m, k int) int // of row i of the result, term l
	b        func(l, j, k, n int) int // of term l, column j of the result
}{
	{"MatMul", MatMul,
		func(i, l, m, k int) int { return i*k + l },
		func(l, j, k, n int) int { return l*n + j }},
	{"MatMulTN", MatMulTN,
		func(i, l, m, k int) int { return l*m + i },
		func(l, j, k, n int) int { return l*n + j }},
	{"MatMulNT", MatMulNT,
		func(i, l, m, k int) int { return i*k + l },
		func(l, j, k, n int) int { return j*k + l }},
}

// A sum of k products, each rounded and added in float32, is off by at most about k·2⁻²⁴ of the sum of their magnitudes.
func TestProductsAgainstFloat64(t *testing.T) {
	for _, p := range matrixProducts {
		t.Run(p.name, rapid.MakeCheck(func(t *rapid.T) {
			size := rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(60, 80)) // gonum's blocks are of 64
			m, k, n := size.Draw(t, "m"), size.Draw(t, "k"), size.Draw(t, "n")
			seed := rapid.Uint64().Draw(t, "seed")
			a, b, c := normals(seed, m*k, 0, 1), normals(seed+1, k*n, 0, 1), nans(m*n)
			aBefore, bBefore := slices.Clone(a), slices.Clone(b)
			p.multiply(c, a, b, m, k, n)
			if !slices.Equal(a, aBefore) || !slices.Equal(b, bBefore) {
				t.Fatal("a factor has been written to")
			}
			for i := range m {
				for j := range n {
					var want, size float64
					for l := range k {
						term := float64(a[p.a(i, l, m, k)]) * float64(b[p.b(l, j, k, n)])
						want += term
						size += math.Abs(term)
					}
					got, tolerance := float64(c[i*n+j]), float64(k+1)*0x1p-24*size
					if !(math.Abs(got-want) <= tolerance) {
						t.Fatalf("[%d,%d]: expected %v ± %v, found %v", i, j, want, tolerance, got)
					}
				}
			}
		}))
	}
}

// The shapes are those of the three products of a training step, large enough for gonum to share the work out.
func TestProductsDoNotDependOnGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	shapes := []struct{ m, k, n int }{{784, 32, 100}, {128, 784, 100}, {257, 300, 129}}
	for _, p := range matrixProducts {
		for _, s := range shapes {
			t.Run(fmt.Sprintf("%s %dx%dx%d", p.name, s.m, s.k, s.n), func(t *testing.T) {
				a, b := normals(1, s.m*s.k, 0, 1), normals(2, s.k*s.n, 0, 1)
				runtime.GOMAXPROCS(1)
				want := nans(s.m * s.n)
				p.multiply(want, a, b, s.m, s.k, s.n)
				for _, processors := range []int{2, 3, 8, 8} {
					runtime.GOMAXPROCS(processors)
					got := nans(s.m * s.n)
					p.multiply(got, a, b, s.m, s.k, s.n)
					if !sameBits(got, want) {
						t.Errorf("GOMAXPROCS=%d: the result differs from that with 1", processors)
					}
				}
			})
		}
	}
}

func TestProductsPanicOnLengths(t *testing.T) {
	for _, p := range matrixProducts {
		// 2x3 times 3x4, whatever way the factors lie.
		wantPanic(t, "kernel."+p.name+": expected len(c) = 8, found 7", func() { p.multiply(nans(7), nans(6), nans(12), 2, 3, 4) })
		wantPanic(t, "kernel."+p.name+": expected len(a) = 6, found 5", func() { p.multiply(nans(8), nans(5), nans(12), 2, 3, 4) })
		wantPanic(t, "kernel."+p.name+": expected len(b) = 12, found 13", func() { p.multiply(nans(8), nans(6), nans(13), 2, 3, 4) })
	}
}
