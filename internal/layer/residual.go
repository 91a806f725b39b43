package layer

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/op"
)

// Residual adds y = x + f(x), the end of a residual block (He et al., "Deep Residual Learning", 2016), to the graph: x is a node,
// and fx what the layers of the block have made of it, of the same shape. The gradient of y goes back into both; Gorgonia adds up
// what comes back to x.
func Residual(x, fx *gorgonia.Node) (*gorgonia.Node, error) {
	if !slices.Equal(x.Shape(), fx.Shape()) {
		return nil, fmt.Errorf("residual: expected f(x) of shape %v, as x, found %v", x.Shape(), fx.Shape())
	}
	return gorgonia.ApplyOp(op.NewSum(x.Shape()), x, fx)
}
