package kernel

import "fmt"

// AddProduct sets c = start + a·b. The sums start from the entries of start, so a product can be computed in parts of its terms: what
// is computed from the first terms is the start of the rest, and the bits are those of one product.
//
// start may be c. Otherwise c must share no memory with start, a or b. It panics if the shapes do not fit, or if c or start is a transpose.
func AddProduct(c, start, a, b Matrix) {
	if a.rows != c.rows || a.columns != b.rows || b.columns != c.columns || start.rows != c.rows || start.columns != c.columns {
		panic(fmt.Sprintf("kernel.AddProduct: expected c and its start of shape [%d,%d] for the product of [%d,%d] and [%d,%d], found [%d,%d] and [%d,%d]",
			a.rows, b.columns, a.rows, a.columns, b.rows, b.columns, c.rows, c.columns, start.rows, start.columns))
	}
	if c.columns > 1 && (c.column != 1 || start.column != 1) {
		panic("kernel.AddProduct: expected the entries of a row of c and of its start side by side")
	}
	product(c, a, b, start)
}
