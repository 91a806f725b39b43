package op

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Apply adds an operation to the graph of its inputs. The op that it makes can be differentiated with respect to each input that has
// a gradient in the definition.
func Apply(d Definition, inputs ...*gorgonia.Node) (*gorgonia.Node, error) {
	described := make([]input, len(inputs))
	for i, n := range inputs {
		described[i] = input{name: fmt.Sprintf("input %d", i), shape: n.Shape().Clone(), dtype: n.Dtype()}
		if i < len(d.Inputs) {
			described[i].name = d.Inputs[i]
		}
	}
	if err := d.check(described); err != nil {
		return nil, err
	}
	return gorgonia.ApplyOp(newFunction(d, described), inputs...)
}

// function is the op of a definition, inputs → y. Its gradients are passes too.
type function struct {
	pass
	def Definition
}

func newFunction(d Definition, inputs []input) *function {
	var operands []operand
	for i := range inputs {
		operands = append(operands, operand{of: Operand(i), rowLocal: slices.Contains(d.Rows, i)})
	}
	f := &function{pass: newPass(d.Name, inputs, operands, d.Shape, d.Shape), def: d}
	f.run.Y = f.values[0]
	f.bind = d.Bind
	f.serial = f.serial || d.Serial
	f.compute = func(r *Run, _ [][]float32, part, parts int) { d.Forward(r, part, parts) }
	return f
}

// gradient is the op of a gradient, its operands → the gradient of the first input. [pick] gives the others.
func (f *function) gradient(g Gradient) *pass {
	var shapes []tensor.Shape
	for _, i := range g.Of {
		shapes = append(shapes, f.inputs[i].shape)
	}
	p := newPass(f.gradientName(g.Of[0]), f.inputs, f.operandsOf(g), f.def.Shape, shapes...)
	p.compute = g.Compute
	p.serial = p.serial || g.Serial
	p.scattered = g.Scattered
	if slices.Contains(g.Rows, Forward) || slices.Contains(g.Whole, Forward) {
		p.forward = &f.run
	}
	return &p
}

// gradientName is the name of the op that gives the gradient of an input.
func (f *function) gradientName(input int) string {
	if input < len(f.def.Inputs) {
		return f.def.Name + "D" + f.def.Inputs[input]
	}
	return f.def.Name + "Grad"
}

// operandsOf lists the operands of a gradient, each once. What is needed whole is not row-local, even if it is listed twice.
func (f *function) operandsOf(g Gradient) (operands []operand) {
	add := func(o Operand, rowLocal bool) {
		if !slices.ContainsFunc(operands, func(known operand) bool { return known.of == o }) {
			operands = append(operands, operand{o, rowLocal})
		}
	}
	expand := func(list []Operand, rowLocal bool) {
		for _, o := range list {
			if o != Forward {
				add(o, rowLocal)
				continue
			}
			// All inputs, not only y: Gorgonia's tape machine reuses the memory of a value after its last reader.
			add(output, rowLocal)
			for i := range f.inputs {
				add(Operand(i), rowLocal && slices.Contains(f.def.Rows, i))
			}
		}
	}
	expand(g.Whole, false)
	expand(g.Rows, true)
	return operands
}

// DiffWRT says which inputs have a gradient.
func (f *function) DiffWRT(inputs int) []bool {
	has := make([]bool, inputs)
	for _, g := range f.def.Gradients {
		for _, i := range g.Of {
			has[i] = true
		}
	}
	return has
}

// SymDiff adds the nodes of the gradients to the graph.
func (f *function) SymDiff(inputs gorgonia.Nodes, y, dy *gorgonia.Node) (gorgonia.Nodes, error) {
	gradients := make(gorgonia.Nodes, len(inputs))
	for _, g := range f.def.Gradients {
		if g.Compute == nil {
			for _, i := range g.Of {
				gradients[i] = dy
			}
			continue
		}
		p := f.gradient(g)
		first, err := gorgonia.ApplyOp(p, choose(p.operands, inputs, y, dy)...)
		if err != nil {
			return nil, err
		}
		gradients[g.Of[0]] = first
		for k, i := range g.Of[1:] {
			result := p.results[k+1]
			base := newBase(f.gradientName(i), typeOf(result.Shape(), tensor.Float32), p.out)
			if gradients[i], err = gorgonia.ApplyOp(&pick{base, result}, first); err != nil {
				return nil, err
			}
		}
	}
	return gradients, nil
}

// DoDiff adds the values of the gradients to the gradients that Gorgonia's LispMachine keeps for the inputs.
func (f *function) DoDiff(_ gorgonia.ExecutionContext, inputs gorgonia.Nodes, y *gorgonia.Node) error {
	dy, err := y.Grad()
	if err != nil {
		return err
	}
	var values []gorgonia.Value
	for _, n := range inputs {
		values = append(values, n.Value())
	}
	for _, g := range f.def.Gradients {
		gradients := make([]gorgonia.Value, len(g.Of))
		if g.Compute == nil {
			for k := range g.Of {
				gradients[k] = dy
			}
		} else {
			p := f.gradient(g)
			if _, err := p.Do(choose(p.operands, values, y.Value(), dy)...); err != nil {
				return err
			}
			for k, result := range p.results {
				gradients[k] = result
			}
		}
		for k, i := range g.Of {
			if err := addGradient(inputs[i], gradients[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// choose puts together what operands stand for.
func choose[T any](operands []operand, inputs []T, y, dy T) (chosen []T) {
	for _, o := range operands {
		switch o.of {
		case DY:
			chosen = append(chosen, dy)
		case output:
			chosen = append(chosen, y)
		default:
			chosen = append(chosen, inputs[o.of])
		}
	}
	return chosen
}

// addGradient adds d to the gradient that the LispMachine keeps for n.
func addGradient(n *gorgonia.Node, d gorgonia.Value) error {
	kept, err := n.Grad()
	if err != nil {
		return err
	}
	if f, ok := kept.(*gorgonia.F32); ok {
		v, err := Float(d)
		*f += gorgonia.F32(v)
		return err
	}
	into, err := Floats(kept)
	if err != nil {
		return fmt.Errorf("gradient of %s: %w", n.Name(), err)
	}
	from, err := Floats(d)
	if err != nil {
		return err
	}
	for i, v := range from {
		into[i] += v
	}
	return nil
}

// pick is an op that returns a further gradient of a pass, because an op returns only one value. Its input is the pass's
// node, so it runs after the pass.
type pick struct {
	base
	value *tensor.Dense
}

// InferShape is the shape of the gradient.
func (p *pick) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return p.value.Shape(), nil }

// Do returns the gradient.
func (p *pick) Do(...gorgonia.Value) (gorgonia.Value, error) { return p.value, nil }
