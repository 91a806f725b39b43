package solver

import (
	"fmt"
	"maps"
	"slices"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/team"
)

// pair is two solvers under one name: one for matrices, one for all other parameters. A parameter of two or more axes is a matrix; its
// columns are its last axis.
type pair struct {
	*solver         // of the matrices
	others  *solver // has the same name, options and learning rate

	matrices, rest []gorgonia.ValueGrad // of the current step
}

func newPair(name string, o Options, r rule) *pair {
	return &pair{solver: newSolver(name, o, r), others: newSolver(name, o, *r.vectors)}
}

func (p *pair) SetLearningRate(rate float64) error {
	if err := p.solver.SetLearningRate(rate); err != nil {
		return err
	}
	return p.others.SetLearningRate(rate)
}

func (p *pair) UseTeam(t *team.Team) {
	p.solver.UseTeam(t)
	p.others.UseTeam(t)
}

func (p *pair) Step(model []gorgonia.ValueGrad) error {
	if err := p.collect(model); err != nil {
		return fmt.Errorf("solver %s: %w", p.name, err)
	}
	p.step()
	p.others.step()
	return nil
}

// collect checks all of a step's parameters before any is changed.
func (p *pair) collect(model []gorgonia.ValueGrad) error {
	p.matrices, p.rest = p.matrices[:0], p.rest[:0]
	for _, v := range model {
		if value := v.Value(); value != nil && value.Shape().Dims() > 1 {
			p.matrices = append(p.matrices, v)
		} else {
			p.rest = append(p.rest, v)
		}
	}
	if err := p.solver.collect(p.matrices); err != nil {
		return err
	}
	if err := p.others.collect(p.rest); err != nil {
		return err
	}
	for _, u := range p.updates {
		if slices.ContainsFunc(p.others.updates, func(other update) bool { return other.name == u.name }) {
			return fmt.Errorf("parameter %s was given twice; every parameter needs its own name", u.name)
		}
	}
	return nil
}

func (p *pair) State() State {
	st := p.solver.State()
	maps.Copy(st.Slots, p.others.State().Slots)
	return st
}

func (p *pair) SetState(st State) error {
	matrices, others, err := p.restore(st)
	if err != nil {
		return fmt.Errorf("solver %s: state: %w", p.name, err)
	}
	p.steps, p.parameters = st.Steps, matrices
	p.others.steps, p.others.parameters = st.Steps, others
	return nil
}

// restore checks a state and makes the parameters of both solvers from it.
func (p *pair) restore(st State) (matrices, others map[string]*parameter, err error) {
	known := slices.Concat(p.rule.slots, p.others.rule.slots)
	ofMatrices, ofOthers := State{Scalars: st.Scalars, Slots: map[string]map[string][]float32{}}, State{Slots: map[string]map[string][]float32{}}
	for slot, values := range st.Slots {
		switch {
		case slices.Contains(p.rule.slots, slot):
			ofMatrices.Slots[slot] = values
		case slices.Contains(p.others.rule.slots, slot):
			ofOthers.Slots[slot] = values
		default:
			return nil, nil, fmt.Errorf("unknown slot %q; it has %s", slot, list(known))
		}
	}
	if matrices, err = p.solver.restore(ofMatrices); err != nil {
		return nil, nil, err
	}
	if others, err = p.others.restore(ofOthers); err != nil {
		return nil, nil, err
	}
	for name := range matrices {
		if others[name] != nil {
			return nil, nil, fmt.Errorf("parameter %s has the slots of a matrix and of a vector", name)
		}
	}
	return matrices, others, nil
}
