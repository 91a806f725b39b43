package layer

import (
	"fmt"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
)

// Activated is an activation, which keeps the shape of its input.
type Activated struct {
	word   string
	radius func(in, out float64) float64 // of the initial weights of the product before it
}

var activationRadius = map[string]func(in, out float64) float64{"tanh": glorot, "selu": lecun}

func activationKinds() (kinds []Kind) {
	for _, word := range Activations() {
		kinds = append(kinds, Kind{word, word, "an activation", func(*reader, string) (Layer, error) {
			a, err := FindActivation(word)
			return a, err
		}})
	}
	return kinds
}

// FindActivation is the activation of that name.
func FindActivation(word string) (*Activated, error) {
	if !slices.Contains(Activations(), word) {
		return nil, fmt.Errorf("expected an activation, one of %s, found %.100q", strings.Join(Activations(), ", "), word)
	}
	a := &Activated{word, he}
	if r, ok := activationRadius[word]; ok {
		a.radius = r
	}
	return a, nil
}

// String is the activation's name.
func (a *Activated) String() string { return a.word }

// Word is the activation's name.
func (a *Activated) Word() string { return a.word }

// Output is the shape of the input.
func (a *Activated) Output(in Shape) (Shape, error) { return in, nil }

// Parameters are none.
func (a *Activated) Parameters(Shape, *Activated) []Parameter { return nil }

// Apply adds f(x).
func (a *Activated) Apply(x *gorgonia.Node, _ *Context) (*gorgonia.Node, error) {
	return Activation(a.word, x)
}
