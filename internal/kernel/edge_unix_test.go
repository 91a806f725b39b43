//go:build unix

package kernel

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"
)

// atEdge returns a slice of n values, of which neither the one before nor the one after can be read without a fault: not both
// at once, so that the test chooses the side.
func atEdge(t *testing.T, n int, end bool) []float32 {
	t.Helper()
	page := syscall.Getpagesize()
	inside := (4*n + page - 1) / page * page
	memory, err := syscall.Mmap(-1, 0, inside+2*page, syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	if inside == 0 {
		return nil
	}
	usable := memory[page : page+inside]
	if err := syscall.Mprotect(usable, syscall.PROT_READ|syscall.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	x := unsafe.Slice((*float32)(unsafe.Pointer(&usable[0])), inside/4)
	if end {
		return x[len(x)-n:]
	}
	return x[:n]
}

// TestElementwiseAtEdge runs every element-wise kernel on slices that end, and that begin, beside a page that faults.
func TestElementwiseAtEdge(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(11, 12))
		const rows, most = 3, 70
		for _, end := range []bool{false, true} {
			memory := make([][]float32, 5)
			for i := range memory {
				memory[i] = atEdge(t, rows*most, end)
				drawValues(random, memory[i])
			}
			for n := 1; n <= most; n++ {
				cut := func(x []float32, n int) []float32 {
					if end {
						return x[len(x)-n:]
					}
					return x[:n]
				}
				s := make([][]float32, len(memory))
				for i := range s {
					s[i] = cut(memory[i], n)
				}
				for _, u := range updateTwins {
					u.kernel(s[:u.slices], updateScalars{0.1, 0.1, 0.1, 0.1, 0.1, 1, 1, 0})
				}
				ReLU.Forward(s[0], s[1])
				ReLU.Backward(s[0], s[1], nil, s[2])
				AllFinite(s[0])
				SumRows(s[1], cut(memory[0], rows*n))
				stats := NewLayerNormStats(rows, n)
				LayerNorm(cut(memory[0], rows*n), cut(memory[1], rows*n), s[2], s[3], 1e-3, false, stats)
				LayerNormGrad(cut(memory[0], rows*n), cut(memory[1], rows*n), cut(memory[2], rows*n), s[2], stats)
				LayerNormParameterGrad(s[3], s[4], cut(memory[1], rows*n), cut(memory[2], rows*n), stats, 0, n)
			}
		}
	})
}
