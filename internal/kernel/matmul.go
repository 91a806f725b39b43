package kernel

//go:generate go run -C asm . -out ../matmul_amd64.s -stubs ../matmul_amd64_stubs.go -pkg kernel matmul

// The products, for every instruction set:
//
//	c[i,j] = start + a[i,0]·b[0,j] + a[i,1]·b[1,j] + ... + a[i,k-1]·b[k-1,j]
//
// summed from left to right in float32, from a start of 0 or of the bias. The order depends on nothing else: an entry of c has
// the same bits wherever its row and column lie in the matrices, and whatever m, n and the number of processors are. With
// AVX2 and AVX-512 each step is a fused multiply-add, rounded once, so that both give the same bits; in plain Go the product is
// rounded and then the sum. Either is within about k·2⁻²⁴·(|start| + Σ|a·b|) of the exact sum, so they are within twice that of
// each other. No term is left out for a factor of 0, so 0·∞ is NaN.
//
// They are computed as Goto and van de Geijn do ("Anatomy of high-performance matrix multiplication", 2008): a tile of c stays
// in registers while k is run through, and the part of b that the tiles of a column share stays in the cache. k is run through
// in blocks, between which c holds the sums.

// MatMul sets c = a·b, with a of shape [m,k], b [k,n] and c [m,n].
func MatMul(c, a, b []float32, m, k, n int) {
	check("MatMul", "c", len(c), m*n)
	check("MatMul", "a", len(a), m*k)
	check("MatMul", "b", len(b), k*n)
	product(c, matrix{a, k, 1}, matrix{b, n, 1}, nil, m, k, n)
}

// MatMulBias sets c = a·b + bias, with a of shape [m,k], b [k,n], bias [n] on each row, and c [m,n]. The sums start from the
// bias, so the bits may differ from those of [MatMul] with the bias added after.
func MatMulBias(c, a, b, bias []float32, m, k, n int) {
	check("MatMulBias", "c", len(c), m*n)
	check("MatMulBias", "a", len(a), m*k)
	check("MatMulBias", "b", len(b), k*n)
	check("MatMulBias", "bias", len(bias), n)
	product(c, matrix{a, k, 1}, matrix{b, n, 1}, bias, m, k, n)
}

// MatMulTN sets c = aᵀ·b, with a of shape [k,m], b [k,n] and c [m,n]: the gradient of the weights.
func MatMulTN(c, a, b []float32, m, k, n int) {
	check("MatMulTN", "c", len(c), m*n)
	check("MatMulTN", "a", len(a), k*m)
	check("MatMulTN", "b", len(b), k*n)
	product(c, matrix{a, 1, m}, matrix{b, n, 1}, nil, m, k, n)
}

// MatMulTNRows is [MatMulTN] for the rows of c from top to before bottom alone.
func MatMulTNRows(c, a, b []float32, m, k, n, top, bottom int) {
	check("MatMulTNRows", "c", len(c), m*n)
	check("MatMulTNRows", "a", len(a), k*m)
	check("MatMulTNRows", "b", len(b), k*n)
	product(c[top*n:bottom*n], matrix{a[min(top, len(a)):], 1, m}, matrix{b, n, 1}, nil, bottom-top, k, n)
}

// MatMulNT sets c = a·bᵀ, with a of shape [m,k], b [n,k] and c [m,n]: the gradient of the input.
func MatMulNT(c, a, b []float32, m, k, n int) {
	check("MatMulNT", "c", len(c), m*n)
	check("MatMulNT", "a", len(a), m*k)
	check("MatMulNT", "b", len(b), n*k)
	product(c, matrix{a, k, 1}, matrix{b, 1, k}, nil, m, k, n)
}

// A matrix has its entry [i,j] at values[i*row+j*column]. One of the strides is 1.
type matrix struct {
	values      []float32
	row, column int
}

// from is the matrix without the rows before i and the columns before j.
func (x matrix) from(i, j int) matrix {
	return matrix{x.values[i*x.row+j*x.column:], x.row, x.column}
}

// product sets c = a·b + bias, where a bias of nil is 0.
func product(c []float32, a, b matrix, bias []float32, m, k, n int) {
	switch {
	case m == 0 || n == 0:
	case k == 0:
		for i := range m {
			row := c[i*n:][:n]
			clear(row)
			copy(row, bias)
		}
	default:
		active.product(c, a, b, bias, m, k, n)
	}
}

// blockLength is the length of the blocks that size values are shared out to evenly, none longer than most.
func blockLength(size, most int) int {
	blocks := (size + most - 1) / most
	return (size + blocks - 1) / blocks
}
