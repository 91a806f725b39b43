package op_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// scaled is y = (x + b)·c in the rows whose label is 1, else x + b, for x [rows, n], b [n], labels and the scalar c. It uses everything
// that a definition can have: labels, a scalar, a Bind, values kept for the gradients, and two gradients from one pass.
func scaled(rows, n int) op.Definition {
	sums := make([]float32, rows*n) // x + b, kept
	factors := make([]float32, rows)
	return op.Definition{
		Name:   "Scaled",
		Inputs: []string{"X", "B", "Labels", "C"},
		Shape:  tensor.Shape{rows, n},
		Rows:   []int{0, 2},
		Bind: func(r *op.Run) error {
			for i, label := range r.Labels {
				if label < 0 {
					return fmt.Errorf("expected a label from 0 on, found %d", label)
				}
				factors[i] = 1
				if label == 1 {
					factors[i] = r.Inputs[3][0]
				}
			}
			return nil
		},
		Forward: func(r *op.Run, part, parts int) {
			top, bottom := op.Split(rows, part, parts)
			for i := top * n; i < bottom*n; i++ {
				sums[i] = r.Inputs[0][i] + r.Inputs[1][i%n]
				r.Y[i] = sums[i] * factors[i/n]
			}
		},
		Gradients: []op.Gradient{
			{
				Of:   []int{0},
				Rows: []op.Operand{op.DY, op.Forward},
				Compute: func(r *op.Run, d [][]float32, part, parts int) {
					top, bottom := op.Split(rows, part, parts)
					for i := top * n; i < bottom*n; i++ {
						d[0][i] = r.DY[i] * factors[i/n]
					}
				},
			},
			{
				Of:    []int{3, 1},
				Whole: []op.Operand{op.DY, op.Forward},
				Compute: func(r *op.Run, d [][]float32, _, _ int) {
					dc, db := d[0], d[1]
					dc[0] = 0
					clear(db)
					for i, dy := range r.DY {
						db[i%n] += dy * factors[i/n]
						if r.Labels[i/n] == 1 {
							dc[0] += dy * sums[i]
						}
					}
				},
			},
		},
	}
}

// normal are values from a normal distribution, a function of the seed.
func normal(seed uint64, shape ...int) *tensor.Dense {
	r := rand.New(rand.NewPCG(seed, 7))
	d := op.New(shape...)
	for i := range d.Float32s() {
		d.Float32s()[i] = float32(r.NormFloat64())
	}
	return d
}

func labels(values ...int32) *tensor.Dense { return tensor.New(tensor.WithBacking(values)) }

// The gradients of one definition are right as nodes and as values, also for a scalar and for two inputs from one pass.
func TestGradients(t *testing.T) {
	const step, tolerance = 1e-2, 1e-3
	p := &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			c, err := gorgonia.Sum(n[3])
			if err != nil {
				return nil, err
			}
			return op.Apply(scaled(3, 4), n[0], n[1], n[2], c)
		},
		Inputs: []*tensor.Dense{normal(1, 3, 4), normal(2, 4), labels(1, 0, 1), normal(3, 2)},
		DY:     normal(4, 3, 4).Float32s(),
	}
	static, lisp := must[*gradcheck.Result](t)(p.Static()), must[*gradcheck.Result](t)(p.Lisp())
	differences := must[[][]float64](t)(p.FiniteDifferences(step))
	for i, want := range differences {
		if !slices.Equal(static.Gradients[i], lisp.Gradients[i]) {
			t.Errorf("gradient %d: %v as a node, %v as a value", i, static.Gradients[i], lisp.Gradients[i])
		}
		for j, v := range want {
			if found := float64(static.Gradients[i][j]); !(max(found-v, v-found) <= tolerance) {
				t.Errorf("gradient %d, entry %d: expected %v from differences, found %v", i, j, v, found)
			}
		}
	}
}

// The gradients of a sum are dy itself: no op computes them.
func TestGradientThatIsDY(t *testing.T) {
	g := gorgonia.NewGraph()
	a := gorgonia.NodeFromAny(g, normal(1, 2, 3), gorgonia.WithName("a"))
	b := gorgonia.NodeFromAny(g, normal(2, 2, 3), gorgonia.WithName("b"))
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(op.Sum(a, b))))
	gradients := must[gorgonia.Nodes](t)(gorgonia.Grad(cost, a, b))
	if gradients[0] != gradients[1] {
		t.Errorf("expected one node for both gradients, found %v and %v", gradients[0], gradients[1])
	}
	if o := op.NewSum(tensor.Shape{2, 3}); o.Arity() != 2 || !o.RowLocal(0) || !o.RowLocal(1) {
		t.Errorf("expected a row-local op of two inputs, found %v", o)
	}
}

// An executor learns from the op which ops run before it, and of which operands a part reads only its own rows. Forward stands for
// all inputs and y.
func TestOperands(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, normal(1, 3, 4), gorgonia.WithName("x"))
	b := gorgonia.NodeFromAny(g, normal(2, 4), gorgonia.WithName("b"))
	l := gorgonia.NodeFromAny(g, labels(1, 0, 1), gorgonia.WithName("labels"))
	c := gorgonia.NodeFromAny(g, float32(2), gorgonia.WithName("c"))
	y := gorgonia.Must(op.Apply(scaled(3, 4), x, b, l, c))
	gorgonia.WithName("y")(y)
	gradients := must[gorgonia.Nodes](t)(gorgonia.Grad(gorgonia.Must(gorgonia.Sum(y)), x, b, c))
	for _, test := range []struct {
		node     *gorgonia.Node
		name     string
		rowLocal []string
		whole    []string
	}{
		{y, "Scaled", []string{"x", "labels"}, []string{"b", "c"}},
		{gradients[0], "ScaledDX", []string{"dy", "y", "x", "labels"}, []string{"b", "c"}},
		{gradients[2], "ScaledDC", nil, []string{"dy", "y", "x", "b", "labels", "c"}},
	} {
		o := test.node.Op().(op.Parallel)
		var rowLocal, whole []string
		for i, n := range vm.Inputs(test.node) {
			name := n.Name()
			if !slices.Contains([]string{"x", "b", "labels", "c", "y"}, name) {
				name = "dy"
			}
			if o.RowLocal(i) {
				rowLocal = append(rowLocal, name)
			} else {
				whole = append(whole, name)
			}
		}
		if o.String() != test.name || !slices.Equal(rowLocal, test.rowLocal) || !slices.Equal(whole, test.whole) {
			t.Errorf("expected %v, found %s %v %v", test, o, rowLocal, whole)
		}
	}
	if from := vm.Inputs(gradients[1]); gradients[1].Op().String() != "ScaledDB" || len(from) != 1 || from[0] != gradients[2] {
		t.Errorf("expected ScaledDB to be picked from ScaledDC, found %v from %v", gradients[1].Op(), from)
	}
}

// Gorgonia returns a type to a pool after inference, so each call must make a new one.
func TestType(t *testing.T) {
	g := gorgonia.NewGraph()
	c := gorgonia.NodeFromAny(g, float32(2), gorgonia.WithName("c"))
	y := gorgonia.Must(op.Apply(scaled(3, 4), gorgonia.NodeFromAny(g, normal(1, 3, 4), gorgonia.WithName("x")),
		gorgonia.NodeFromAny(g, normal(2, 4), gorgonia.WithName("b")), gorgonia.NodeFromAny(g, labels(0, 0, 0), gorgonia.WithName("l")), c))
	o := y.Op()
	if o.Arity() != 4 || o.ReturnsPtr() || o.CallsExtern() || o.OverwritesInput() != -1 {
		t.Errorf("expected an op of 4 inputs that overwrites none, found %v", o)
	}
	const want = "Matrix float32 → Vector float32 → Vector int32 → float32 → Matrix float32"
	first, second := o.Type(), o.Type()
	if first == second {
		t.Error("expected a new type at each call, found the same")
	}
	if found := first.String(); found != want {
		t.Errorf("expected the type %q, found %q", want, found)
	}
}

func TestApplyRefuses(t *testing.T) {
	g := gorgonia.NewGraph()
	node := func(name string, v any) *gorgonia.Node { return gorgonia.NodeFromAny(g, v, gorgonia.WithName(name)) }
	x, b, l, c := node("x", normal(1, 3, 4)), node("b", normal(2, 4)), node("l", labels(1, 0, 1)), node("c", float32(1))
	wide := node("wide", tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(3, 4)))
	long := node("long", normal(3, 5, 4))
	twice := scaled(3, 4)
	twice.Gradients[1].Of = []int{3, 0}
	apart := scaled(3, 4)
	apart.Gradients[1].Rows = []op.Operand{op.DY}
	for _, test := range []struct {
		err    string
		d      op.Definition
		inputs gorgonia.Nodes
	}{
		{"Scaled: expected float32 for X, found float64", scaled(3, 4), gorgonia.Nodes{wide, b, l, c}},
		{"Scaled: expected at most one int32 input, found 2", scaled(3, 4), gorgonia.Nodes{x, l, l, c}},
		{"Scaled: expected one gradient of X, and float32, found int32", scaled(3, 4), gorgonia.Nodes{l, b, x, c}},
		{"Scaled: expected 3 rows in X, as in the output, found 5", scaled(3, 4), gorgonia.Nodes{long, b, l, c}},
		{"Scaled: expected one gradient of X, and float32, found float32", twice, gorgonia.Nodes{x, b, l, c}},
		{"Scaled: expected row-local operands of 1 rows for the gradient of C, found 3", apart, gorgonia.Nodes{x, b, l, c}},
	} {
		_, err := op.Apply(test.d, test.inputs...)
		wantError(t, err, test.err)
	}
	for _, apply := range []func(string, *gorgonia.Node, func(y, x []float32), func(dx, dy, x, y []float32)) (*gorgonia.Node, error){op.Elementwise, op.Rowwise} {
		_, err := apply("f", c, nil, nil)
		wantError(t, err, "f: expected an input of one axis or more, found a scalar")
		_, err = apply("f", wide, nil, nil)
		wantError(t, err, "f: expected float32 for input 0, found float64")
	}
}

// The error of a Bind ends the run. (After an error, Gorgonia's LispMachine has a data race of its own, so it is left out here.)
func TestBindFails(t *testing.T) {
	p := &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			return op.Apply(scaled(3, 4), n[0], n[1], n[2], gorgonia.NodeFromAny(n[0].Graph(), float32(2), gorgonia.WithName("c")))
		},
		Inputs: []*tensor.Dense{normal(1, 3, 4), normal(2, 4), labels(1, -2, 1)},
		DY:     normal(4, 3, 4).Float32s(),
	}
	if _, err := p.Static(); err == nil || !strings.Contains(err.Error(), "expected a label from 0 on, found -2") {
		t.Errorf("expected the error of a label, found %v", err)
	}
}

// prefixSums is y_j = Σ x_i (i ≤ j) of a row: it mixes the values of a row, and only those.
func prefixSums(x *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Rowwise("PrefixSums", x, func(y, x []float32) {
		sum := float32(0)
		for i, v := range x {
			sum += v
			y[i] = sum
		}
	}, func(dx, dy, x, y []float32) {
		sum := float32(0)
		for i := len(dy) - 1; i >= 0; i-- {
			sum += dy[i]
			dx[i] = sum
		}
	})
}

func square(x *gorgonia.Node) (*gorgonia.Node, error) {
	return op.Elementwise("Square", x, func(y, x []float32) {
		for i, v := range x {
			y[i] = v * v
		}
	}, func(dx, dy, x, y []float32) {
		for i, v := range x {
			dx[i] = 2 * v * dy[i]
		}
	})
}

// Row-wise and element-wise ops are right for every shape and any number of threads.
func TestRowwiseAndElementwise(t *testing.T) {
	crew := team.New(4)
	defer crew.Close()
	rapid.Check(t, func(rt *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(1, 5), 1, 4).Draw(rt, "shape")
		crew.Resize(rapid.IntRange(1, 4).Draw(rt, "members"))
		g := gorgonia.NewGraph()
		x, dy := normal(rapid.Uint64().Draw(rt, "seed"), shape...), normal(3, shape...)
		node := gorgonia.NodeFromAny(g, x, gorgonia.WithName("x"))
		y := gorgonia.Must(square(gorgonia.Must(prefixSums(gorgonia.Must(square(node))))))
		cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(y, gorgonia.NodeFromAny(g, dy, gorgonia.WithName("dy"))))))
		dx, err := gorgonia.Grad(cost, node)
		if err != nil {
			rt.Fatal(err)
		}
		machine, err := vm.NewStatic(y, dx[0])
		if err != nil {
			rt.Fatal(err)
		}
		machine.UseTeam(crew)
		if err := machine.RunAll(); err != nil {
			rt.Fatal(err)
		}
		wantY, wantDX := make([]float32, x.Shape().TotalSize()), make([]float32, x.Shape().TotalSize())
		n := shape[len(shape)-1]
		for row := 0; row < len(wantY); row += n {
			sum := float32(0)
			for i := row; i < row+n; i++ {
				sum += x.Float32s()[i] * x.Float32s()[i]
				wantY[i] = sum
			}
			back := float32(0)
			for i := row + n - 1; i >= row; i-- {
				back += 2 * wantY[i] * dy.Float32s()[i]
				wantDX[i] = 2 * x.Float32s()[i] * back
				wantY[i] *= wantY[i]
			}
		}
		if found := y.Value().Data().([]float32); !slices.Equal(found, wantY) {
			rt.Errorf("y: expected %v, found %v", wantY, found)
		}
		if found := dx[0].Value().Data().([]float32); !slices.Equal(found, wantDX) {
			rt.Errorf("dx: expected %v, found %v", wantDX, found)
		}
	})
}

// The parts of a split are all of it, in order, and differ in length by at most one.
func TestSplit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := tensor.Shape(rapid.SliceOfN(rapid.IntRange(1, 20), 1, 3).Draw(t, "shape"))
		parts := rapid.IntRange(1, 8).Draw(t, "parts")
		row, end := shape.TotalSize()/shape[0], 0
		for part := range parts {
			top, bottom := op.Split(shape[0], part, parts)
			lo, hi := op.SplitRows(shape, part, parts)
			if lo != end || lo != top*row || hi != bottom*row || bottom-top < shape[0]/parts || bottom-top > shape[0]/parts+1 {
				t.Errorf("part %d: rows %d to %d, values %d to %d after %d", part, top, bottom, lo, hi, end)
			}
			end = hi
		}
		if end != shape.TotalSize() {
			t.Errorf("expected %d values, found %d", shape.TotalSize(), end)
		}
	})
}
