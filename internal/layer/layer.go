// Package layer holds the layers of a classifier: their kinds, how --layers writes them, and their ops, each with its gradient. The
// loss of a batch is an op here, too.
//
// The ops are [op.Definition]s and replace Gorgonia's own. Some of those are wrong: its softmax takes the maximum of every row from
// the first element of the whole tensor. All of them allocate memory in each run.
package layer

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Layer is one layer of a network, without its weights. A kind of layer is a file of this package and a line in [Kinds].
type Layer interface {
	// String is the layer as --layers writes it, such as "300" or "dropout:0.2".
	String() string

	// Word names the layer's node in the graph, after the layer that it follows: lower.0.norm.
	Word() string

	// Output is the shape of the output for an input of the given shape. An error says which shapes the layer takes.
	Output(in Shape) (Shape, error)

	// Parameters are the layer's trained parameters for an input of the given shape, in the order in which Apply gets
	// them; nil if it has none. The initial values may depend on the next activation, nil for none.
	Parameters(in Shape, next *Activation) []Parameter

	// Apply adds the layer to the graph of x, a float32 node of shape [batch, in...].
	Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error)
}

// Context is what a layer needs to add itself to a graph.
type Context struct {
	Name       string           // of the layer's node, unlike any other's in the model
	Parameters []*gorgonia.Node // in the order of [Layer.Parameters]
	Training   bool             // false in evaluation
	Draw       *Draw            // what random layers draw from

	// Branch adds the layers within a block to the graph of x.
	Branch func(x *gorgonia.Node) (*gorgonia.Node, error)
}

// Shape is the shape of one sample: [n] for a vector, [height, width, channels] for a map.
type Shape []int

// Size is the number of values.
func (s Shape) Size() int { return tensor.Shape(s).TotalSize() }

// String is the sizes with an x between them, such as 28x28x1.
func (s Shape) String() string {
	sizes := make([]string, len(s))
	for i, n := range s {
		sizes[i] = strconv.Itoa(n)
	}
	return strings.Join(sizes, "x")
}

// plane is an error unless the shape is a map of at least side x side places. It names the layer that expected one.
func (s Shape) plane(l Layer, side int) error {
	switch {
	case len(s) != 3:
		return fmt.Errorf("%v: expected a map [height, width, channels], found a vector of length %v", l, s)
	case s[0] < side || s[1] < side:
		return fmt.Errorf("%v: expected a map of at least %dx%d places, found %v", l, side, side, s)
	}
	return nil
}

// overMaps is a kind of layer whose input is a map. A network with such a layer takes the images as maps.
type overMaps interface{ OverMaps() }

// InputShape is the shape in which a network takes an image of so many values: a square map of one channel if a layer is over maps, else
// a vector.
func InputShape(items []Item, inputs int) (Shape, error) {
	if !anyOverMaps(items) {
		return Shape{inputs}, nil
	}
	side := int(math.Sqrt(float64(inputs)))
	if side*side != inputs {
		return nil, fmt.Errorf("expected square images for layers over maps, found %d values", inputs)
	}
	return Shape{side, side, 1}, nil
}

func anyOverMaps(items []Item) bool {
	return slices.ContainsFunc(items, func(i Item) bool {
		if block, ok := i.Layer.(Residual); ok {
			return anyOverMaps(block.Items)
		}
		_, ok := i.Layer.(overMaps)
		return ok
	})
}

// Parameter describes a trained parameter of a layer.
type Parameter struct {
	Name    string // within the layer, such as weight
	Role    Role
	Shape   tensor.Shape
	Initial Initial
}

// Initial is the values that a parameter starts with.
type Initial struct {
	Radius float64 // above 0: values drawn from U(−Radius, Radius)
	Value  float32 // otherwise: this value throughout
}

// radius is the radius of initial weights, a function of how many values go in and come out of each product.
type radius func(in, out float64) float64

// The radii of Glorot, He and LeCun (book, chapter 11, table 11-1).
func glorot(in, out float64) float64 { return math.Sqrt(6 / (in + out)) }
func he(in, _ float64) float64       { return math.Sqrt(6 / in) }
func lecun(in, _ float64) float64    { return math.Sqrt(3 / in) }

// radiusFor is the radius that suits the activation after a layer, Glorot's for none.
func radiusFor(next *Activation) radius {
	if next == nil {
		return glorot
	}
	return next.radius
}

// Role is what a parameter does in its layer.
type Role int

// The roles of parameters.
const (
	Weight Role = iota // of a product: weight decay, the L2 penalty and max-norm apply to it
	Bias               // added to a product
	Gain               // multiplies, as α of LayerNorm
	Shift              // added, as β of LayerNorm
)

// Decays says whether weight decay applies to a parameter of this role by default. It applies to weights. Biases and shifts move values
// and gains scale them, which does not overfit.
func (r Role) Decays() bool { return r == Weight }
