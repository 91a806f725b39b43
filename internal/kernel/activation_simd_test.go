package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestReLUTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		for _, n := range lengths(random) {
			requireTwins(t, random, []int{n, n},
				func(s [][]float32) { ReLU.Forward(s[0], s[1]) },
				func(s [][]float32) { reluGo(s[0], s[1]) })
			requireTwins(t, random, []int{n, n, n},
				func(s [][]float32) { ReLU.Backward(s[0], s[1], nil, s[2]) },
				func(s [][]float32) { reluGradGo(s[0], s[1], s[2]) })
		}
	})
}

// smoothTwins are the kernels of the activations with an exponential.
var smoothTwins = []struct {
	name  string
	of    func(k *instructions) func(y, x []float32)
	slope func(k *instructions) func(dx, dy, x []float32)
}{
	{"gelu", func(k *instructions) func(_, _ []float32) { return k.gelu }, func(k *instructions) func(_, _, _ []float32) { return k.geluGrad }},
	{"tanh", func(k *instructions) func(_, _ []float32) { return k.tanh }, func(k *instructions) func(_, _, _ []float32) { return k.tanhGrad }},
	{"elu", func(k *instructions) func(_, _ []float32) { return k.elu }, func(k *instructions) func(_, _, _ []float32) { return k.eluGrad }},
	{"selu", func(k *instructions) func(_, _ []float32) { return k.selu }, func(k *instructions) func(_, _, _ []float32) { return k.seluGrad }},
}

func TestSmoothTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(3, 4))
		for _, n := range lengths(random) {
			for _, a := range smoothTwins {
				requireTwins(t, random, []int{n, n},
					func(s [][]float32) { a.of(active)(s[0], s[1]) },
					func(s [][]float32) { a.of(&generic)(s[0], s[1]) })
				requireTwins(t, random, []int{n, n, n},
					func(s [][]float32) { a.slope(active)(s[0], s[1], s[2]) },
					func(s [][]float32) { a.slope(&generic)(s[0], s[1], s[2]) })
			}
		}
	})
}

// Every n-th float32 has the same bits with every instruction set.
func TestSmoothTwinsOfEveryExponent(t *testing.T) {
	everyNth(stride(), func(x []float32) {
		n := len(x)
		want, got, dy := nans(n), nans(n), normals(1, n, 0, 1)
		same := func(what, set string) {
			for i := range want {
				if !sameFloat(got[i], want[i]) {
					t.Fatalf("%s of %v with %s: expected %v, found %v", what, x[i], set, want[i], got[i])
				}
			}
		}
		for _, a := range smoothTwins {
			a.of(&generic)(want, x)
			for _, set := range available[1:] {
				a.of(set)(got, x)
				same(a.name, set.name)
			}
			a.slope(&generic)(want, dy, x)
			for _, set := range available[1:] {
				a.slope(set)(got, dy, x)
				same("gradient of "+a.name, set.name)
			}
		}
	})
}

func BenchmarkActivation(b *testing.B) {
	for _, a := range activationFormulas {
		for _, shape := range layerShapes {
			n := shape[0] * shape[1]
			x, dy, y, dx := normals(5, n, 0, 1), normals(6, n, 0, 1), make([]float32, n), make([]float32, n)
			benchmarkSets(b, fmt.Sprintf("%s/Forward/%dx%d", a.name, shape[0], shape[1]), 8*n, func() { a.Forward(y, x) })
			benchmarkSets(b, fmt.Sprintf("%s/Backward/%dx%d", a.name, shape[0], shape[1]), 12*n, func() { a.Backward(dx, dy, x, y) })
		}
	}
}
