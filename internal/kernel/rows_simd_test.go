package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
)

func TestRowsTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(7, 8))
		for _, n := range lengths(random)[1:] {
			for _, rows := range []int{0, 1, 2, 7, 1 + random.IntN(40)} {
				requireTwins(t, random, []int{n, rows * n},
					func(s [][]float32) { SumRows(s[0], s[1]) },
					func(s [][]float32) { sumRowsGo(s[0], s[1]) })
			}
		}
	})
}

// TestAllFiniteTwin puts each special value at each place of a slice, between values that must not be read.
func TestAllFiniteTwin(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(9, 10))
		for _, n := range lengths(random) {
			start := 1 + random.IntN(8)
			around := make([]float32, start+n+8)
			for i := range around {
				around[i] = float32(math.NaN())
			}
			x := around[start : start+n]
			for i := range x {
				x[i] = float32(random.NormFloat64())
			}
			if !AllFinite(x) {
				t.Fatalf("%d finite values found not to be", n)
			}
			for i := range min(n, 100) {
				i = n - 1 - i
				kept := x[i]
				for _, v := range special {
					x[i] = v
					if got, want := AllFinite(x), allFiniteGo([]float32{v}); got != want {
						t.Fatalf("%d values, %v at %d: expected %t, found %t", n, v, i, want, got)
					}
				}
				x[i] = kept
			}
		}
	})
}

// TestSoftmaxTwins requires the same bits for the softmax and its sum, with and without special values among the logits.
func TestSoftmaxTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(19, 20))
		for _, n := range lengths(random)[1:] {
			for _, ordinary := range []bool{true, false} {
				x := make([]float32, n)
				drawValues(random, x)
				if ordinary {
					for i := range x {
						x[i] = float32(100 * random.NormFloat64())
					}
				}
				largest := float64(x[ArgMax(x)])
				exps, unchanged := doublesAround(random, n)
				expsGo := make([]float64, n)
				var sum, sumGo float64
				requireTwins(t, random, []int{n},
					func(s [][]float32) { sum = active.softmax(s[0], exps, x, largest) },
					func(s [][]float32) { sumGo = softmaxGo(s[0], expsGo, x, largest) })
				if !sameDoubles([]float64{sum}, []float64{sumGo}) || !sameDoubles(exps, expsGo) {
					t.Fatalf("%d logits: expected the sum %v, found %v; or the exponentials differ", n, sumGo, sum)
				}
				if !unchanged() {
					t.Fatalf("%d logits: wrote outside the exponentials", n)
				}
			}
		}
	})
}

func BenchmarkRows(b *testing.B) {
	for _, shape := range append([][2]int{{32, 10}}, layerShapes...) {
		rows, n := shape[0], shape[1]
		x, row := make([]float32, rows*n), make([]float32, n)
		benchmarkSets(b, fmt.Sprintf("SumRows/%dx%d", rows, n), 4*rows*n, func() { SumRows(row, x) })
	}
	x := make([]float32, 78400)
	benchmarkSets(b, "AllFinite/78400", 4*len(x), func() { AllFinite(x) })
}
