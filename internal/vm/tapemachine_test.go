package vm_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// expression is a graph for comparing the machines: inputs to change between runs, outputs to compare.
type expression struct {
	inputs  []*tensor.Dense
	outputs gorgonia.Nodes
}

// construction builds an expression. It keeps the first error, so that the code reads like a formula.
type construction struct {
	expression
	graph  *gorgonia.ExprGraph
	random *rand.Rand
	err    error
}

func newConstruction(g *gorgonia.ExprGraph) *construction {
	return &construction{graph: g, random: rand.New(rand.NewPCG(3, 4))}
}

func (c *construction) input(shape ...int) *gorgonia.Node {
	d := tensor.New(tensor.Of(tensor.Float32), tensor.WithShape(shape...))
	c.inputs = append(c.inputs, d)
	c.fill(d)
	return gorgonia.NodeFromAny(c.graph, d, gorgonia.WithName(fmt.Sprintf("input%d", len(c.inputs))))
}

func (c *construction) fill(d *tensor.Dense) {
	values := d.Float32s()
	for i := range values {
		values[i] = float32(c.random.NormFloat64())
	}
}

func (c *construction) do(n *gorgonia.Node, err error) *gorgonia.Node {
	if c.err == nil {
		c.err = err
	}
	return n
}

// withGradients ends a construction: the outputs are the cost, its gradients of the nodes, and the nodes between.
func (c *construction) withGradients(t rapid.TB, cost *gorgonia.Node, wrt ...*gorgonia.Node) expression {
	t.Helper()
	if c.err != nil {
		t.Fatal(c.err)
	}
	gradients, err := gorgonia.Grad(cost, wrt...)
	if err != nil {
		t.Fatal(err)
	}
	c.outputs = append(append(c.outputs, cost), gradients...)
	return c.expression
}

// mlp is a small classifier of this project's own ops.
func mlp(t rapid.TB, g *gorgonia.ExprGraph) expression {
	c := newConstruction(g)
	x := c.input(8, 20)
	w1, b1, alpha, beta, w2, b2 := c.input(20, 10), c.input(10), c.input(10), c.input(10), c.input(10, 10), c.input(10)
	labels := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]int32{3, 1, 4, 1, 5, 9, 2, layer.Ignored})), gorgonia.WithName("labels"))
	h := c.do(layer.ApplyDense(x, w1, b1))
	h = c.do(layernorm.Apply(h, alpha, beta, layernorm.Book, layernorm.DefaultEpsilon))
	h = c.do(layer.ApplyActivation("gelu", h))
	logits := c.do(layer.ApplyDense(h, w2, b2))
	loss, err := layer.NewBatchLoss(loss.Default(), logits, labels)
	if err != nil {
		t.Fatal(err)
	}
	c.outputs = gorgonia.Nodes{logits}
	return c.withGradients(t, loss.Node, w1, b1, alpha, beta, w2, b2)
}

var expressions = map[string]func(t rapid.TB, g *gorgonia.ExprGraph) expression{
	"a classifier of our ops": mlp,
	"an input twice": func(t rapid.TB, g *gorgonia.ExprGraph) expression {
		c := newConstruction(g)
		x := c.input(3, 4)
		square := c.do(gorgonia.HadamardProd(x, x))
		fourth := c.do(gorgonia.HadamardProd(square, square))
		c.outputs = gorgonia.Nodes{square, fourth}
		return c.withGradients(t, c.do(gorgonia.Sum(c.do(gorgonia.Sub(fourth, c.do(gorgonia.Add(x, x)))))), x)
	},
	"x times x": func(t rapid.TB, g *gorgonia.ExprGraph) expression {
		c := newConstruction(g)
		x := c.input(4, 4)
		return c.withGradients(t, c.do(gorgonia.Sum(c.do(gorgonia.Mul(x, x)))), x)
	},
	"a perceptron of Gorgonia's ops": func(t rapid.TB, g *gorgonia.ExprGraph) expression {
		c := newConstruction(g)
		x, w1, b1, w2 := c.input(5, 7), c.input(7, 6), c.input(6), c.input(6, 3)
		h := c.do(gorgonia.BroadcastAdd(c.do(gorgonia.Mul(x, w1)), b1, nil, []byte{0}))
		y := c.do(gorgonia.Sigmoid(c.do(gorgonia.Mul(c.do(gorgonia.Tanh(h)), w2))))
		c.outputs = gorgonia.Nodes{h, y}
		return c.withGradients(t, c.do(gorgonia.Mean(c.do(gorgonia.Square(y)))), w1, b1, w2)
	},
	"reductions": func(t rapid.TB, g *gorgonia.ExprGraph) expression {
		c := newConstruction(g)
		x, v := c.input(4, 6), c.input(6)
		rows, columns := c.do(gorgonia.Sum(x, 1)), c.do(gorgonia.Mean(x, 0))
		c.outputs = gorgonia.Nodes{rows, columns}
		cost := c.do(gorgonia.Add(c.do(gorgonia.Sum(c.do(gorgonia.Cube(rows)))), c.do(gorgonia.Sum(c.do(gorgonia.HadamardProd(columns, v))))))
		return c.withGradients(t, cost, x, v)
	},
	"a LayerNorm of Gorgonia's ops": func(t rapid.TB, g *gorgonia.ExprGraph) expression {
		c := newConstruction(g)
		x, alpha, beta := c.input(5, 8), c.input(8), c.input(8)
		epsilon := gorgonia.NodeFromAny(g, float32(1e-3), gorgonia.WithName("epsilon"))
		centred := c.do(gorgonia.BroadcastSub(x, c.do(gorgonia.Mean(x, 1)), nil, []byte{1}))
		variance := c.do(gorgonia.Mean(c.do(gorgonia.Square(centred)), 1))
		scale := c.do(gorgonia.Add(c.do(gorgonia.Sqrt(variance)), epsilon))
		normal := c.do(gorgonia.BroadcastHadamardDiv(centred, scale, nil, []byte{1}))
		y := c.do(gorgonia.BroadcastAdd(c.do(gorgonia.BroadcastHadamardProd(normal, alpha, nil, []byte{0})), beta, nil, []byte{0}))
		c.outputs = gorgonia.Nodes{variance, normal, y}
		return c.withGradients(t, c.do(gorgonia.Sum(c.do(gorgonia.Cube(y)))), x, alpha, beta)
	},
}

// members are the threads that compute the parts of the ops.
var members = team.New(4)

// compare runs both machines on one graph several times and compares all outputs bit by bit. Each time the inputs are new, and our
// machine has another number of threads.
func compare(t rapid.TB, g *gorgonia.ExprGraph, e expression) {
	t.Helper()
	tape := gorgonia.NewTapeMachine(g, gorgonia.TraceExec()) // a trace binds every node to a copy of its value
	defer tape.Close()
	static, err := vm.NewStatic(e.outputs...)
	if err != nil {
		t.Fatal(err)
	}
	static.UseTeam(members)
	change := newConstruction(g)
	for run := range members.Max() {
		members.Resize(run + 1)
		tape.Reset()
		if err := tape.RunAll(); err != nil {
			t.Fatal(err)
		}
		want := bits(e.outputs)
		if err := static.RunAll(); err != nil {
			t.Fatal(err)
		}
		for i, got := range bits(e.outputs) {
			if fmt.Sprint(got) != fmt.Sprint(want[i]) {
				t.Errorf("run %d, output %d, %v: the tape machine has the bits %x, Static %x", run, i, e.outputs[i], want[i], got)
			}
		}
		for _, d := range e.inputs {
			change.fill(d)
		}
	}
}

// bits are the values of the nodes as bits. All NaNs have the same bits here.
func bits(nodes gorgonia.Nodes) [][]uint32 {
	all := make([][]uint32, len(nodes))
	for i, n := range nodes {
		values, ok := n.Value().Data().([]float32)
		if !ok {
			values = []float32{n.Value().Data().(float32)}
		}
		for _, v := range values {
			b := math.Float32bits(v)
			if v != v {
				b = math.Float32bits(float32(math.NaN()))
			}
			all[i] = append(all[i], b)
		}
	}
	return all
}

func TestStaticIsTheTapeMachineToTheBit(t *testing.T) {
	for name, build := range expressions {
		t.Run(name, func(t *testing.T) {
			g := gorgonia.NewGraph()
			compare(t, g, build(t, g))
		})
	}
}

// Random expressions of square matrices, whose nodes are used any number of times.
func TestStaticIsTheTapeMachineOnRandomGraphs(t *testing.T) {
	unary := []func(*gorgonia.Node) (*gorgonia.Node, error){gorgonia.Tanh, gorgonia.Sigmoid, gorgonia.Square, gorgonia.Neg, gorgonia.Softplus}
	binary := []func(a, b *gorgonia.Node) (*gorgonia.Node, error){gorgonia.Mul, gorgonia.HadamardProd, gorgonia.Add, gorgonia.Sub}
	rapid.Check(t, func(rt *rapid.T) {
		g := gorgonia.NewGraph()
		c := newConstruction(g)
		nodes := gorgonia.Nodes{c.input(3, 3), c.input(3, 3)}
		pick := func(of string) *gorgonia.Node { return nodes[rapid.IntRange(0, len(nodes)-1).Draw(rt, of)] }
		for range rapid.IntRange(1, 8).Draw(rt, "ops") {
			if rapid.Bool().Draw(rt, "binary") {
				f := binary[rapid.IntRange(0, len(binary)-1).Draw(rt, "op")]
				nodes = append(nodes, c.do(f(pick("a"), pick("b"))))
			} else {
				f := unary[rapid.IntRange(0, len(unary)-1).Draw(rt, "op")]
				nodes = append(nodes, c.do(f(pick("x"))))
			}
		}
		// The cost depends on every node, as Grad asks, and on both inputs.
		all := nodes[0]
		for _, n := range nodes[1:] {
			all = c.do(gorgonia.Add(all, n))
		}
		c.outputs = append(c.outputs, nodes[2:]...)
		compare(rt, g, c.withGradients(rt, c.do(gorgonia.Sum(all)), nodes[0], nodes[1]))
	})
}
