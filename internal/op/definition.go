package op

import (
	"fmt"

	"gorgonia.org/tensor"
)

// Definition is an operation y = f(inputs) and the gradients of its inputs. The inputs are float32. One may be int32, such as labels.
//
// y is computed in parts, which an executor may give to several processors. A part is a range of y's first axis, its rows, as
// [Split] has it. A part fills its own rows and no others. The result must have the same bits for any number of parts.
type Definition struct {
	Name   string
	Inputs []string     // names of the inputs, for errors and for the names of the gradients; may be left out
	Shape  tensor.Shape // of y; no dimensions for a scalar
	Rows   []int        // the inputs that each part reads only at its own rows; it may read all rows of the others
	Serial bool         // y can't be split: there is one part. A scalar is always serial.

	// Bind is called once for each run, before the parts. It checks the inputs or draws random numbers. Nil: nothing to do.
	Bind func(r *Run) error

	// Forward fills the rows of a part of r.Y.
	Forward func(r *Run, part, parts int)

	Gradients []Gradient
}

// Gradient computes the gradients of one input, or of several that come out of one pass.
type Gradient struct {
	Of    []int     // the inputs whose gradients these are
	Rows  []Operand // what each part reads only at its own rows
	Whole []Operand // what each part may read all rows of

	Serial    bool // the gradients can't be split: there is one part
	Scattered bool // a part is any share of the gradients, not a range of their rows; so whoever reads them waits for all parts

	// Compute fills a part of d, which holds the gradient of each input in Of. A part is a range of the rows of each gradient. Nil:
	// the gradient of each of these inputs is dy itself, as for a sum.
	Compute func(r *Run, d [][]float32, part, parts int)
}

// Operand is what a gradient is computed from: the number of an input, [DY] or [Forward].
type Operand int

const (
	// DY is the gradient of y.
	DY Operand = -1 - iota

	// Forward is the whole forward pass: all inputs, y, and what the forward function has kept in variables. A gradient that
	// reads any of these variables must name it, because it then runs after the forward function.
	Forward

	output // y alone, a part of Forward
)

// Run is the values of one run, row by row. A scalar has one value. A gradient finds here only the operands that it names.
type Run struct {
	Inputs [][]float32 // the float32 inputs, by their numbers
	Labels []int32     // the int32 input
	Y, DY  []float32
}

// input describes an input of a definition.
type input struct {
	name  string
	shape tensor.Shape
	dtype tensor.Dtype
}

// check refuses inputs that the definition is not made for, and parts that don't fit together.
func (d *Definition) check(inputs []input) error {
	labels := 0
	for _, in := range inputs {
		if in.dtype == tensor.Int32 {
			labels++
		} else if in.dtype != tensor.Float32 {
			return fmt.Errorf("%s: expected float32 for %s, found %v", d.Name, in.name, in.dtype)
		}
	}
	if labels > 1 {
		return fmt.Errorf("%s: expected at most one int32 input, found %d", d.Name, labels)
	}
	for _, i := range d.Rows {
		if want, found := rows(d.Shape), rows(inputs[i].shape); found != want {
			return fmt.Errorf("%s: expected %d rows in %s, as in the output, found %d", d.Name, want, inputs[i].name, found)
		}
	}
	has := make([]bool, len(inputs))
	for _, g := range d.Gradients {
		for _, i := range g.Of {
			if in := inputs[i]; in.dtype != tensor.Float32 || has[i] {
				return fmt.Errorf("%s: expected one gradient of %s, and float32, found %v", d.Name, in.name, in.dtype)
			}
			has[i] = true
		}
		first := inputs[g.Of[0]]
		for _, o := range g.Rows {
			shape := d.Shape
			if o >= 0 {
				shape = inputs[o].shape
			}
			if want, found := rows(first.shape), rows(shape); found != want {
				return fmt.Errorf("%s: expected row-local operands of %d rows for the gradient of %s, found %d", d.Name, want, first.name, found)
			}
		}
	}
	return nil
}

// rows is the length of a shape's first axis, or 1 for a scalar.
func rows(shape tensor.Shape) int {
	if len(shape) == 0 {
		return 1
	}
	return shape[0]
}
