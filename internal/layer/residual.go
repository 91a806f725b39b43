package layer

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/op"
)

// Residual is a residual block, x + f(x) with the f of its items, which must keep the shape. Training drops f(x) of a sample with the
// probability Drop.
type Residual struct {
	Items []Item
	Drop  float64
}

func readResidual(r *reader, word string) (Layer, error) {
	at, drop := r.at-len(word), 0.0
	if r.skip(':') {
		var err error
		if drop, err = r.rate("res:0.1(ln-relu-300)"); err != nil {
			return nil, err
		}
	}
	if !r.skip('(') {
		return nil, r.wrong(r.at, "expected the layers of the block in parentheses, as in res(ln-relu-300), found "+r.found())
	}
	if r.depth++; r.depth > maxDepth {
		return nil, r.wrong(at, fmt.Sprintf("expected at most %d blocks within each other, found more", maxDepth))
	}
	items, err := r.items()
	r.depth--
	return Residual{items, drop}, err
}

// String has the rate, unless it is 0, and the items in parentheses.
func (b Residual) String() string {
	rate := ""
	if b.Drop > 0 {
		rate = ":" + rateText(b.Drop)
	}
	return "res" + rate + "(" + textOf(b.Items) + ")"
}

// Word is res.
func (Residual) Word() string { return "res" }

// Output is the shape of the input.
func (b Residual) Output(in Shape) (Shape, error) {
	out := in
	for _, item := range b.Items {
		var err error
		if out, err = item.Output(out); err != nil {
			return nil, err
		}
	}
	if !slices.Equal(out, in) {
		return nil, fmt.Errorf("the block %v adds its input of shape %v to its output of shape %v; expected one shape", b, in, out)
	}
	return in, nil
}

// Parameters are none: those of the items belong to the items.
func (Residual) Parameters(Shape, *Activation) []Parameter { return nil }

// Apply adds x + f(x).
func (b Residual) Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error) {
	fx, err := c.Branch(x)
	if err != nil {
		return nil, err
	}
	if c.Training && b.Drop > 0 {
		if fx, err = ApplyStochasticDepth(fx, c.Name, b.Drop, c.Draw); err != nil {
			return nil, err
		}
	}
	return ApplyResidual(x, fx)
}

// ApplyResidual adds y = x + f(x), the end of a residual block, to the graph (He et al., "Deep Residual Learning", 2016). fx is the
// output of the block's layers and has the shape of x. The gradient of y goes back to both; Gorgonia adds up the two gradients of x.
func ApplyResidual(x, fx *gorgonia.Node) (*gorgonia.Node, error) {
	if !slices.Equal(x.Shape(), fx.Shape()) {
		return nil, fmt.Errorf("residual: expected f(x) of shape %v, as x, found %v", x.Shape(), fx.Shape())
	}
	return op.Sum(x, fx)
}
