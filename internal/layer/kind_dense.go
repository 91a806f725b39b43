package layer

import (
	"fmt"
	"math"
	"strconv"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// DenseLayer is a dense layer of so many units, y = xW + b.
type DenseLayer struct{ Units int }

func readDense(r *reader, word string) (Layer, error) {
	units, err := strconv.Atoi(word)
	if err != nil || units < 1 || units > MaxUnits {
		return nil, r.wrong(r.at-len(word), fmt.Sprintf("expected from 1 to %d units, found %s", MaxUnits, word))
	}
	return DenseLayer{units}, nil
}

// String is the number of units.
func (d DenseLayer) String() string { return strconv.Itoa(d.Units) }

// Word is dense.
func (DenseLayer) Word() string { return "dense" }

// Output is a vector of the units.
func (d DenseLayer) Output(in Shape) (Shape, error) {
	_, err := in.vector("a dense layer")
	return Shape{d.Units}, err
}

// Parameters are the weight [in, units], drawn from U(−r, r) with the r that suits the next activation, and the bias [units], zeros.
// Without an activation r is Glorot's √(6/(in+units)) (book, chapter 11, table 11-1).
func (d DenseLayer) Parameters(in Shape, next *Activated) []Parameter {
	radius := glorot
	if next != nil {
		radius = next.radius
	}
	return []Parameter{
		{Name: "weight", Role: Weight, Shape: tensor.Shape{in[0], d.Units}, Initial: Initial{Radius: radius(float64(in[0]), float64(d.Units))}},
		{Name: "bias", Role: Bias, Shape: tensor.Shape{d.Units}},
	}
}

// Apply adds xW + b.
func (DenseLayer) Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error) {
	return Dense(x, c.Parameters[0], c.Parameters[1])
}

// The radii of initial weights by Glorot, He and LeCun.
func glorot(in, out float64) float64 { return math.Sqrt(6 / (in + out)) }
func he(in, _ float64) float64       { return math.Sqrt(6 / in) }
func lecun(in, _ float64) float64    { return math.Sqrt(3 / in) }
