package op

import (
	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// pass is the op of a forward function or of a gradient: operands → the first of its results.
type pass struct {
	base
	inputs   []input // of the definition
	operands []operand
	bind     func(r *Run) error
	compute  func(r *Run, d [][]float32, part, parts int)

	serial    bool
	scattered bool

	results []*tensor.Dense
	values  [][]float32   // of the results
	scalar  *gorgonia.F32 // the first result if it is a scalar: Gorgonia wants this type

	run     Run
	forward *Run      // of the forward function, if this is a gradient that needs its whole pass; else nil
	scalars []float32 // room for operands that are scalars
}

// operand is an operand of a pass; rowLocal says that a part reads it only at its own rows.
type operand struct {
	of       Operand
	rowLocal bool
}

// newPass makes a pass, without its functions, for a definition whose output has the shape y.
func newPass(name string, inputs []input, operands []operand, y tensor.Shape, results ...tensor.Shape) pass {
	var in []hm.Type
	for _, o := range operands {
		if o.of >= 0 {
			in = append(in, typeOf(inputs[o.of].shape, inputs[o.of].dtype))
		} else {
			in = append(in, typeOf(y, tensor.Float32))
		}
	}
	p := pass{
		base:     newBase(name, typeOf(results[0], tensor.Float32), in...),
		inputs:   inputs,
		operands: operands,
		run:      Run{Inputs: make([][]float32, len(inputs))},
		scalars:  make([]float32, len(operands)),
	}
	for _, shape := range results {
		result := New(shape...)
		p.results = append(p.results, result)
		p.values = append(p.values, result.Float32s())
	}
	if len(results[0]) == 0 {
		p.scalar, p.serial = gorgonia.NewF32(0), true
	}
	return p
}

// InferShape is the shape of the first result.
func (p *pass) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) {
	return p.results[0].Shape(), nil
}

// Do runs the pass as one part.
func (p *pass) Do(operands ...gorgonia.Value) (gorgonia.Value, error) {
	result, err := p.Bind(operands...)
	if err != nil {
		return nil, err
	}
	p.Part(0, 1)
	return result, nil
}

// Bind takes the operands of a run and returns the first result, which the parts fill.
func (p *pass) Bind(operands ...gorgonia.Value) (gorgonia.Value, error) {
	if p.forward != nil { // it has read all but dy in this run
		p.run = *p.forward
	}
	for i, v := range operands {
		if p.forward != nil && p.operands[i].of != DY {
			continue
		}
		if err := p.read(i, v); err != nil {
			return nil, err
		}
	}
	if p.bind != nil {
		if err := p.bind(&p.run); err != nil {
			return nil, err
		}
	}
	if p.scalar != nil {
		return p.scalar, nil
	}
	return p.results[0], nil
}

// read puts the value of an operand in its place, without a copy unless it is a scalar.
func (p *pass) read(i int, v gorgonia.Value) (err error) {
	of := p.operands[i].of
	if of >= 0 && p.inputs[of].dtype == tensor.Int32 {
		p.run.Labels, err = Ints(v)
		return err
	}
	values := p.scalars[i : i+1]
	if f, ok := v.(*gorgonia.F32); ok {
		values[0] = float32(*f)
	} else if values, err = Floats(v); err != nil {
		return err
	}
	switch of {
	case DY:
		p.run.DY = values
	case output:
		p.run.Y = values
	default:
		p.run.Inputs[of] = values
	}
	return nil
}

// Serial says that the pass has one part.
func (p *pass) Serial() bool { return p.serial }

// Scattered says that a part is not a range of the rows of the results.
func (p *pass) Scattered() bool { return p.scattered }

// Part computes a part of the results.
func (p *pass) Part(part, parts int) {
	p.compute(&p.run, p.values, part, parts)
	if p.scalar != nil {
		*p.scalar = gorgonia.F32(p.values[0][0])
	}
}

// RowLocal says that a part reads this operand only at its own rows.
func (p *pass) RowLocal(operand int) bool { return p.operands[operand].rowLocal }
