//go:build unix

package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"
)

// Neither changes a value, nor reads beyond the memory it is given.
func TestMemoryIsLeftAsItIs(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(21, 22))
		for _, end := range []bool{false, true} {
			whole := atEdge(t, 200, end)
			drawValues(random, whole)
			before := slices.Clone(whole)
			for n := range whole {
				x := whole[:n]
				if end {
					x = whole[len(whole)-n:]
				}
				ClaimCacheLines(x)
				if n > 0 {
					Prefetch(unsafe.Slice((*uint8)(unsafe.Pointer(&x[0])), 4*n))
				}
			}
			Prefetch(nil)
			if !sameBits(before, whole) {
				t.Error("a value has changed")
			}
		}
	})
}
