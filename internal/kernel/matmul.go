package kernel

import "fmt"

//go:generate go run -C asm . -out ../matmul_amd64.s -stubs ../matmul_amd64_stubs.go -pkg kernel matmul

// The products, for every instruction set:
//
//	c[i,j] = start + a[i,0]·b[0,j] + a[i,1]·b[1,j] + ... + a[i,k-1]·b[k-1,j]
//
// summed from left to right in float32. The start is 0, the bias or a multiple of c. The order depends on nothing else: an entry
// of c has the same bits wherever its row and column lie in the matrices, and whatever m, n and the number of processors are.
// With AVX2, AVX-512 and NEON each step is a fused multiply-add, rounded once, so they give the same bits. Plain Go rounds the
// product and then the sum. Both are within about k·2⁻²⁴·(|start| + Σ|a·b|) of the exact sum, so they differ by at most twice
// as much. No term is left out for a factor of 0, so 0·∞ is NaN.
//
// The method is Goto and van de Geijn's ("Anatomy of high-performance matrix multiplication", 2008). A tile of c stays in
// registers while k runs, and the part of b that the tiles of a column share stays in the cache. k runs in blocks; between them
// c holds the sums.

// Gemm sets c = alpha·a·b + beta·c, as BLAS's gemm does. Transposes and parts of matrices are views: the rows [top,bottom) of
// c = aᵀ·b, which do not depend on the others, are Gemm(c.Rows(top, bottom), a.T().Rows(top, bottom), b, 1, 0).
//
// The sums start from beta·c, rounded. A term is an entry of a times alpha·b, rounded. So a factor of 1 changes no bit. With
// beta = 0, c is not read, and with alpha = 0, a and b are not read: a NaN in them has no effect.
//
// It panics if the shapes do not fit, or if c is a transpose. c must not share memory with a or b.
func Gemm(c, a, b Matrix, alpha, beta float32) {
	switch {
	case b.rows != a.columns:
		panic(fmt.Sprintf("kernel.Gemm: expected as many rows of b as columns of a, %d, found %d", a.columns, b.rows))
	case c.rows != a.rows || c.columns != b.columns:
		panic(fmt.Sprintf("kernel.Gemm: expected c of shape [%d,%d], found [%d,%d]", a.rows, b.columns, c.rows, c.columns))
	case c.column != 1 && c.columns > 1:
		panic(fmt.Sprintf("kernel.Gemm: expected the entries of a row of c side by side, found them %d apart", c.column))
	}
	var start Matrix
	if beta != 0 {
		start = c
		c.scale(beta)
	}
	switch {
	case alpha == 0:
		product(c, a.Columns(0, 0), b.Rows(0, 0), start)
	case alpha == 1 || b.rows == 0:
		product(c, a, b, start)
	default:
		productOfScaled(c, a, b, start, alpha)
	}
}

// MatMulBias sets c = a·b + bias, with a [m,k], b [k,n], bias [n] added to each row, and c [m,n]. The sums start from the bias, so
// the bits may differ from a product to which the bias is added later.
func MatMulBias(c, a, b, bias []float32, m, k, n int) {
	check("MatMulBias", "c", len(c), m*n)
	check("MatMulBias", "a", len(a), m*k)
	check("MatMulBias", "b", len(b), k*n)
	check("MatMulBias", "bias", len(bias), n)
	product(rowMajor(c, m, n), rowMajor(a, m, k), rowMajor(b, k, n), Matrix{bias, m, n, 0, 1})
}

// product sets c = start + a·b. The start is c itself, or one row for all rows (its row distance is 0), or the zero Matrix, which
// means 0.
func product(c, a, b, start Matrix) {
	switch {
	case c.rows == 0 || c.columns == 0:
	case a.columns == 0:
		for i := range c.rows {
			row := c.values[i*c.row:][:c.columns]
			if start.values == nil {
				clear(row)
			} else {
				copy(row, start.values[i*start.row:])
			}
		}
	default:
		active.product(c, a, b, start)
	}
}

// scaledSide is the side of the blocks of b that are multiplied by a factor. A block has 256 KB, which the second cache holds.
const scaledSide = 256

var scaledBlocks = newScratch[[scaledSide * scaledSide]float32]()

// productOfScaled sets c = start + a·(alpha·b), block by block of b.
func productOfScaled(c, a, b, start Matrix, alpha float32) {
	block := scaledBlocks.get()
	defer scaledBlocks.put(block)
	for left := 0; left < b.columns; left += scaledSide {
		right := min(left+scaledSide, b.columns)
		sums, from := c.Columns(left, right), start
		if start.values != nil {
			from = start.Columns(left, right)
		}
		for l := 0; l < b.rows; l += scaledSide {
			scaled := rowMajor(block[:], min(scaledSide, b.rows-l), right-left)
			for i := range scaled.rows {
				row, values := scaled.values[i*scaled.row:][:scaled.columns], b.values[(l+i)*b.row+left*b.column:]
				for j := range row {
					row[j] = alpha * values[j*b.column]
				}
			}
			product(sums, a.Columns(l, l+scaled.rows), scaled, from)
			from = sums
		}
	}
}

// scale multiplies the entries of a matrix. Each row must be contiguous.
func (x Matrix) scale(factor float32) {
	if factor == 1 {
		return
	}
	for i := range x.rows {
		for j := range x.columns {
			x.values[i*x.row+j] *= factor
		}
	}
}

// blockLength is the length of even blocks of size values, none longer than longest.
func blockLength(size, longest int) int {
	blocks := (size + longest - 1) / longest
	return (size + blocks - 1) / blocks
}
