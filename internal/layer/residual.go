package layer

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/op"
)

// Residual adds y = x + f(x), the end of a residual block, to the graph (He et al., "Deep Residual Learning", 2016). fx is the
// output of the block's layers and has the shape of x. The gradient of y goes back to both; Gorgonia adds up the two gradients of x.
func Residual(x, fx *gorgonia.Node) (*gorgonia.Node, error) {
	if !slices.Equal(x.Shape(), fx.Shape()) {
		return nil, fmt.Errorf("residual: expected f(x) of shape %v, as x, found %v", x.Shape(), fx.Shape())
	}
	return op.Sum(x, fx)
}
