//go:build unix

package kernel

import (
	"math/rand/v2"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// atEdge is [atEdgeOf] for float32 values.
func atEdge(t *testing.T, n int, end bool) []float32 { return atEdgeOf[float32](t, n, end) }

// atEdgeOf returns a slice of n values at the edge of a page that faults. The test chooses whether reading the value before the slice
// or the value after it faults.
func atEdgeOf[T any](t *testing.T, n int, end bool) []T {
	t.Helper()
	page, size := syscall.Getpagesize(), int(unsafe.Sizeof(*new(T)))
	inside := (size*n + page - 1) / page * page
	memory, err := unix.Mmap(-1, 0, inside+2*page, unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Munmap(memory); err != nil {
			t.Error(err)
		}
	})
	if inside == 0 {
		return nil
	}
	usable := memory[page : page+inside]
	if err := unix.Mprotect(usable, unix.PROT_READ|unix.PROT_WRITE); err != nil {
		t.Fatal(err)
	}
	return cut(unsafe.Slice((*T)(unsafe.Pointer(&usable[0])), inside/size), n, end)
}

// cut is the last n values, or the first.
func cut[T any](x []T, n int, end bool) []T {
	if end {
		return x[len(x)-n:]
	}
	return x[:n]
}

// TestKernelsAtEdge runs every element-wise and row kernel on slices that begin or end beside a page that faults.
func TestKernelsAtEdge(t *testing.T) {
	eachSet(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(11, 12))
		const rows, most = 3, 70
		for _, end := range []bool{false, true} {
			memory := make([][]float32, 5)
			for i := range memory {
				memory[i] = atEdge(t, rows*most, end)
				drawValues(random, memory[i])
			}
			exps, pixels := atEdgeOf[float64](t, most, end), atEdgeOf[uint8](t, most, end)
			for n := 1; n <= most; n++ {
				s := make([][]float32, len(memory))
				for i := range s {
					s[i] = cut(memory[i], n, end)
				}
				matrix := func(i int) []float32 { return cut(memory[i], rows*n, end) }
				for _, u := range updateTwins {
					u.kernel(s[:u.slices], updateScalars{0.1, 0.1, 0.1, 0.1, 0.1, 1, 1, 0})
				}
				ReLU.Forward(s[0], s[1])
				ReLU.Backward(s[0], s[1], nil, s[2])
				for _, a := range smoothActivations {
					a.Forward(s[0], s[1])
					a.Backward(s[0], s[1], s[2], nil)
				}
				AllFinite(s[0])
				SumRows(s[1], matrix(0))
				stats := NewLayerNormStats(rows)
				LayerNorm(matrix(0), matrix(1), s[2], s[3], 1e-3, false, stats)
				LayerNormGrad(matrix(0), matrix(1), matrix(2), s[2], stats)
				LayerNormParameterGrad(s[3], s[4], matrix(1), matrix(2), stats, 0, n)
				for _, pool := range poolTwins {
					pool.do(Pool{1, rows, n, 1, rows}, eachOf(pool.maps, matrix, func(i int) []float32 { return s[i] }))
				}
				CrossEntropyRow(s[0], cut(exps, n, end), s[1], 0)
				Intensities(s[0], cut(pixels, n, end))
			}
		}
	})
}

// eachOf is, for each slice of a kernel, a map or the values of a window.
func eachOf(maps []bool, theMap, window func(i int) []float32) (slices [][]float32) {
	for i, is := range maps {
		if is {
			slices = append(slices, theMap(i))
		} else {
			slices = append(slices, window(i))
		}
	}
	return slices
}
