package layer_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
)

// Two blocks, one within the other, y = h + f(h) with f(h) = g(h) + tanh(g(h)): each value that is used twice gets both
// gradients.
func TestResidualGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch, n := rapid.IntRange(1, 5).Draw(t, "batch"), rapid.IntRange(1, 6).Draw(t, "n")
		seed := rapid.Uint64().Draw(t, "seed")
		weight := normal(seed+1, n, n)
		for i := range weight.Float32s() {
			weight.Float32s()[i] *= 0.3
		}
		checkGradients(t, &gradcheck.Problem{
			Build: func(in gorgonia.Nodes) (*gorgonia.Node, error) {
				g, err := layer.ApplyDense(in[0], in[1], in[2])
				if err != nil {
					return nil, err
				}
				bent, err := layer.ApplyActivation("tanh", g)
				if err != nil {
					return nil, err
				}
				f, err := layer.ApplyResidual(g, bent)
				if err != nil {
					return nil, err
				}
				return layer.ApplyResidual(in[0], f)
			},
			Inputs: []*tensor.Dense{normal(seed, batch, n), weight, normal(seed+2, n)},
			DY:     normal(seed+3, batch, n).Float32s(),
		}, 1e-2, 5e-3)
	})
}

func TestResidualIsTheSum(t *testing.T) {
	r := static(t, &gradcheck.Problem{
		Build:  func(in gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyResidual(in[0], in[1]) },
		Inputs: []*tensor.Dense{normal(1, 2, 3), normal(2, 2, 3)},
		DY:     normal(3, 2, 3).Float32s(),
	})
	for i, v := range r.Y {
		if want := normal(1, 2, 3).Float32s()[i] + normal(2, 2, 3).Float32s()[i]; v != want {
			t.Errorf("entry %d: expected %v, found %v", i, want, v)
		}
	}
}

func TestResidualRefuses(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, normal(0, 2, 3), gorgonia.WithName("x"))
	fx := gorgonia.NodeFromAny(g, normal(0, 2, 4), gorgonia.WithName("fx"))
	_, err := layer.ApplyResidual(x, fx)
	wantError(t, err, "residual: expected f(x) of shape (2, 3), as x, found (2, 4)")
}
