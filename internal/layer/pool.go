package layer

import (
	"fmt"
	"strconv"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Pool makes one value of each window of a map, for each channel. The windows have the side Size and lie side by side. What is left at
// the lower and the right border is dropped.
type Pool struct {
	Average bool // the mean; otherwise the largest value
	Size    int
}

// defaultPool is the size of a pool that names none.
const defaultPool = 2

func readPool(r *reader, word string) (Layer, error) {
	p := Pool{Average: word == "avgpool", Size: defaultPool}
	if !r.skip(':') {
		return p, nil
	}
	at := r.at
	text := r.word()
	var err error
	if p.Size, err = strconv.Atoi(text); err != nil || p.Size < 1 || p.Size > MaxSide {
		r.at = at
		return nil, r.wrong(at, fmt.Sprintf("expected a window's side from 1 to %d, as in %s:2, found %s", MaxSide, word, r.found()))
	}
	return p, nil
}

// String has the size, unless it is the usual one.
func (p Pool) String() string {
	if p.Size == defaultPool {
		return p.Word()
	}
	return p.Word() + ":" + strconv.Itoa(p.Size)
}

// Word is maxpool or avgpool.
func (p Pool) Word() string {
	if p.Average {
		return "avgpool"
	}
	return "maxpool"
}

// OverMaps says that the input is a map.
func (Pool) OverMaps() {}

// Output is a map with a place for each window.
func (p Pool) Output(in Shape) (Shape, error) {
	if err := in.plane(p, p.Size); err != nil {
		return nil, err
	}
	return Shape{in[0] / p.Size, in[1] / p.Size, in[2]}, nil
}

// Parameters are none.
func (Pool) Parameters(Shape, *Activation) []Parameter { return nil }

// Apply adds the pool.
func (p Pool) Apply(x *gorgonia.Node, _ *Context) (*gorgonia.Node, error) {
	return applyPool(x, p.Word(), p.Average, false, p.Size)
}

// Global makes a vector of a map: of each channel, one value over all places.
type Global struct {
	Average bool // the mean; otherwise the largest value
}

func readGlobal(_ *reader, word string) (Layer, error) { return Global{word == "globalavg"}, nil }

// String is globalmax or globalavg.
func (g Global) String() string { return g.Word() }

// Word is globalmax or globalavg.
func (g Global) Word() string {
	if g.Average {
		return "globalavg"
	}
	return "globalmax"
}

// OverMaps says that the input is a map.
func (Global) OverMaps() {}

// Output is a vector of the channels.
func (g Global) Output(in Shape) (Shape, error) {
	if err := in.plane(g, 1); err != nil {
		return nil, err
	}
	return Shape{in[2]}, nil
}

// Parameters are none.
func (Global) Parameters(Shape, *Activation) []Parameter { return nil }

// Apply adds the pool over all places.
func (g Global) Apply(x *gorgonia.Node, _ *Context) (*gorgonia.Node, error) {
	return applyPool(x, g.Word(), g.Average, true, 0)
}

// applyPool adds a pool to the graph: x is [batch, height, width, channels]. y is [batch, height/size, width/size, channels], or
// [batch, channels] for one window of the whole map. The gradient of a largest value goes to its first place in the window, row by row.
// The gradient of a mean goes to all places alike.
func applyPool(x *gorgonia.Node, name string, average, global bool, size int) (*gorgonia.Node, error) {
	xs := x.Shape()
	if len(xs) != 4 {
		return nil, fmt.Errorf("%s: expected input [batch,height,width,channels], found shape %v", name, xs)
	}
	k := kernel.Pool{Height: xs[1], Width: xs[2], Channels: xs[3], WindowHeight: size, WindowWidth: size}
	if global {
		k.WindowHeight, k.WindowWidth = k.Height, k.Width
	}
	if k.Windows() == 0 {
		return nil, fmt.Errorf("%s: expected input of at least %dx%d places, found shape %v", name, size, size, xs)
	}
	shape := tensor.Shape{xs[0], k.Height / k.WindowHeight, k.Width / k.WindowWidth, k.Channels}
	if global {
		shape = tensor.Shape{xs[0], k.Channels}
	}
	p := poolSizes{k, xs[0], average}
	reads := []op.Operand{op.DY, op.Forward}
	if average {
		reads = []op.Operand{op.DY}
	}
	return op.Apply(op.Definition{
		Name:      name,
		Inputs:    []string{"X"},
		Shape:     shape,
		Rows:      []int{0},
		Forward:   p.forward,
		Gradients: []op.Gradient{{Of: []int{0}, Rows: reads, Compute: p.dx}},
	}, x)
}

// poolSizes are the sizes of a pool in a graph.
type poolSizes struct {
	kernel.Pool
	batch   int
	average bool
}

func (p poolSizes) forward(r *op.Run, part, parts int) {
	y, x := p.windows(r.Y, part, parts), p.maps(r.Inputs[0], part, parts)
	if p.average {
		p.Mean(y, x)
	} else {
		p.Max(y, x)
	}
}

func (p poolSizes) dx(r *op.Run, gradients [][]float32, part, parts int) {
	dx, dy := p.maps(gradients[0], part, parts), p.windows(r.DY, part, parts)
	if p.average {
		p.MeanGrad(dx, dy)
	} else {
		p.MaxGrad(dx, dy, p.maps(r.Inputs[0], part, parts), p.windows(r.Y, part, parts))
	}
}

// maps is the values of a part of the images, in a tensor over the places of the maps.
func (p poolSizes) maps(x []float32, part, parts int) []float32 {
	return p.images(x, p.Height*p.Width*p.Channels, part, parts)
}

// windows is the same in a tensor over the windows.
func (p poolSizes) windows(y []float32, part, parts int) []float32 {
	return p.images(y, p.Windows()*p.Channels, part, parts)
}

func (p poolSizes) images(x []float32, size, part, parts int) []float32 {
	top, bottom := op.Split(p.batch, part, parts)
	return x[top*size : bottom*size]
}
