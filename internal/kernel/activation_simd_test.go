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

func BenchmarkReLU(b *testing.B) {
	for _, shape := range layerShapes {
		n := shape[0] * shape[1]
		x, dy, y, dx := normals(5, n, 0, 1), normals(6, n, 0, 1), make([]float32, n), make([]float32, n)
		benchmarkSets(b, fmt.Sprintf("Forward/%dx%d", shape[0], shape[1]), 8*n, func() { ReLU.Forward(y, x) })
		benchmarkSets(b, fmt.Sprintf("Backward/%dx%d", shape[0], shape[1]), 12*n, func() { ReLU.Backward(dx, dy, x, y) })
	}
}
