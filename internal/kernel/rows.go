package kernel

import "math"

//go:generate go run -C asm . -out ../rows_amd64.s -stubs ../rows_amd64_stubs.go -pkg kernel rows

// SumRows sets sum to the sum over the rows of the matrix x, [len(x)/len(sum), len(sum)], in the order of the rows.
func SumRows(sum, x []float32) {
	check("SumRows", "x modulo sum", len(x)%len(sum), 0)
	active.sumRows(sum, x)
}

func sumRowsGo(sum, x []float32) {
	clear(sum)
	for ; len(x) > 0; x = x[len(sum):] {
		for j, v := range x[:len(sum)] {
			sum[j] += v
		}
	}
}

// AllFinite says whether no value is NaN or infinite: their exponent bits are all ones.
func AllFinite(x []float32) bool { return active.allFinite(x) }

func allFiniteGo(x []float32) bool {
	const exponent = 0x7f800000
	for _, v := range x {
		if math.Float32bits(v)&exponent == exponent {
			return false
		}
	}
	return true
}
