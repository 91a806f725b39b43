package layer_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
)

// checkParametric compares the gradients of a layer's input and of its parameter with differences and the LispMachine.
func checkParametric(t *testing.T, l layer.Layer) {
	t.Helper()
	parameters := l.Parameters(layer.Shape{6}, nil)
	if len(parameters) != 1 || parameters[0].Shape.TotalSize() != 6 {
		t.Fatalf("expected one parameter of 6 values, found %+v", parameters)
	}
	checkGradients(t, &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			return l.Apply(n[0], &layer.Context{Parameters: n[1:]})
		},
		Inputs: []*tensor.Dense{normal(3, 4, 6), normal(4, 6)},
		DY:     normal(5, 4, 6).Float32s(),
	}, 1e-3, 2e-3)
}

func TestScale(t *testing.T) { checkParametric(t, layer.Scale{}) }

func TestPReLU(t *testing.T) { checkParametric(t, layer.PReLU{}) }
