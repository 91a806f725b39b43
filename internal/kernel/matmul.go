package kernel

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
)

// The products are gonum's: it splits the result, never the sum, over its goroutines, so the bits do not depend on their
// number.
var product gonum.Implementation

// MatMul sets c = a·b, with a of shape [m,k], b [k,n] and c [m,n].
func MatMul(c, a, b []float32, m, k, n int) {
	check("MatMul", "c", len(c), m*n)
	check("MatMul", "a", len(a), m*k)
	check("MatMul", "b", len(b), k*n)
	product.Sgemm(blas.NoTrans, blas.NoTrans, m, n, k, 1, a, k, b, n, 0, c, n)
}

// MatMulTN sets c = aᵀ·b, with a of shape [k,m], b [k,n] and c [m,n]: the gradient of the weights.
func MatMulTN(c, a, b []float32, m, k, n int) {
	check("MatMulTN", "c", len(c), m*n)
	check("MatMulTN", "a", len(a), k*m)
	check("MatMulTN", "b", len(b), k*n)
	product.Sgemm(blas.Trans, blas.NoTrans, m, n, k, 1, a, m, b, n, 0, c, n)
}

// MatMulNT sets c = a·bᵀ, with a of shape [m,k], b [n,k] and c [m,n]: the gradient of the input.
func MatMulNT(c, a, b []float32, m, k, n int) {
	check("MatMulNT", "c", len(c), m*n)
	check("MatMulNT", "a", len(a), m*k)
	check("MatMulNT", "b", len(b), n*k)
	product.Sgemm(blas.NoTrans, blas.Trans, m, n, k, 1, a, k, b, k, 0, c, n)
}
