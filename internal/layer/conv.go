package layer

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Conv is a convolution of a map: each place of its output is a product of a window of the input and the weights, one column of weights
// for each channel (LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998). The windows have the side Size, and
// their places are Stride apart.
type Conv struct {
	Channels, Size, Stride int

	// Valid says that all windows lie within the map. Otherwise (Size−1)/2 zeros lie around it, so an odd size with stride 1 keeps the
	// height and the width.
	Valid bool
}

// defaultConv is the size of a convolution that names none.
const defaultConv = 3

// MaxSide is the largest side of a convolution's window or of a pool's, and the largest stride.
const MaxSide = 64

// convOptions are what follows conv: in --layers.
var convOptions = regexp.MustCompile(`^([0-9]+)(?:x([0-9]+))?(?:s([0-9]+))?(v?)$`)

func readConv(r *reader, _ string) (Layer, error) {
	if !r.skip(':') {
		return nil, r.wrong(r.at, "expected the number of channels, as in conv:32, found "+r.found())
	}
	at := r.at
	options := convOptions.FindStringSubmatch(strings.ToLower(r.word()))
	if options == nil {
		r.at = at
		return nil, r.wrong(at, "expected channels, and perhaps a size, a stride and v, as in conv:32, conv:32x5, conv:32x3s2 or conv:32x5v; found "+r.found())
	}
	c := Conv{Size: defaultConv, Stride: 1, Valid: options[4] != ""}
	for i, option := range []struct {
		value   *int
		maximum int
		noun    string
	}{{&c.Channels, MaxUnits, "channels"}, {&c.Size, MaxSide, "for the size"}, {&c.Stride, MaxSide, "for the stride"}} {
		text := options[i+1]
		if text == "" {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > option.maximum {
			return nil, r.wrong(at, fmt.Sprintf("expected from 1 to %d %s, found %s", option.maximum, option.noun, text))
		}
		*option.value = n
	}
	return c, nil
}

// String has the channels, and the other options where they are not the usual ones.
func (c Conv) String() string {
	text := "conv:" + strconv.Itoa(c.Channels)
	if c.Size != defaultConv {
		text += "x" + strconv.Itoa(c.Size)
	}
	if c.Stride != 1 {
		text += "s" + strconv.Itoa(c.Stride)
	}
	if c.Valid {
		text += "v"
	}
	return text
}

// Word is conv.
func (Conv) Word() string { return "conv" }

// OverMaps says that the input is a map.
func (Conv) OverMaps() {}

// Output is a map of the channels, with a place for each window.
func (c Conv) Output(in Shape) (Shape, error) {
	if err := in.plane(c, c.Size-2*c.Padding()); err != nil {
		return nil, err
	}
	k := c.over(in)
	return Shape{k.OutHeight(), k.OutWidth(), c.Channels}, nil
}

// Parameters are the weight [size, size, in, channels], drawn as that of a dense layer with a unit for each value of the window, and the
// bias [channels], zeros.
func (c Conv) Parameters(in Shape, next *Activation) []Parameter {
	radius, window, channels := radiusFor(next), c.Size*c.Size, in[len(in)-1]
	drawn := Initial{Radius: radius(float64(window*channels), float64(window*c.Channels))}
	return []Parameter{
		{Name: "weight", Role: Weight, Shape: tensor.Shape{c.Size, c.Size, channels, c.Channels}, Initial: drawn},
		{Name: "bias", Role: Bias, Shape: tensor.Shape{c.Channels}},
	}
}

// Apply adds the convolution.
func (c Conv) Apply(x *gorgonia.Node, context *Context) (*gorgonia.Node, error) {
	return ApplyConv(x, context.Parameters[0], context.Parameters[1], c.Stride, c.Padding())
}

// Padding is the number of zeros at each side of the map.
func (c Conv) Padding() int {
	if c.Valid {
		return 0
	}
	return (c.Size - 1) / 2
}

// over is the kernel for maps of that shape.
func (c Conv) over(in Shape) kernel.Conv {
	return kernel.Conv{Height: in[0], Width: in[1], In: in[2], Out: c.Channels, K: c.Size, Stride: c.Stride, Pad: c.Padding()}
}

// ApplyConv adds a convolution to the graph: x is [batch, height, width, in], w [k, k, in, out], b [out] and y [batch, height', width',
// out], all float32.
//
//	y[i,j] = b + Σ x[i·stride+p−pad, j·stride+q−pad]·w[p,q]  over the places p, q of the window; x is 0 outside of the map
//
// The three gradients are separate, as those of a dense layer are. dw is split as the kernel likes, not into its rows.
func ApplyConv(x, w, b *gorgonia.Node, stride, pad int) (*gorgonia.Node, error) {
	xs, ws, bs := x.Shape(), w.Shape(), b.Shape()
	if len(xs) != 4 || len(ws) != 4 || len(bs) != 1 || ws[0] != ws[1] || xs[3] != ws[2] || ws[3] != bs[0] ||
		stride < 1 || pad < 0 || min(xs[1], xs[2])+2*pad < ws[0] {
		return nil, fmt.Errorf("conv: expected input [batch,height,width,in], weight [k,k,in,out] with k up to the height and width, "+
			"and bias [out], found %v, %v and %v, stride %d, padding %d", xs, ws, bs, stride, pad)
	}
	c := convSizes{kernel.Conv{Height: xs[1], Width: xs[2], In: xs[3], Out: ws[3], K: ws[0], Stride: stride, Pad: pad}, xs[0]}
	return op.Apply(op.Definition{
		Name:    "Conv",
		Inputs:  []string{"X", "W", "B"},
		Shape:   tensor.Shape{c.batch, c.OutHeight(), c.OutWidth(), c.Out},
		Rows:    []int{0},
		Forward: c.forward,
		Gradients: []op.Gradient{
			{Of: []int{0}, Rows: []op.Operand{op.DY}, Whole: []op.Operand{1}, Compute: c.dx},
			{Of: []int{1}, Whole: []op.Operand{op.DY, 0}, Shared: true, Compute: c.dw},
			{Of: []int{2}, Whole: []op.Operand{op.DY}, Serial: true, Compute: c.db},
		},
	}, x, w, b)
}

// convSizes are the sizes of a convolution in a graph.
type convSizes struct {
	kernel.Conv
	batch int
}

// images is a part of the images: how many, and their values of x and y.
func (c convSizes) images(x, y []float32, part, parts int) (n int, xs, ys []float32) {
	top, bottom := op.Split(c.batch, part, parts)
	in, out := c.Height*c.Width*c.In, c.OutHeight()*c.OutWidth()*c.Out
	return bottom - top, x[top*in : bottom*in], y[top*out : bottom*out]
}

func (c convSizes) forward(r *op.Run, part, parts int) {
	n, x, y := c.images(r.Inputs[0], r.Y, part, parts)
	c.Forward(y, x, r.Inputs[1], r.Inputs[2], n)
}

func (c convSizes) dx(r *op.Run, gradients [][]float32, part, parts int) {
	n, dx, dy := c.images(gradients[0], r.DY, part, parts)
	c.InputGrad(dx, dy, r.Inputs[1], n)
}

func (c convSizes) dw(r *op.Run, gradients [][]float32, part, parts int) {
	c.WeightGrad(gradients[0], r.DY, r.Inputs[0], c.batch, part, parts)
}

func (c convSizes) db(r *op.Run, gradients [][]float32, _, _ int) {
	c.BiasGrad(gradients[0], r.DY, c.batch)
}
