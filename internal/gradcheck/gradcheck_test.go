package gradcheck_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
)

func floats(shape []int, values ...float32) *tensor.Dense {
	return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(values))
}

func labels(values ...int32) *tensor.Dense {
	return tensor.New(tensor.WithShape(len(values)), tensor.WithBacking(values))
}

// square is x², whose gradient is known exactly.
func square(n gorgonia.Nodes) (*gorgonia.Node, error) { return gorgonia.HadamardProd(n[0], n[0]) }

// The cost is Σ y⊗dy, and so the gradient of x² is 2x⊗dy: all three ways, in every rank.
func TestGradientOfASquare(t *testing.T) {
	x, dy := []float32{1, -2, 3, 0.5}, []float32{3, 2, -3, 4}
	for _, shape := range [][]int{{4}, {2, 2}, {1, 4}, {4, 1}, {1}, {1, 1}, {2, 1, 2}} {
		size := tensor.Shape(shape).TotalSize()
		p := &gradcheck.Problem{Build: square, Inputs: []*tensor.Dense{floats(shape, slices.Clone(x[:size])...)}, DY: dy[:size]}
		want := &gradcheck.Result{Gradients: [][]float32{nil}}
		for i := range size {
			want.Y = append(want.Y, x[i]*x[i])
			want.Gradients[0] = append(want.Gradients[0], 2*x[i]*dy[i])
		}
		machines := map[string]func() (*gradcheck.Result, error){"Static": p.Static}
		if size > 1 { // Gorgonia's LispMachine overwrites the factors of a product of one element
			machines["Lisp"] = p.Lisp
		}
		for name, evaluate := range machines {
			got, err := evaluate()
			if err != nil {
				t.Fatal(shape, name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%v: %s (-expected +found):\n%s", shape, name, diff)
			}
		}
		differences, err := p.FiniteDifferences(1e-2)
		if err != nil {
			t.Fatal(shape, err)
		}
		for i, d := range differences[0] {
			if !(math.Abs(d-float64(want.Gradients[0][i])) <= 1e-3) {
				t.Errorf("%v: entry %d: expected %v from differences, found %v", shape, i, want.Gradients[0][i], d)
			}
		}
		if !slices.Equal(p.Inputs[0].Float32s(), x[:size]) {
			t.Errorf("%v: expected the inputs as they were, found %v", shape, p.Inputs[0])
		}
	}
}

// An input that is not float32 has no gradient. A scalar y is the cost itself and needs no DY.
func TestGradientOfALoss(t *testing.T) {
	p := &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			loss, err := layer.NewBatchLoss(loss.Default(), n[1], n[0])
			if err != nil {
				return nil, err
			}
			return loss.Node, nil
		},
		Inputs: []*tensor.Dense{labels(1), floats([]int{1, 2}, 0, 0)},
	}
	want := &gradcheck.Result{Y: []float32{math.Ln2}, Gradients: [][]float32{nil, {0.5, -0.5}}}
	for name, evaluate := range map[string]func() (*gradcheck.Result, error){"Static": p.Static, "Lisp": p.Lisp} {
		got, err := evaluate()
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-expected +found):\n%s", name, diff)
		}
	}
	differences, err := p.FiniteDifferences(1e-2)
	if err != nil {
		t.Fatal(err)
	}
	if differences[0] != nil || len(differences[1]) != 2 || !(math.Abs(differences[1][0]-0.5) <= 1e-4) {
		t.Errorf("expected no gradient of the labels and 0.5, −0.5 of the logits, found %v", differences)
	}
}

func TestErrors(t *testing.T) {
	refuse := errors.New("no such expression")
	build := &gradcheck.Problem{
		Build:  func(gorgonia.Nodes) (*gorgonia.Node, error) { return nil, refuse },
		Inputs: []*tensor.Dense{floats([]int{1}, 1)},
	}
	// A label out of range is an error when the graph runs, not when it is built.
	label := &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			loss, err := layer.NewBatchLoss(loss.Default(), n[0], n[1])
			if err != nil {
				return nil, err
			}
			return loss.Node, nil
		},
		Inputs: []*tensor.Dense{floats([]int{1, 2}, 0, 0), labels(2)},
	}
	for want, p := range map[string]*gradcheck.Problem{refuse.Error(): build, "labels from 0 to 1": label} {
		_, static := p.Static()
		_, differences := p.FiniteDifferences(1e-2)
		for i, err := range []error{static, differences} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: expected an error with %q, found %v", []string{"Static", "FiniteDifferences"}[i], want, err)
			}
		}
	}
	// After the error of an op the LispMachine still runs in a goroutine, which the race detector reports. So only build the graph.
	if _, err := build.Lisp(); !errors.Is(err, refuse) {
		t.Errorf("Lisp: expected %v, found %v", refuse, err)
	}
}
