package kernel

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// pools are shapes with windows of every kind: with and without a rest at the borders, of one place, of the whole map.
func pools(channels int) []Pool {
	return []Pool{
		{4, 6, channels, 2, 2}, {5, 7, channels, 2, 2}, {7, 10, channels, 3, 3}, {3, 2, channels, 1, 1}, {3, 4, channels, 3, 4}, {1, 1, channels, 1, 1}, {5, 6, channels, 2, 5},
	}
}

// poolTwins are the kernels of pools, by the sizes of their slices: true for maps.
var poolTwins = []struct {
	name string
	maps []bool
	do   func(p Pool, s [][]float32)
}{
	{"Max", []bool{false, true}, func(p Pool, s [][]float32) { p.Max(s[0], s[1]) }},
	{"MaxGrad", []bool{true, false, true, false}, func(p Pool, s [][]float32) { p.MaxGrad(s[0], s[1], s[2], s[3]) }},
	{"Mean", []bool{false, true}, func(p Pool, s [][]float32) { p.Mean(s[0], s[1]) }},
	{"MeanGrad", []bool{true, false}, func(p Pool, s [][]float32) { p.MeanGrad(s[0], s[1]) }},
}

// The assembly gives the bits of the plain kernels, also for special values, and writes nothing around its slices.
func TestPoolTwins(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		set, random := active, rand.New(rand.NewPCG(31, 32))
		for channels := 1; channels <= 70; channels++ {
			for _, p := range pools(channels) {
				images := 1 + random.IntN(2)
				for _, twin := range poolTwins {
					var sizes []int
					for _, maps := range twin.maps {
						if maps {
							sizes = append(sizes, images*p.Height*p.Width*channels)
						} else {
							sizes = append(sizes, images*p.Windows()*channels)
						}
					}
					requireTwins(t, random, sizes, func(s [][]float32) { twin.do(p, s) }, func(s [][]float32) {
						active = &generic
						twin.do(p, s)
						active = set
					})
				}
			}
		}
	})
}

// Of equal values the first gets the gradient, and the rest of a border gets none.
func TestPoolBySight(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		p := Pool{Height: 3, Width: 5, Channels: 1, WindowHeight: 2, WindowWidth: 2}
		x := []float32{
			1, 3, -1, -1, 9,
			3, 2, -1, -1, 9,
			9, 9, 9, 9, 9,
		}
		y, dx, mean := nans(2), nans(15), nans(2)
		p.Max(y, x)
		p.MaxGrad(dx, []float32{5, 7}, x, y)
		p.Mean(mean, x)
		want := []float32{3, -1, 0, 5, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2.25, -1}
		if found := append(append(y, dx...), mean...); fmt.Sprint(found) != fmt.Sprint(want) {
			t.Errorf("expected %v, found %v", want, found)
		}
		p.MeanGrad(dx, []float32{4, 8})
		if want := "[1 1 2 2 0 1 1 2 2 0 0 0 0 0 0]"; fmt.Sprint(dx) != want {
			t.Errorf("expected %s, found %v", want, dx)
		}
	})
}

func TestPoolPanics(t *testing.T) {
	p := Pool{4, 4, 3, 2, 2}
	wantPanic(t, "kernel.Pool.Max: expected len(y) = 12, found 11", func() { p.Max(make([]float32, 11), make([]float32, 48)) })
	wantPanic(t, "kernel.Pool.Mean: expected len(x modulo the size of a map) = 0, found 1", func() { p.Mean(make([]float32, 12), make([]float32, 49)) })
	wantPanic(t, "kernel.Pool.MaxGrad: expected len(dx) = 48, found 96", func() {
		p.MaxGrad(make([]float32, 96), make([]float32, 24), make([]float32, 48), make([]float32, 12))
	})
}

func BenchmarkPool(b *testing.B) {
	const images = 32
	for _, p := range []Pool{{28, 28, 32, 2, 2}, {14, 14, 64, 2, 2}, {7, 7, 64, 7, 7}} {
		maps, windows := images*p.Height*p.Width*p.Channels, images*p.Windows()*p.Channels
		for _, twin := range poolTwins {
			var s [][]float32
			size := 0
			for i, isMap := range twin.maps {
				n := windows
				if isMap {
					n = maps
				}
				s, size = append(s, normals(uint64(i), n, 0, 1)), size+4*n
			}
			benchmarkSets(b, fmt.Sprintf("%s/%dx%dx%d", twin.name, p.Height, p.Width, p.Channels), size, func() { twin.do(p, s) })
		}
	}
}
