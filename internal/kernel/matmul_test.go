package kernel

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"pgregory.net/rapid"
)

// The shapes that [TestProductsOfEveryShape] leaves out, and each again with other factors.
func TestProductsAgainstFloat64(t *testing.T) {
	for _, form := range productForms {
		t.Run(form.name, rapid.MakeCheck(func(t *rapid.T) {
			size := rapid.OneOf(rapid.IntRange(1, 20), rapid.IntRange(60, 80))
			m, k, n := size.Draw(t, "m"), size.Draw(t, "k"), size.Draw(t, "n")
			random := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 15))
			p := newProductProblem(random, form, m, k, n, 0)
			p.requireNear(t, p.run(t))
		}))
	}
}

// The shapes are those of a training step, and some that no tile divides.
func TestProductsDoNotDependOnGOMAXPROCS(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	shapes := []struct{ m, k, n int }{{784, 32, 100}, {128, 784, 100}, {257, 300, 129}, {130, 300, 101}}
	eachProduct(t, func(t *testing.T, form productForm) {
		for _, s := range shapes {
			p := newProductProblem(rand.New(rand.NewPCG(9, 10)), form, s.m, s.k, s.n, 3)
			runtime.GOMAXPROCS(1)
			want := p.run(t)
			for _, processors := range []int{1, 2, 3, 8, 8} {
				runtime.GOMAXPROCS(processors)
				if !sameBits(p.run(t), want) {
					t.Errorf("%v, GOMAXPROCS=%d: the result differs from that with 1", p, processors)
				}
			}
		}
	})
}

func TestProductsPanicOnLengths(t *testing.T) {
	// 2x3 times 3x4, and a bias of 4.
	for want, lengths := range map[string][4]int{
		"len(c) = 8, found 7":    {7, 6, 12, 4},
		"len(a) = 6, found 5":    {8, 5, 12, 4},
		"len(b) = 12, found 13":  {8, 6, 13, 4},
		"len(bias) = 4, found 5": {8, 6, 12, 5},
	} {
		wantPanic(t, "kernel.MatMulBias: expected "+want,
			func() { MatMulBias(nans(lengths[0]), nans(lengths[1]), nans(lengths[2]), nans(lengths[3]), 2, 3, 4) })
	}
}
