package layer

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

var activations = map[string]kernel.Activation{
	"relu": kernel.ReLU,
	"gelu": kernel.GELU,
	"tanh": kernel.Tanh,
	"elu":  kernel.ELU,
	"selu": kernel.SELU,
}

// Activations names the activations, the usual one first.
func Activations() []string { return []string{"relu", "gelu", "tanh", "elu", "selu"} }

// Activation adds y = f(x), element by element, to the graph; f is one of [Activations] and x float32 of any rank from 1 on.
func Activation(name string, x *gorgonia.Node) (*gorgonia.Node, error) {
	f, ok := activations[name]
	if !ok {
		return nil, fmt.Errorf("activation: expected one of %s, found %q", strings.Join(Activations(), ", "), name)
	}
	t := op.Tensor(x.Dims())
	return gorgonia.ApplyOp(&activation{Base: op.NewBase(name, t, t), f: f, y: op.New(x.Shape()...)}, x)
}

// activation is the forward op, x → y.
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
	lo, hi := op.ShareRows(a.y.Shape(), part, parts)
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
	back := a.backward()
	if _, err := back.Do(grad, inputs[0].Value(), output.Value()); err != nil {
		return err
	}
	return op.AddGrad(inputs[0], back.dx.Float32s())
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
	lo, hi := op.ShareRows(a.dx.Shape(), part, parts)
	a.f.Backward(a.dx.Float32s()[lo:hi], a.dy[lo:hi], a.x[lo:hi], a.y[lo:hi])
}

// Aligned is true of every input.
func (a *activationGrad) Aligned(int) bool { return true }
