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

// Floats is the float32 values of a tensor, row by row, without a copy and without an allocation.
func Floats(v gorgonia.Value) ([]float32, error) {
	d, err := dense(v, tensor.Float32)
	if err != nil {
		return nil, err
	}
	return d.Float32s(), nil
}

// Ints is the int32 values of a tensor, without a copy and without an allocation.
func Ints(v gorgonia.Value) ([]int32, error) {
	d, err := dense(v, tensor.Int32)
	if err != nil {
		return nil, err
	}
	return d.Int32s(), nil
}

// Float is the value of a float32 scalar. Gorgonia holds it as *gorgonia.F32 or as a tensor without dimensions.
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
