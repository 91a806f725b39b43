package layer

import (
	"errors"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layernorm"
)

// Norm is LayerNorm over the last axis of its input.
type Norm struct {
	Form    layernorm.Form
	Epsilon float64
}

func readNorm(r *reader, word string) (Layer, error) {
	if r.options.Norm == (Norm{}) {
		return nil, r.wrong(r.at-len(word), "expected a network without ln, as the form of LayerNorm is none")
	}
	return r.options.Norm, nil
}

// String is ln.
func (Norm) String() string { return "ln" }

// Word is norm.
func (Norm) Word() string { return "norm" }

// Output is the shape of the input.
func (Norm) Output(in Shape) (Shape, error) { return in, nil }

// Parameters are α, ones, and β, zeros, each as long as the last axis.
func (Norm) Parameters(in Shape, _ *Activation) []Parameter {
	last := tensor.Shape{in[len(in)-1]}
	return []Parameter{
		{Name: "alpha", Role: Gain, Shape: last, Initial: Initial{Value: 1}},
		{Name: "beta", Role: Shift, Shape: last},
	}
}

// Apply adds LayerNorm.
func (n Norm) Apply(x *gorgonia.Node, c *Context) (*gorgonia.Node, error) {
	return layernorm.Apply(x, c.Parameters[0], c.Parameters[1], n.Form, n.Epsilon)
}

// Check is an error unless the form is one of LayerNorm's and ε is above 0.
func (n Norm) Check() error {
	switch {
	case n.Form != layernorm.Book && n.Form != layernorm.Keras:
		return errors.New("expected a LayerNorm of form book or keras")
	case !(n.Epsilon > 0):
		return errors.New("expected an epsilon above 0")
	}
	return nil
}
