package layer

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// registry is the activations, in the order in which they are listed. A layer that keeps its shape and has neither parameters nor
// settings is one too, whatever it does to a row: what it needs is a line here.
var registry = []struct {
	name string
	add  func(name string, x *gorgonia.Node) (*gorgonia.Node, error)
}{
	{"relu", elementwise(kernel.ReLU)},
	{"gelu", elementwise(kernel.GELU)},
	{"tanh", elementwise(kernel.Tanh)},
	{"elu", elementwise(kernel.ELU)},
	{"selu", elementwise(kernel.SELU)},
}

// Activations names the activations, the usual one first.
func Activations() (names []string) {
	for _, r := range registry {
		names = append(names, r.name)
	}
	return names
}

// Activation adds y = f(x) to the graph; f is one of [Activations] and x float32 of any rank from 1 on.
func Activation(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
	for _, r := range registry {
		if r.name == name {
			return r.add(name, x)
		}
	}
	return nil, fmt.Errorf("activation: expected one of %s, found %q", strings.Join(Activations(), ", "), name)
}

// elementwise is an activation of each element by itself.
func elementwise(f kernel.Activation) func(string, *gorgonia.Node) (*gorgonia.Node, error) {
	return func(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
		t := op.Tensor(x.Dims())
		return gorgonia.ApplyOp(&activation{Base: op.NewBase(name, t, t), f: f, y: op.New(x.Shape()...)}, x)
	}
}

// activation is the forward op of an elementwise activation, x → y.
type activation struct {
	op.Base
	f kernel.Activation
	y *tensor.Dense
	x []float32 // of the run
}

// InferShape is the shape of x.
func (a *activation) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return a.y.Shape(), nil }

// Do computes f(x).
func (a *activation) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) { return op.Do(a, inputs) }

// Bind takes x.
func (a *activation) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return a.y, op.Read(inputs, &a.x)
}

// Part computes a share of the rows.
func (a *activation) Part(part, parts int) {
	lo, hi := op.SplitRows(a.y.Shape(), part, parts)
	a.f.Forward(a.y.Float32s()[lo:hi], a.x[lo:hi])
}

// Aligned is true of x.
func (a *activation) Aligned(int) bool { return true }

// DiffWRT says that an activation is differentiable in x.
func (a *activation) DiffWRT(int) []bool { return []bool{true} }

// SymDiff adds dx = dy⊗f'(x).
func (a *activation) SymDiff(inputs gorgonia.Nodes, output, grad *gorgonia.Node) (gorgonia.Nodes, error) {
	dx, err := gorgonia.ApplyOp(a.backward(), grad, inputs[0], output)
	return gorgonia.Nodes{dx}, err
}

// DoDiff adds the gradient to that of x, as Gorgonia's LispMachine asks.
func (a *activation) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, output *gorgonia.Node) error {
	grad, err := output.Grad()
	if err != nil {
		return err
	}
	return op.DoGrad(inputs[0], a.backward(), grad, inputs[0].Value(), output.Value())
}

func (a *activation) backward() *activationGrad {
	t := op.Tensor(a.y.Dims())
	return &activationGrad{Base: op.NewBase(a.String()+"Grad", t, t, t, t), f: a.f, dx: op.New(a.y.Shape()...)}
}

// activationGrad is the backward op, (dy, x, y) → dx.
type activationGrad struct {
	op.Base
	f        kernel.Activation
	dx       *tensor.Dense
	dy, x, y []float32 // of the run
}

// InferShape is the shape of x.
func (a *activationGrad) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return a.dx.Shape(), nil
}

// Do computes dy⊗f'(x).
func (a *activationGrad) Do(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return op.Do(a, inputs)
}

// Bind takes dy, x and y.
func (a *activationGrad) Bind(inputs ...gorgonia.Value) (gorgonia.Value, error) {
	return a.dx, op.Read(inputs, &a.dy, &a.x, &a.y)
}

// Part computes a share of the rows.
func (a *activationGrad) Part(part, parts int) {
	lo, hi := op.SplitRows(a.dx.Shape(), part, parts)
	a.f.Backward(a.dx.Float32s()[lo:hi], a.dy[lo:hi], a.x[lo:hi], a.y[lo:hi])
}

// Aligned is true of every input.
func (a *activationGrad) Aligned(int) bool { return true }
