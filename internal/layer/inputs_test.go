package layer_test

import (
	"fmt"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// first is a dense layer on an input of the graph, or on the output of an op, with ReLU and a loss.
type first struct {
	machine *vm.Static
	y       *gorgonia.Node
	outputs gorgonia.Nodes // the loss and the gradients of w and b
}

func newFirst(t *testing.T, batch, in, out int, afterOp bool) *first {
	t.Helper()
	g := gorgonia.NewGraph()
	node := func(name string, v *tensor.Dense) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name))
	}
	x, w, b := node("x", normal(1, batch, in)), node("w", normal(2, in, out)), node("b", normal(3, out))
	from := x
	if afterOp {
		from = gorgonia.Must(op.Elementwise("Copy", x, func(y, x []float32) { copy(y, x) }, func(dx, dy, _, _ []float32) { copy(dx, dy) }))
	}
	f := &first{y: gorgonia.Must(layer.ApplyDense(from, w, b))}
	h := gorgonia.Must(layer.ApplyActivation("relu", f.y))
	labels := tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(batch))
	for i := range labels.Int32s() {
		labels.Int32s()[i] = int32(i % out)
	}
	l, err := layer.NewBatchLoss(loss.Default(), h, gorgonia.NodeFromAny(g, labels, gorgonia.WithName("labels")))
	if err != nil {
		t.Fatal(err)
	}
	gradients, err := gorgonia.Grad(l.Node, w, b)
	if err != nil {
		t.Fatal(err)
	}
	f.outputs = append(gorgonia.Nodes{f.y, l.Node}, gradients...)
	if f.machine, err = vm.NewStatic(f.outputs...); err != nil {
		t.Fatal(err)
	}
	return f
}

// values are the bits of y, the loss and the gradients after a run.
func (f *first) values(t *testing.T) (all []float32) {
	t.Helper()
	if err := f.machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	for _, n := range f.outputs {
		if n.IsScalar() {
			v, err := op.Float(n.Value())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, v)
			continue
		}
		all = append(all, n.Value().Data().([]float32)...)
	}
	return all
}

// A layer shared by inputs has the bits of the same layer shared by rows, for any number of threads, even more than inputs.
func TestSharesHaveTheSameBits(t *testing.T) {
	crew := team.New(5)
	defer crew.Close()
	for _, s := range []struct {
		batch, in, out int
		byInputs       bool
	}{
		{1, 2, 64, true}, {2, 3, 50, true}, {3, 784, 49, true}, {32, 784, 100, true}, {7, 130, 300, true}, {128, 129, 64, true},
		{32, 784, 10, false}, {5, 6, 1, false}, {4, 9, 3, false}, {129, 200, 100, false}, {8, 8, 100, false},
	} {
		t.Run(fmt.Sprint(s), func(t *testing.T) {
			byInputs, byRows := newFirst(t, s.batch, s.in, s.out, false), newFirst(t, s.batch, s.in, s.out, true)
			if o := byInputs.y.Op().(op.Parallel); o.Shared() != s.byInputs || o.RowLocal(0) == s.byInputs {
				t.Errorf("shared by inputs: %v, expected %v", o.Shared(), s.byInputs)
			}
			if byRows.y.Op().(op.Parallel).Shared() {
				t.Error("the layer after an op is shared by inputs")
			}
			want := byRows.values(t)
			byInputs.machine.UseTeam(crew)
			byRows.machine.UseTeam(crew)
			for members := 1; members <= 5; members++ {
				crew.Resize(members)
				for range 2 {
					if !sameBits(byInputs.values(t), want) || !sameBits(byRows.values(t), want) {
						t.Fatalf("%d threads: other bits", members)
					}
				}
			}
			allocations := testing.AllocsPerRun(5, func() { byInputs.machine.RunAll() })
			if allocations != 0 {
				t.Errorf("expected no allocation in a run, found %v", allocations)
			}
		})
	}
}

// The gradients of a layer shared by inputs are right, that of x included.
func TestGradientsByInputs(t *testing.T) {
	p := &gradcheck.Problem{
		Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyDense(n[0], n[1], n[2]) },
		Inputs: []*tensor.Dense{normal(1, 2, 3), normal(2, 3, 50), normal(3, 50)},
		DY:     normal(4, 2, 50).Float32s(),
	}
	checkGradients(t, p, 0.5, 1e-4)
	if r := static(t, p); slices.Contains(r.Gradients[0], 0) {
		t.Errorf("dx: found %v", r.Gradients[0])
	}
}
