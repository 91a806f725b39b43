package solver

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// State is what a solver has kept from its steps.
type State struct {
	// Steps is the number of steps made.
	Steps uint64

	// Scalars are numbers kept once for all parameters, by name: nadam's "mu_product".
	Scalars map[string]float64

	// Slots are the numbers kept for each parameter, one for each of its values in their order: slot name -> parameter name
	// -> values. [Solver.State] returns the live slices. They are valid until the next Step or SetState and must not be
	// written to.
	//
	//	sgd                  none
	//	momentum, nesterov   velocity
	//	rmsprop              square, and with momentum velocity
	//	adagrad              sum
	//	adam, adamw, nadam   m, v
	//	muon                 velocity of matrices; m, v of all other parameters
	Slots map[string]map[string][]float32
}

func (s *solver) State() State {
	st := State{Steps: s.steps, Scalars: map[string]float64{}, Slots: map[string]map[string][]float32{}}
	for name, value := range s.rule.scalars {
		st.Scalars[name] = *value
	}
	for i, slot := range s.rule.slots {
		values := map[string][]float32{}
		for name, p := range s.parameters {
			values[name] = p.slots[i]
		}
		st.Slots[slot] = values
	}
	return st
}

func (s *solver) SetState(st State) error {
	parameters, err := s.restore(st)
	if err != nil {
		return fmt.Errorf("solver %s: state: %w", s.name, err)
	}
	for name, value := range s.rule.scalars {
		*value = st.Scalars[name]
	}
	s.steps, s.parameters = st.Steps, parameters
	return nil
}

// restore checks a state and makes parameters from it, with copies of the slots.
func (s *solver) restore(st State) (map[string]*parameter, error) {
	for name := range s.rule.scalars {
		value, ok := st.Scalars[name]
		if !ok {
			return nil, fmt.Errorf("scalar %s is missing", name)
		}
		if !(value >= 0 && value <= 1) {
			return nil, fmt.Errorf("scalar %s: expected a product of momenta, from 0 to 1, found %v", name, value)
		}
	}
	for name := range st.Scalars {
		if s.rule.scalars[name] == nil {
			return nil, fmt.Errorf("unknown scalar %q; it has %s", name, list(slices.Collect(maps.Keys(s.rule.scalars))))
		}
	}
	for slot := range st.Slots {
		if !slices.Contains(s.rule.slots, slot) {
			return nil, fmt.Errorf("unknown slot %q; it has %s", slot, list(s.rule.slots))
		}
	}

	lengths := map[string]int{}
	for _, slot := range s.rule.slots {
		for name, values := range st.Slots[slot] {
			lengths[name] = len(values)
		}
	}
	parameters := map[string]*parameter{}
	for name, length := range lengths {
		p := &parameter{length: length}
		for _, slot := range s.rule.slots {
			values, ok := st.Slots[slot][name]
			switch {
			case !ok:
				return nil, fmt.Errorf("slot %s of parameter %s is missing", slot, name)
			case len(values) != length:
				return nil, fmt.Errorf("the slots of parameter %s: expected one length, found %d and %d", name, length, len(values))
			}
			p.slots = append(p.slots, slices.Clone(values))
		}
		parameters[name] = p
	}
	return parameters, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}
