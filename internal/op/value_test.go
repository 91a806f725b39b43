package op_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/op"
)

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	if err == nil || err.Error() != want {
		t.Errorf("expected the error %q, found %v", want, err)
	}
}

func matrix() *tensor.Dense {
	return tensor.New(tensor.WithShape(2, 3), tensor.WithBacking([]float32{1, 2, 3, 4, 5, 6}))
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestNew(t *testing.T) {
	for _, shape := range [][]int{{}, {1}, {3}, {2, 3}, {2, 3, 4}} {
		d := op.New(shape...)
		values := must[[]float32](t)(op.Floats(d))
		if !d.Shape().Eq(tensor.Shape(shape)) || len(values) != tensor.Shape(shape).TotalSize() {
			t.Errorf("expected shape %v, found %v with %d values", shape, d.Shape(), len(values))
		}
		if slices.ContainsFunc(values, func(v float32) bool { return v != 0 }) {
			t.Errorf("shape %v: expected zeros, found %v", shape, values)
		}
	}
}

// A write to the slice is a write to the tensor.
func TestFloatsIsNoCopy(t *testing.T) {
	d := matrix()
	must[[]float32](t)(op.Floats(d))[5] = 60
	if v := must[any](t)(d.At(1, 2)); v != float32(60) {
		t.Errorf("expected 60, found %v", v)
	}
	rows := must[tensor.View](t)(d.Slice(tensor.S(1, 2))).(*tensor.Dense)
	if found := must[[]float32](t)(op.Floats(rows)); !slices.Equal(found, []float32{4, 5, 60}) {
		t.Errorf("expected the second row, [4 5 60], found %v", found)
	}
}

func TestFloatsRefuses(t *testing.T) {
	transposed := matrix()
	if err := transposed.T(); err != nil {
		t.Fatal(err)
	}
	column := must[tensor.View](t)(matrix().Slice(nil, tensor.S(1)))
	columns := must[tensor.View](t)(matrix().Slice(nil, tensor.S(0, 2)))
	for _, test := range []struct {
		what  string
		value gorgonia.Value
		err   string
	}{
		{"no value", nil, "expected a *tensor.Dense of float32, found <nil>"},
		{"a scalar of Gorgonia's", gorgonia.NewF32(1), "expected a *tensor.Dense of float32, found *gorgonia.F32"},
		{"float64", tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2)), "expected a tensor of float32, found one of float64"},
		{"int32", tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(2)), "expected a tensor of float32, found one of int32"},
		{"transposed", transposed, "expected a contiguous row-major tensor, found a view of shape (3, 2)"},
		{"a column", column.(*tensor.Dense), "expected a contiguous row-major tensor, found a view of shape (2)"},
		{"two columns", columns.(*tensor.Dense), "expected a contiguous row-major tensor, found a view of shape (2, 2)"},
		{"column-major", tensor.New(tensor.AsFortran([]float32{1, 2, 3, 4}), tensor.WithShape(2, 2)), "expected a contiguous row-major tensor, found a view of shape (2, 2)"},
	} {
		t.Run(test.what, func(t *testing.T) {
			_, err := op.Floats(test.value)
			wantError(t, err, test.err)
			_, err = op.Float(test.value)
			if test.what != "a scalar of Gorgonia's" {
				wantError(t, err, test.err)
			}
		})
	}
}

func TestInts(t *testing.T) {
	labels := tensor.New(tensor.WithBacking([]int32{3, -1}))
	if found := must[[]int32](t)(op.Ints(labels)); !slices.Equal(found, []int32{3, -1}) {
		t.Errorf("expected [3 -1], found %v", found)
	}
	_, err := op.Ints(op.New(2))
	wantError(t, err, "expected a tensor of int32, found one of float32")
	_, err = op.Ints(nil)
	wantError(t, err, "expected a *tensor.Dense of int32, found <nil>")
}

// Gorgonia has two representations of a scalar.
func TestFloat(t *testing.T) {
	for _, v := range []gorgonia.Value{gorgonia.NewF32(2.5), tensor.New(tensor.FromScalar(float32(2.5))), tensor.New(tensor.WithBacking([]float32{2.5}))} {
		if found := must[float32](t)(op.Float(v)); found != 2.5 {
			t.Errorf("%T: expected 2.5, found %v", v, found)
		}
	}
	_, err := op.Float(op.New(2, 1))
	wantError(t, err, "expected a scalar, found a tensor of shape (2, 1)")
}

func TestValuesAreReadWithoutAllocation(t *testing.T) {
	scalar, vector, labels := gorgonia.Value(gorgonia.NewF32(1)), gorgonia.Value(op.New(7)), gorgonia.Value(tensor.New(tensor.WithBacking([]int32{1, 2})))
	allocations := testing.AllocsPerRun(100, func() {
		_, err1 := op.Floats(vector)
		_, err2 := op.Ints(labels)
		_, err3 := op.Float(scalar)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal(err1, err2, err3)
		}
	})
	if allocations != 0 {
		t.Errorf("expected no allocation, found %v", allocations)
	}
}
