// Package kernel computes on float32 slices: matrix products, the rows of LayerNorm and of the cross-entropy, activations,
// the solvers' updates. It knows nothing of Gorgonia.
//
// The destination comes first, matrices are row-major, and a length that does not fit is the caller's error: the functions
// panic. Sums run in a fixed order, so the same input gives the same bits whatever GOMAXPROCS is. Where a product is added to
// something, the product is rounded first by a conversion to float32, because Go may otherwise fuse the two on some
// processors and not on others.
package kernel

import "fmt"

// check panics unless a slice has the length that the function's contract asks for.
func check(function, slice string, got, want int) {
	if got != want {
		panic(fmt.Sprintf("kernel.%s: expected len(%s) = %d, found %d", function, slice, want, got))
	}
}
