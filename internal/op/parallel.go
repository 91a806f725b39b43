package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Parallel is an op that can be computed in parts, on several processors at once. A part is a range of the output's rows, unless the op
// is scattered. The output has the same bits for any number of parts.
//
// In each run, Bind is called once, then Part once for each part, in any order. Do does both.
type Parallel interface {
	gorgonia.Op

	// Serial says that this op can't be split: it runs by Do.
	Serial() bool

	// Scattered says that a part of the output is not a range of its rows. Whoever reads the output must wait for all parts.
	Scattered() bool

	// Bind takes the inputs of a run and returns the output, which the parts fill.
	Bind(inputs ...gorgonia.Value) (gorgonia.Value, error)

	// Part fills one part of the output.
	Part(part, parts int)

	// RowLocal says that a part reads this input only at its own rows. An executor then need not wait for the input's other parts.
	RowLocal(input int) bool
}

// Split is the range of a part when n things are split into parts. The lengths of the parts differ by at most one.
func Split(n, part, parts int) (lo, hi int) { return n * part / parts, n * (part + 1) / parts }

// SplitRows is the range of a part's values when the rows of a tensor are split, the first axis being the rows.
func SplitRows(shape tensor.Shape, part, parts int) (lo, hi int) {
	top, bottom := Split(shape[0], part, parts)
	row := shape.TotalSize() / shape[0]
	return top * row, bottom * row
}
