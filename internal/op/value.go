package op

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// New makes a zeroed float32 tensor of the given shape; without dimensions, a scalar.
func New(shape ...int) *tensor.Dense {
	if len(shape) == 0 {
		return tensor.New(tensor.FromScalar(float32(0)))
	}
	return tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
}

// Floats is the float32 backing of a tensor or scalar, row by row, without a copy and without an allocation.
func Floats(v gorgonia.Value) ([]float32, error) {
	d, err := dense(v, tensor.Float32)
	if err != nil {
		return nil, err
	}
	return d.Float32s(), nil
}

// Read sets each of into to the [Floats] of the input at its place, leaving out those that are nil: what most ops' Do begins
// with.
func Read(inputs []gorgonia.Value, into ...*[]float32) error {
	for i, values := range into {
		if values == nil {
			continue
		}
		floats, err := Floats(inputs[i])
		if err != nil {
			return err
		}
		*values = floats
	}
	return nil
}

// Ints is the int32 backing of a vector of labels, without a copy and without an allocation.
func Ints(v gorgonia.Value) ([]int32, error) {
	d, err := dense(v, tensor.Int32)
	if err != nil {
		return nil, err
	}
	return d.Int32s(), nil
}

// Float is the value of a float32 scalar, which Gorgonia holds either as *gorgonia.F32 or as a tensor of no dimensions.
func Float(v gorgonia.Value) (float32, error) {
	if f, ok := v.(*gorgonia.F32); ok {
		return float32(*f), nil
	}
	f, err := Floats(v)
	if err != nil {
		return 0, err
	}
	if len(f) != 1 {
		return 0, fmt.Errorf("expected a scalar, found a tensor of shape %v", v.Shape())
	}
	return f[0], nil
}

func dense(v gorgonia.Value, want tensor.Dtype) (*tensor.Dense, error) {
	d, ok := v.(*tensor.Dense)
	switch {
	case !ok:
		return nil, fmt.Errorf("expected a *tensor.Dense of %v, found %T", want, v)
	case d.Dtype() != want:
		return nil, fmt.Errorf("expected a tensor of %v, found one of %v", want, d.Dtype())
	case d.RequiresIterator() || d.DataOrder().IsColMajor():
		return nil, fmt.Errorf("expected a contiguous row-major tensor, found a view of shape %v", d.Shape())
	}
	return d, nil
}

// DoGrad runs the op that computes the gradient of n, on its inputs, and adds the output as [AddGrad] does: what most ops' DoDiff
// ends with.
func DoGrad(n *gorgonia.Node, gradient gorgonia.Op, inputs ...gorgonia.Value) error {
	v, err := gradient.Do(inputs...)
	if err != nil {
		return err
	}
	g, err := Floats(v)
	if err != nil {
		return err
	}
	return AddGrad(n, g)
}

// AddGrad adds g to the gradient that Gorgonia's LispMachine keeps for n, a tensor or a scalar: what [gorgonia.ADOp] asks of DoDiff.
func AddGrad(n *gorgonia.Node, g []float32) error {
	v, err := n.Grad()
	if err != nil {
		return err
	}
	if f, ok := v.(*gorgonia.F32); ok && len(g) == 1 {
		*f += gorgonia.F32(g[0])
		return nil
	}
	dst, err := Floats(v)
	if err != nil {
		return fmt.Errorf("gradient of %s: %w", n.Name(), err)
	}
	if len(dst) != len(g) {
		return fmt.Errorf("gradient of %s: expected %d values, found %d", n.Name(), len(dst), len(g))
	}
	for i, x := range g {
		dst[i] += x
	}
	return nil
}
