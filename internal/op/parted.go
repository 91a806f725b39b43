package op

import (
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Parted is an op whose output is computed in parts, which an executor may share out over several processors. The parts are
// shares of the output's first axis, the same for all outputs of as many rows ([Share]); whatever their number, the
// output has the same bits.
//
// For each run, Bind is called once, then Part once for each part, at the same time or not. Do is the two in one.
type Parted interface {
	gorgonia.Op

	// Bind takes the inputs of a run and returns the op's own output, which the parts will fill.
	Bind(inputs ...gorgonia.Value) (gorgonia.Value, error)

	// Part fills the part-th of the parts of the output.
	Part(part, parts int)

	// Aligned says that a part needs of this input just the part with the same number: an executor then lets one follow the
	// other without waiting for the other parts.
	Aligned(input int) bool
}

// Do runs a parted op as one part: what its own Do does.
func Do(o Parted, inputs []gorgonia.Value) (gorgonia.Value, error) {
	output, err := o.Bind(inputs...)
	if err != nil {
		return nil, err
	}
	o.Part(0, 1)
	return output, nil
}

// Share is the part-th of the parts of n things in a row, those from lo to before hi: all parts are as long, but for one thing
// more in some.
func Split(n, part, parts int) (lo, hi int) { return n * part / parts, n * (part + 1) / parts }

// ShareRows is the [Share] of the rows of a tensor of that shape, from value lo to before value hi of its backing.
func SplitRows(shape tensor.Shape, part, parts int) (lo, hi int) {
	top, bottom := Split(shape[0], part, parts)
	row := shape.TotalSize() / shape[0]
	return top * row, bottom * row
}
