package layer

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// Activation is a layer that keeps its input's shape and has neither parameters nor settings.
type Activation struct {
	word   string
	radius radius // of the initial weights of the dense layer or convolution before it
	apply  func(name string, x *gorgonia.Node) (*gorgonia.Node, error)
}

// activation is a line of [Kinds].
func activation(word, about string, r radius, apply func(name string, x *gorgonia.Node) (*gorgonia.Node, error)) Kind {
	return Kind{Word: word, Usage: word, About: about, Activation: &Activation{word, r, apply}}
}

// String is the activation's name.
func (a *Activation) String() string { return a.word }

// Word is the activation's name.
func (a *Activation) Word() string { return a.word }

// Output is the shape of the input.
func (a *Activation) Output(in Shape) (Shape, error) { return in, nil }

// Parameters are none.
func (a *Activation) Parameters(Shape, *Activation) []Parameter { return nil }

// Apply adds f(x).
func (a *Activation) Apply(x *gorgonia.Node, _ *Context) (*gorgonia.Node, error) {
	return a.apply(a.word, x)
}

// elementwise is an activation of each value by itself.
func elementwise(f kernel.Activation) func(string, *gorgonia.Node) (*gorgonia.Node, error) {
	return func(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
		return op.Elementwise(name, x, f.Forward, f.Backward)
	}
}

// Activations names the activations, the usual one first.
func Activations() (names []string) {
	for _, k := range Kinds() {
		if k.Activation != nil {
			names = append(names, k.Word)
		}
	}
	return names
}

// FindActivation is the activation of that name.
func FindActivation(name string) (*Activation, error) {
	if k, ok := find(name); ok && k.Activation != nil {
		return k.Activation, nil
	}
	return nil, fmt.Errorf("expected an activation, one of %s, found %.100q", strings.Join(Activations(), ", "), name)
}

// ApplyActivation adds y = f(x) to the graph, for the activation f of that name. x is float32 with one axis or more.
func ApplyActivation(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
	a, err := FindActivation(name)
	if err != nil {
		return nil, err
	}
	return a.Apply(x, nil)
}
