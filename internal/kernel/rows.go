package kernel

import "math"

// AddRow adds the vector b to each row of the matrix y, [len(y)/len(b), len(b)].
func AddRow(y, b []float32) {
	check("AddRow", "y modulo b", len(y)%len(b), 0)
	for ; len(y) > 0; y = y[len(b):] {
		row := y[:len(b)]
		for j, v := range b {
			row[j] += v
		}
	}
}

// SumRows sets sum to the sum over the rows of the matrix x, [len(x)/len(sum), len(sum)], in the order of the rows.
func SumRows(sum, x []float32) {
	check("SumRows", "x modulo sum", len(x)%len(sum), 0)
	clear(sum)
	for ; len(x) > 0; x = x[len(sum):] {
		for j, v := range x[:len(sum)] {
			sum[j] += v
		}
	}
}

// AllFinite says whether no value is NaN or infinite: their exponent bits are all ones.
func AllFinite(x []float32) bool {
	const exponent = 0x7f800000
	for _, v := range x {
		if math.Float32bits(v)&exponent == exponent {
			return false
		}
	}
	return true
}
