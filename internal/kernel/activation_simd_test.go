package kernel

import (
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

func BenchmarkReLU(b *testing.B) {
	const n = 128 * 300
	random := rand.New(rand.NewPCG(5, 6))
	x, y, dy, dx := make([]float32, n), make([]float32, n), make([]float32, n), make([]float32, n)
	for i := range x {
		x[i], dy[i] = float32(random.NormFloat64()), float32(random.NormFloat64())
	}
	benchmarkSets(b, "Forward", 8*n, func() { ReLU.Forward(y, x) })
	benchmarkSets(b, "Backward", 12*n, func() { ReLU.Backward(dx, dy, x, y) })
}
