// Package gradcheck evaluates a Gorgonia expression and its gradients in three ways: by symbolic differentiation on [vm.Static], by
// Gorgonia's define-by-run LispMachine, and by central finite differences of the forward pass.
//
// Finite differences check the formulas of an op's gradients. The other two run the same functions, so a difference of 0 between
// them only shows that the op is wired correctly, as nodes and as values.
//
// The gradients are the derivatives of Σ y⊗dy, for a given dy, by each float32 input. If y is a scalar, they are its derivatives.
package gradcheck

import (
	"fmt"

	"gonum.org/v1/gonum/diff/fd"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/op"
	"fmtrain/internal/vm"
)

// Problem is an expression at a point.
type Problem struct {
	Build  func(inputs gorgonia.Nodes) (y *gorgonia.Node, err error)
	Inputs []*tensor.Dense // float32, or int32 for an input without a gradient
	DY     []float32       // as long as y
}

// Result is the value of an expression and its gradients, nil where an input is not float32.
type Result struct {
	Y         []float32
	Gradients [][]float32
}

// Static evaluates the problem by symbolic differentiation and the static executor.
func (p *Problem) Static() (*Result, error) {
	inputs, y, cost, err := p.graph()
	if err != nil {
		return nil, err
	}
	gradients, err := gorgonia.Grad(cost, differentiable(inputs)...)
	if err != nil {
		return nil, err
	}
	machine, err := vm.NewStatic(append(gorgonia.Nodes{y, cost}, gradients...)...)
	if err != nil {
		return nil, err
	}
	if err := machine.RunAll(); err != nil {
		return nil, err
	}
	return result(inputs, y)
}

// Lisp evaluates the problem by Gorgonia's LispMachine.
func (p *Problem) Lisp() (*Result, error) {
	inputs, y, _, err := p.graph()
	if err != nil {
		return nil, err
	}
	machine := gorgonia.NewLispMachine(y.Graph())
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		return nil, err
	}
	return result(inputs, y)
}

// FiniteDifferences evaluates the gradients by central differences with the given step. The expression is computed in float32, so a
// difference has an error of about 2⁻²⁴·Σ|y⊗dy|/step. The step adds an error proportional to its square.
func (p *Problem) FiniteDifferences(step float64) ([][]float64, error) {
	inputs, y, _, err := p.graph()
	if err != nil {
		return nil, err
	}
	machine, err := vm.NewStatic(y)
	if err != nil {
		return nil, err
	}
	var failed error
	gradients := make([][]float64, len(inputs))
	for i, n := range inputs {
		if n.Dtype() != tensor.Float32 {
			continue
		}
		values := p.Inputs[i].Float32s()
		at := make([]float64, len(values))
		for j, v := range values {
			at[j] = float64(v)
		}
		cost := func(x []float64) float64 {
			for j, v := range x {
				values[j] = float32(v)
			}
			if err := machine.RunAll(); err != nil {
				failed = err
				return 0
			}
			return p.cost(y.Value())
		}
		gradients[i] = fd.Gradient(nil, cost, at, &fd.Settings{Formula: fd.Central, Step: step})
		for j, v := range at {
			values[j] = float32(v)
		}
	}
	return gradients, failed
}

// cost is Σ y⊗dy in float64.
func (p *Problem) cost(y gorgonia.Value) float64 {
	if f, err := op.Float(y); err == nil && y.Shape().IsScalar() {
		return float64(f)
	}
	var sum float64
	for i, v := range y.(*tensor.Dense).Float32s() {
		sum += float64(v) * float64(p.DY[i])
	}
	return sum
}

// graph builds the expression and its cost in a graph of its own, over the problem's inputs.
func (p *Problem) graph() (inputs gorgonia.Nodes, y, cost *gorgonia.Node, err error) {
	g := gorgonia.NewGraph()
	for i, v := range p.Inputs {
		inputs = append(inputs, gorgonia.NodeFromAny(g, v, gorgonia.WithName(fmt.Sprintf("input%d", i))))
	}
	if y, err = p.Build(inputs); err != nil || y.IsScalar() {
		return inputs, y, y, err
	}
	dy := gorgonia.NodeFromAny(g, tensor.New(tensor.WithShape(y.Shape()...), tensor.WithBacking(p.DY)), gorgonia.WithName("dy"))
	weighted, err := gorgonia.HadamardProd(y, dy)
	if err != nil {
		return nil, nil, nil, err
	}
	cost, err = gorgonia.Sum(weighted)
	return inputs, y, cost, err
}

func differentiable(inputs gorgonia.Nodes) (float32s gorgonia.Nodes) {
	for _, n := range inputs {
		if n.Dtype() == tensor.Float32 {
			float32s = append(float32s, n)
		}
	}
	return float32s
}

// result copies the value of y and the gradients out of a graph that has been run.
func result(inputs gorgonia.Nodes, y *gorgonia.Node) (*Result, error) {
	r := &Result{Gradients: make([][]float32, len(inputs))}
	if f, err := op.Float(y.Value()); err == nil {
		r.Y = []float32{f}
	} else if floats, err := op.Floats(y.Value()); err == nil {
		r.Y = append(r.Y, floats...)
	} else {
		return nil, err
	}
	for i, n := range inputs {
		if n.Dtype() != tensor.Float32 {
			continue
		}
		v, err := n.Grad()
		if err != nil {
			return nil, err
		}
		floats, err := op.Floats(v)
		if err != nil {
			return nil, err
		}
		r.Gradients[i] = append(r.Gradients[i], floats...)
	}
	return r, nil
}
