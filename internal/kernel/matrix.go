package kernel

import "fmt"

// A Matrix is a view of values of a slice as rows and columns. It shares memory with the slice and with other views. The entries of
// each row, or of each column, are contiguous. The zero Matrix has no entries.
type Matrix struct {
	values        []float32 // from the first entry on
	rows, columns int
	row, column   int // distance from an entry to the next row and to the next column; one of them is 1
}

// RowMajor views values as a matrix, row after row. It panics if their number is not rows·columns.
func RowMajor(values []float32, rows, columns int) Matrix {
	check("RowMajor", "values", len(values), rows*columns)
	return rowMajor(values, rows, columns)
}

func rowMajor(values []float32, rows, columns int) Matrix {
	return Matrix{values, rows, columns, columns, 1}
}

// Repeat views the values as one row, so many times.
func Repeat(values []float32, rows int) Matrix { return Matrix{values, rows, len(values), 0, 1} }

// T is the transpose.
func (x Matrix) T() Matrix {
	return Matrix{x.values, x.columns, x.rows, x.column, x.row}
}

// Rows are the rows [top,bottom). It panics unless 0 ≤ top ≤ bottom ≤ the number of rows.
func (x Matrix) Rows(top, bottom int) Matrix {
	if top < 0 || top > bottom || bottom > x.rows {
		panic(fmt.Sprintf("kernel.Matrix.Rows: expected a part of %d rows, found [%d,%d)", x.rows, top, bottom))
	}
	return x.part(top, 0, bottom-top, x.columns)
}

// Columns are the columns [left,right). It panics unless 0 ≤ left ≤ right ≤ the number of columns.
func (x Matrix) Columns(left, right int) Matrix {
	if left < 0 || left > right || right > x.columns {
		panic(fmt.Sprintf("kernel.Matrix.Columns: expected a part of %d columns, found [%d,%d)", x.columns, left, right))
	}
	return x.part(0, left, x.rows, right-left)
}

// part is the view of rows and columns from [i,j] on.
func (x Matrix) part(i, j, rows, columns int) Matrix {
	if rows == 0 || columns == 0 { // there may be no entry [i,j]
		return Matrix{nil, rows, columns, x.row, x.column}
	}
	return Matrix{x.values[i*x.row+j*x.column:], rows, columns, x.row, x.column}
}
