package layer_test

import (
	"math"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
)

// The gradients of the activations of each value by itself. Where the kinks of another are, only its own test knows.
func TestActivationGradients(t *testing.T) {
	const step = 1e-2
	for _, name := range layer.Activations() {
		if ofRows(t, name) {
			continue
		}
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			shape := rapid.SliceOfN(rapid.IntRange(1, 3), 1, 4).Draw(t, "shape")
			seed := rapid.Uint64().Draw(t, "seed")
			x := normal(seed, shape...)
			for i, v := range x.Float32s() { // keep away from the kink at 0, where a difference means nothing
				x.Float32s()[i] = v + float32(math.Copysign(2*step, float64(v)))
			}
			checkGradients(t, &gradcheck.Problem{
				Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyActivation(name, n[0]) },
				Inputs: []*tensor.Dense{x},
				DY:     normal(seed+1, shape...).Float32s(),
			}, step, 2e-3)
		}))
	}
}

// ofRows says whether a value of the activation depends on others of its row.
func ofRows(t rapid.TB, name string) bool {
	t.Helper()
	first := func(other float32) float32 {
		return static(t, &gradcheck.Problem{
			Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyActivation(name, n[0]) },
			Inputs: []*tensor.Dense{tensor.New(tensor.WithBacking([]float32{1, other}))},
			DY:     []float32{1, 1},
		}).Y[0]
	}
	return first(0) != first(-1)
}

// Each name has its own function: the values at −1 and 1 are different.
func TestActivationNames(t *testing.T) {
	want := map[string][2]float64{
		"relu": {0, 1},
		"gelu": {-0.158655253931457, 0.841344746068543},
		"tanh": {-0.761594155955765, 0.761594155955765},
		"elu":  {-0.632120558828558, 1},
		"selu": {-1.11133074, 1.05070099},
	}
	for name, want := range want {
		y := static(t, &gradcheck.Problem{
			Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyActivation(name, n[0]) },
			Inputs: []*tensor.Dense{tensor.New(tensor.WithBacking([]float32{-1, 1}))},
			DY:     []float32{1, 1},
		}).Y
		for i, v := range y {
			if !(math.Abs(float64(v)-want[i]) <= 1e-7) {
				t.Errorf("%s: expected %v, found %v", name, want, y)
			}
		}
	}
}

func TestActivationRefuses(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, normal(0, 2), gorgonia.WithName("x"))
	_, err := layer.ApplyActivation("swish", x)
	wantError(t, err, "expected an activation, one of "+strings.Join(layer.Activations(), ", ")+`, found "swish"`)
	wide := gorgonia.NewVector(g, tensor.Float64, gorgonia.WithShape(2), gorgonia.WithName("wide"))
	_, err = layer.ApplyActivation("relu", wide)
	wantError(t, err, "float64")
	scalar := gorgonia.NewScalar(g, tensor.Float32, gorgonia.WithName("scalar"))
	if _, err = layer.ApplyActivation("relu", scalar); err == nil {
		t.Error("a scalar: expected an error, found none")
	}
}
