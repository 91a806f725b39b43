package layer

import (
	"strconv"

	"gorgonia.org/gorgonia"
)

// DefaultDropout is the rate of a dropout layer that names none (book, chapter 11).
const DefaultDropout = 0.2

// DropoutLayer sets a share of the values to 0 while training.
type DropoutLayer struct{ Rate float64 }

func readDropout(r *reader, _ string) (Layer, error) {
	if !r.skip(':') {
		return DropoutLayer{DefaultDropout}, nil
	}
	at := r.at
	rate, err := strconv.ParseFloat(r.number(), 64)
	if err != nil || !(rate >= 0 && rate < 1) {
		r.at = at
		return nil, r.wrong(at, "expected a rate from 0 to below 1, as in dropout:0.2, found "+r.found())
	}
	return DropoutLayer{rate}, nil
}

// String has the rate.
func (d DropoutLayer) String() string {
	return "dropout:" + strconv.FormatFloat(d.Rate, 'f', -1, 64)
}

// Word is dropout.
func (DropoutLayer) Word() string { return "dropout" }

// Output is the shape of the input.
func (DropoutLayer) Output(in Shape) (Shape, error) { return in, nil }

// Parameters are none.
func (DropoutLayer) Parameters(Shape, *Activated) []Parameter { return nil }

// Apply adds dropout, in training alone.
func (d DropoutLayer) Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error) {
	if !c.Training || d.Rate == 0 {
		return x, nil
	}
	return Dropout(x, c.Name, d.Rate, c.Draw)
}
