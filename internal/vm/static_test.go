package vm_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// probe is y = x for a vector of two values. It counts its runs, and fails if the test asks for it.
type probe struct {
	runs int
	fail error
}

func (p *probe) of(x *gorgonia.Node) *gorgonia.Node {
	return gorgonia.Must(op.Apply(op.Definition{
		Name:  "Probe",
		Shape: tensor.Shape{2},
		Bind: func(*op.Run) error {
			p.runs++
			return p.fail
		},
		Forward: func(r *op.Run, part, parts int) {
			lo, hi := op.Split(2, part, parts)
			copy(r.Y[lo:hi], r.Inputs[0][lo:hi])
		},
	}, x))
}

func must[T any](t rapid.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func vector(g *gorgonia.ExprGraph, name string, values ...float32) *gorgonia.Node {
	return gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking(values)), gorgonia.WithName(name))
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Errorf("expected an error with %q, found none", parts)
		return
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("expected an error with %q, found %q", part, err)
		}
	}
}

// nodes are the names of the nodes that a machine runs, in its order.
func nodes(m *vm.Static) (names []string) {
	m.Values(func(n *gorgonia.Node, _ gorgonia.Value) bool {
		names = append(names, n.Name())
		return true
	})
	return names
}

func TestStaticRunsWhatIsNeededOnce(t *testing.T) {
	g := gorgonia.NewGraph()
	x := vector(g, "x", 1, 2)
	var shared, wanted, unwanted probe
	a := shared.of(x)
	b := wanted.of(a)
	unwanted.of(a)
	sum := gorgonia.Must(gorgonia.Add(a, b))
	machine := must[*vm.Static](t)(vm.NewStatic(sum, b))
	for range 3 {
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int{3, 3, 0}, []int{shared.runs, wanted.runs, unwanted.runs}); diff != "" {
		t.Errorf("runs (-expected +found):\n%s", diff)
	}
	if found := nodes(machine); len(found) != 4 {
		t.Errorf("expected 4 nodes, found %v", found)
	}
	if found := sum.Value().Data(); !cmp.Equal(found, []float32{2, 4}) {
		t.Errorf("expected 2x, [2 4], found %v", found)
	}
}

// Differentiating the loss adds the gradient of the images to the graph, which no solver needs.
func TestStaticLeavesOutTheGradientOfTheImages(t *testing.T) {
	g := gorgonia.NewGraph()
	images := gorgonia.NodeFromAny(g, op.New(2, 3), gorgonia.WithName("images"))
	w := gorgonia.NodeFromAny(g, op.New(3, 4), gorgonia.WithName("w"))
	b := gorgonia.NodeFromAny(g, op.New(4), gorgonia.WithName("b"))
	labels := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]int32{0, 1})), gorgonia.WithName("labels"))
	logits := gorgonia.Must(layer.ApplyDense(images, w, b))
	loss := must[*layer.BatchLoss](t)(layer.NewBatchLoss(loss.Default(), logits, labels)).Node
	gradients := must[gorgonia.Nodes](t)(gorgonia.Grad(loss, images, w, b))
	machine := must[*vm.Static](t)(vm.NewStatic(loss, gradients[1], gradients[2]))
	var ops []string
	machine.Values(func(n *gorgonia.Node, _ gorgonia.Value) bool {
		if n.Op() != nil {
			ops = append(ops, n.Op().String())
		}
		return true
	})
	if !slices.Contains(ops, "DenseDW") || !slices.Contains(ops, "DenseDB") || slices.Contains(ops, "DenseDX") {
		t.Errorf("expected the gradients of w and b without that of the images, found %v", ops)
	}
}

// Two graphs that are built in the same way run in the same order, children first.
func TestStaticOrderIsFixed(t *testing.T) {
	order := func() []string {
		g := gorgonia.NewGraph()
		m := must[*vm.Static](t)(vm.NewStatic(mlp(t, g).outputs...))
		seen := map[*gorgonia.Node]bool{}
		var order []string
		m.Values(func(n *gorgonia.Node, _ gorgonia.Value) bool {
			for children := g.From(n.ID()); children != nil && children.Next(); {
				if child := children.Node().(*gorgonia.Node); !seen[child] {
					t.Errorf("%v runs before its child %v", n, child)
				}
			}
			seen[n] = true
			what := n.Name()
			if n.Op() != nil {
				what = fmt.Sprintf("%v %v", n.Op(), n.Shape())
			}
			order = append(order, what)
			return true
		})
		return order
	}
	first := order()
	for range 5 {
		if diff := cmp.Diff(first, order()); diff != "" {
			t.Fatalf("order of two builds (-first +other):\n%s", diff)
		}
	}
}

func TestValuesStops(t *testing.T) {
	g := gorgonia.NewGraph()
	machine := must[*vm.Static](t)(vm.NewStatic(gorgonia.Must(gorgonia.Tanh(vector(g, "x", 1, 2)))))
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	var visited []gorgonia.Value
	machine.Values(func(n *gorgonia.Node, v gorgonia.Value) bool {
		visited = append(visited, v)
		return false
	})
	if len(visited) != 1 || !cmp.Equal(visited[0].Data(), []float32{1, 2}) {
		t.Errorf("expected only the first node, x = [1 2], found %v", visited)
	}
}

func TestStaticErrors(t *testing.T) {
	t.Run("no outputs", func(t *testing.T) {
		_, err := vm.NewStatic()
		wantError(t, err, "vm: expected one output or more, found none")
	})
	t.Run("two graphs", func(t *testing.T) {
		x, y := vector(gorgonia.NewGraph(), "x", 1), vector(gorgonia.NewGraph(), "other", 1)
		_, err := vm.NewStatic(x, y)
		wantError(t, err, "one graph", "found other in another")
	})
	t.Run("an input without a value", func(t *testing.T) {
		g := gorgonia.NewGraph()
		x := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(2), gorgonia.WithName("images"))
		machine := must[*vm.Static](t)(vm.NewStatic(gorgonia.Must(gorgonia.Tanh(x))))
		wantError(t, machine.RunAll(), "vm: input images has no value")
		if err := gorgonia.Let(x, op.New(2)); err != nil {
			t.Fatal(err)
		}
		if err := machine.RunAll(); err != nil {
			t.Errorf("with a value: %v", err)
		}
	})
	t.Run("an op that fails", func(t *testing.T) {
		g := gorgonia.NewGraph()
		var p, after probe
		y := p.of(vector(g, "x", 1, 2))
		gorgonia.WithName("lower.0.probe")(y)
		machine := must[*vm.Static](t)(vm.NewStatic(after.of(y)))
		p.fail = errors.New("out of paper")
		err := machine.RunAll()
		wantError(t, err, "lower.0.probe", "(2)", "out of paper")
		if !errors.Is(err, p.fail) {
			t.Error("expected the op's error to be wrapped")
		}
		if after.runs != 0 {
			t.Error("expected nothing to run after the error")
		}
		p.fail = nil
		if err := machine.RunAll(); err != nil || after.runs != 1 {
			t.Errorf("once fixed: expected a run, found %v", err)
		}
	})
}

// A step's results are read from the nodes: an op's own buffer, a buffer kept for one of Gorgonia's ops, or a value that is
// new each time, as its scalars are.
func TestStaticBindsOutputs(t *testing.T) {
	g := gorgonia.NewGraph()
	x := vector(g, "x", 1, 2)
	mine := new(probe).of(x)
	square := gorgonia.Must(gorgonia.HadamardProd(mine, mine))
	sum := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(x, x))))
	gradient := must[gorgonia.Nodes](t)(gorgonia.Grad(sum, x))[0]
	machine := must[*vm.Static](t)(vm.NewStatic(mine, square, sum, gradient, x))
	var buffer gorgonia.Value
	for _, values := range [][]float32{{1, 2}, {-3, 4}, {0, 5}} {
		copy(x.Value().Data().([]float32), values)
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
		if buffer == nil {
			buffer = square.Value()
		} else if square.Value() != buffer {
			t.Errorf("x = %v: expected the square in the buffer of the run before", values)
		}
		a, b := values[0], values[1]
		grad := must[gorgonia.Value](t)(x.Grad())
		found := []any{mine.Value().Data(), square.Value().Data(), sum.Value().Data(), gradient.Value().Data(), grad.Data(), x.Value().Data()}
		want := []any{[]float32{a, b}, []float32{a * a, b * b}, a*a + b*b, []float32{2 * a, 2 * b}, []float32{2 * a, 2 * b}, []float32{a, b}}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("x = %v (-expected +found):\n%s", values, diff)
		}
	}
	machine.Reset()
	if err := machine.RunAll(); err != nil {
		t.Errorf("after Reset: %v", err)
	}
	if err := machine.Close(); err != nil {
		t.Error(err)
	}
}

// A training step allocates nothing. The products here are small enough to be serial: larger ones start goroutines, with a few small
// allocations.
func TestStaticDoesNotAllocate(t *testing.T) {
	g := gorgonia.NewGraph()
	machine := must[*vm.Static](t)(vm.NewStatic(mlp(t, g).outputs...))
	run := func() {
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	run() // makes the buffers
	if allocations := testing.AllocsPerRun(50, run); allocations != 0 {
		t.Errorf("expected no allocation, found %v", allocations)
	}
}

// slow is y = x for a vector of 7 if rowLocal, else y = Σx in each entry. Its parts are slow.
func slow(rowLocal bool, x *gorgonia.Node) *gorgonia.Node {
	d := op.Definition{
		Name:  "Sum",
		Shape: tensor.Shape{7},
		Forward: func(r *op.Run, part, parts int) {
			time.Sleep(time.Duration(part) * time.Millisecond)
			lo, hi := op.Split(7, part, parts)
			for i := lo; i < hi; i++ {
				if r.Y[i] = r.Inputs[0][i]; !rowLocal {
					r.Y[i] = 0
					for _, v := range r.Inputs[0] {
						r.Y[i] += v
					}
				}
			}
		},
	}
	if rowLocal {
		d.Name, d.Rows = "Copy", []int{0}
	}
	return gorgonia.Must(op.Apply(d, x))
}

// A part that reads all of its child waits for all parts of the child. A part that reads only its own rows doesn't.
func TestStaticWaitsForThePartsThatAreNeeded(t *testing.T) {
	members := team.New(3)
	defer members.Close()
	g := gorgonia.NewGraph()
	x := vector(g, "x", 1, 2, 3, 4, 5, 6, 7)
	copied := slow(true, x)
	summed := slow(false, copied)
	again := slow(true, summed)
	whole := gorgonia.Must(gorgonia.Add(again, copied))
	machine := must[*vm.Static](t)(vm.NewStatic(whole))
	machine.UseTeam(members)
	for run := range 5 {
		x.Value().(*tensor.Dense).Float32s()[0] = float32(run)
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
		total := float32(run + 27)
		want := []float32{total + float32(run), total + 2, total + 3, total + 4, total + 5, total + 6, total + 7}
		if found := whole.Value().Data(); !cmp.Equal(found, want) {
			t.Errorf("run %d: expected %v, found %v", run, want, found)
		}
	}
}

// Whoever watches hears of each op once a run, those with parts and those without; the values are the same.
func TestWatch(t *testing.T) {
	g := gorgonia.NewGraph()
	var p probe
	y := p.of(vector(g, "x", 1, 2))
	sum := gorgonia.Must(gorgonia.Sum(y))
	m := must[*vm.Static](t)(vm.NewStatic(sum))
	members := team.New(2)
	defer members.Close()
	m.UseTeam(members)
	heard := map[string]int{}
	run := func(want int) {
		t.Helper()
		if err := m.RunAll(); err != nil {
			t.Fatal(err)
		}
		if heard["Probe"] != want || len(heard) > 2 || sum.Value().Data() != float32(3) {
			t.Errorf("expected to hear of Probe %d times, found %v; the sum %v", want, heard, sum.Value())
		}
	}
	run(0)
	m.Watch(func(by gorgonia.Op, took time.Duration) {
		if took < 0 {
			t.Errorf("%v took %v", by, took)
		}
		heard[by.String()]++
	})
	run(1)
	run(2)
	if len(heard) != 2 {
		t.Errorf("expected to hear of two ops, found %v", heard)
	}
	m.Watch(nil)
	run(2)
}
