package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// eachSet runs the test with each instruction set that the processor has.
func eachSet(t *testing.T, test func(t *testing.T)) {
	for _, set := range Available() {
		t.Run(set, func(t *testing.T) {
			use(t, set)
			test(t)
		})
	}
}

// use sets the instruction set until the test ends.
func use(t testing.TB, set string) {
	before := Active()
	if err := Use(set); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := Use(before); err != nil {
			t.Fatal(err)
		}
	})
}

// lengths are every length up to a few vectors, and some longer ones.
func lengths(random *rand.Rand) []int {
	var n []int
	for i := range 71 {
		n = append(n, i)
	}
	for range 10 {
		n = append(n, 71+random.IntN(3000))
	}
	return n
}

// special are values that arithmetic may treat specially: zeros, denormals, the limits, infinities, quiet and signalling NaNs.
var special = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, 0x1p-149, -0x1p-149, 0x1p-127, -0x1p-126, 0x1p-70, -0x1p-75,
	math.MaxFloat32, -math.MaxFloat32, 0x1p64, -0x1p70, float32(math.Inf(1)), float32(math.Inf(-1)),
	float32(math.NaN()), math.Float32frombits(0xffc12345), math.Float32frombits(0x7f812345),
}

// drawValues fills x with normal values, one in eight of them replaced by a special one.
func drawValues(random *rand.Rand, x []float32) {
	for i := range x {
		x[i] = float32(random.NormFloat64())
		if random.IntN(8) == 0 {
			x[i] = special[random.IntN(len(special))]
		}
	}
}

// requireTwins draws slices of these sizes at any alignment. It requires that the kernel and its plain twin write the same bits and
// nothing around the slices. All NaNs count as equal.
func requireTwins(t *testing.T, random *rand.Rand, sizes []int, kernel, twin func(s [][]float32)) {
	t.Helper()
	const around, guard = 16, -12345.678
	got, want, whole := make([][]float32, len(sizes)), make([][]float32, len(sizes)), make([][]float32, len(sizes))
	for i, n := range sizes {
		start := around + random.IntN(16)
		whole[i] = make([]float32, start+n+around)
		for j := range whole[i] {
			whole[i][j] = guard
		}
		got[i] = whole[i][start : start+n : start+n]
		drawValues(random, got[i])
		want[i] = append([]float32{}, got[i]...)
	}
	kernel(got)
	twin(want)
	for i, n := range sizes {
		for j := range n {
			if !sameFloat(got[i][j], want[i][j]) {
				t.Fatalf("sizes %d: slice %d at %d: expected %v (%08x), found %v (%08x)", sizes, i, j,
					want[i][j], math.Float32bits(want[i][j]), got[i][j], math.Float32bits(got[i][j]))
			}
		}
		start := len(whole[i]) - around - n
		for j, v := range whole[i] {
			if (j < start || j >= start+n) && v != guard {
				t.Fatalf("sizes %d: slice %d: wrote %v at %d, outside", sizes, i, v, j-start)
			}
		}
	}
}

// sameFloat says whether a and b have the same bits or are both NaN.
func sameFloat(a, b float32) bool {
	return math.Float32bits(a) == math.Float32bits(b) || a != a && b != b
}

// layerShapes are the rows and columns of a layer's values in a step: the book's, a wider one, and one beyond the second cache.
var layerShapes = [][2]int{{32, 100}, {128, 300}, {512, 512}}

// benchmarkSets runs the kernel with each instruction set on slices of this many bytes in total.
func benchmarkSets(b *testing.B, name string, bytes int, kernel func()) {
	for _, set := range Available() {
		b.Run(name+"/"+set, func(b *testing.B) {
			use(b, set)
			b.SetBytes(int64(bytes))
			for b.Loop() {
				kernel()
			}
		})
	}
}
