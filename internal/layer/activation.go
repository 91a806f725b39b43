package layer

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// registry is the activations, in the order in which they are listed. Any layer that keeps its shape and has neither parameters
// nor settings can be one. It needs a line here.
var registry = []struct {
	name string
	add  func(name string, x *gorgonia.Node) (*gorgonia.Node, error)
}{
	{"relu", elementwise(kernel.ReLU)},
	{"gelu", elementwise(kernel.GELU)},
	{"tanh", elementwise(kernel.Tanh)},
	{"elu", elementwise(kernel.ELU)},
	{"selu", elementwise(kernel.SELU)},
}

// Activations names the activations, the usual one first.
func Activations() (names []string) {
	for _, r := range registry {
		names = append(names, r.name)
	}
	return names
}

// Activation adds y = f(x) to the graph; f is one of [Activations], and x is float32 with one axis or more.
func Activation(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
	for _, r := range registry {
		if r.name == name {
			return r.add(name, x)
		}
	}
	return nil, fmt.Errorf("activation: expected one of %s, found %q", strings.Join(Activations(), ", "), name)
}

// elementwise is an activation of each value by itself.
func elementwise(f kernel.Activation) func(string, *gorgonia.Node) (*gorgonia.Node, error) {
	return func(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
		return op.Elementwise(name, x, f.Forward, f.Backward)
	}
}
