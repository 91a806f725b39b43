package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
)

// Elementwise adds y = f(x) to the graph for a function of each value by itself. x has one axis or more. forward and backward
// are given many values at once; backward gets what forward made of x as y.
func Elementwise(name string, x *gorgonia.Node, forward func(y, x []float32), backward func(dx, dy, x, y []float32)) (*gorgonia.Node, error) {
	return keepShape(name, x, false, forward, backward)
}

// Rowwise adds y = f(x) to the graph for a function of each vector along the last axis of x, such as the row of a sample. x has
// one axis or more. forward and backward are given one row at a time; backward gets what forward made of x as y.
func Rowwise(name string, x *gorgonia.Node, forward func(y, x []float32), backward func(dx, dy, x, y []float32)) (*gorgonia.Node, error) {
	shape := x.Shape()
	n := shape[max(0, len(shape)-1):].TotalSize()
	serial := len(shape) == 1 // a single row
	return keepShape(name, x, serial, func(y, x []float32) {
		for i := 0; i < len(x); i += n {
			forward(y[i:i+n], x[i:i+n])
		}
	}, func(dx, dy, x, y []float32) {
		for i := 0; i < len(x); i += n {
			backward(dx[i:i+n], dy[i:i+n], x[i:i+n], y[i:i+n])
		}
	})
}

// keepShape adds y = f(x) to the graph, y having the shape of x. forward and backward are given all values of a part.
func keepShape(name string, x *gorgonia.Node, serial bool, forward func(y, x []float32), backward func(dx, dy, x, y []float32)) (*gorgonia.Node, error) {
	shape := x.Shape().Clone()
	if len(shape) == 0 {
		return nil, fmt.Errorf("%s: expected an input of one axis or more, found a scalar", name)
	}
	return Apply(Definition{
		Name:   name,
		Shape:  shape,
		Rows:   []int{0},
		Serial: serial,
		Forward: func(r *Run, part, parts int) {
			lo, hi := SplitRows(shape, part, parts)
			forward(r.Y[lo:hi], r.Inputs[0][lo:hi])
		},
		Gradients: []Gradient{{
			Of:     []int{0},
			Rows:   []Operand{DY, Forward},
			Serial: serial,
			Compute: func(r *Run, d [][]float32, part, parts int) {
				lo, hi := SplitRows(shape, part, parts)
				backward(d[0][lo:hi], r.DY[lo:hi], r.Inputs[0][lo:hi], r.Y[lo:hi])
			},
		}},
	}, x)
}
