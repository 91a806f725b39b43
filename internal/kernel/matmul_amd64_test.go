//go:build !purego

package kernel

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// The way by blocks gives the bits of the way by strips, whether a is packed or not, wherever the sums start, and whatever the
// caches are. What was left in the panels doesn't matter.
func TestProductsByBlocksAreThoseByStrips(t *testing.T) {
	defer func(c cacheSizes) { caches = c }(caches)
	for name, by := range map[string]*blocking{"avx2": &avx2Blocking, "avx512": &avx512Blocking} {
		if !slices.Contains(Available(), name) {
			continue
		}
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(31, 32))
			for i := range 120 {
				m, k, n := 1+random.IntN(60), 1+random.IntN(40), 1+random.IntN(150)
				if i%8 == 0 {
					k = 500 + random.IntN(600) // several blocks
				}
				draw := drawNormals(random)
				a := drawViewed(random, m, k, i&1 != 0, i&2 != 0, draw)
				b := drawViewed(random, k, n, i&4 != 0, i&2 != 0, draw)
				c := drawViewed(random, m, n, false, i&2 != 0, draw)
				before := slices.Clone(c.whole)
				start := []Matrix{{}, c.Matrix, {normals(uint64(i), n, 0, 1), m, n, 0, 1}}[i%3]
				by.byStrips(c.Matrix, a.Matrix, b.Matrix, start)
				want := slices.Clone(c.whole)
				for _, caches = range []cacheSizes{{1 << 10, 1 << 10}, {32 << 10, 48 << 10}, {32 << 10, 512 << 10}, {1 << 20, 1 << 30}} {
					for _, packedA := range []bool{false, true} {
						p := panelPool.get()
						fill(p.a[:], float32(math.NaN()))
						fill(p.b[:1<<16], float32(math.NaN()))
						panelPool.put(p)
						copy(c.whole, before)
						by.byBlocks(c.Matrix, a.Matrix, b.Matrix, start, packedA)
						if !sameBits(c.whole, want) {
							t.Fatalf("[%d,%d]·[%d,%d], transposed %v and %v, packed %v, %+v: the ways differ",
								m, k, k, n, i&1 != 0, i&4 != 0, packedA, caches)
						}
					}
				}
			}
		})
	}
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}

// A processor with AVX2 has at least the caches that are assumed of one that does not answer.
func TestCachesOfTheProcessor(t *testing.T) {
	least := cacheSizes{32 << 10, 256 << 10}
	found := readCaches(least)
	t.Logf("%+v", found)
	if found.first < least.first || found.first > 1<<20 || found.second < least.second || found.second > 1<<28 {
		t.Errorf("expected caches of at least %+v and of a likely size, found %+v", least, found)
	}
}
