// Package solver updates a model's parameters by their gradients: sgd, momentum, nesterov, rmsprop, adagrad, adam, adamw
// and nadam, in the formulas of torch.optim, behind Gorgonia's interface. Gorgonia's own solvers are not used: some are wrong
// (the tests show how), none tells its state or lets the learn rate change, and there is no Nadam.
//
// A solver here is a [rule], the arithmetic of one algorithm, and the bookkeeping that all share: which parameter is which,
// what was kept of it, and how many steps were made. The loops over the values are in package kernel.
package solver

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/bounds"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// Solver updates one group of parameters. It is not safe for concurrent use.
type Solver interface {
	// Step updates every parameter in place. The parameters must be float32 tensors that implement [gorgonia.Namer]; their
	// names, each used once, are what the solver knows them by. Every call must bring the same parameters, in any order,
	// because they share one count of steps. Gradients are only read; Gorgonia's solvers zero them, these don't.
	//
	// An error names the parameter, and then nothing has changed: no weight, no state, no count. After the first call Step
	// allocates nothing.
	gorgonia.Solver

	// UseTeam splits the work of later steps among the team. The result has the same bits for any number of members.
	UseTeam(*team.Team)

	// Name is the name given to [New].
	Name() string

	// LearnRate is the rate of the next step.
	LearnRate() float64

	// SetLearnRate sets the rate from the next step on; 0 is allowed. A rate that is negative, infinite or NaN is an error.
	SetLearnRate(float64) error

	// Momentum is what the next step keeps of the past: of a velocity (momentum, nesterov, rmsprop with momentum), else of the
	// gradient's average, β₁ (adam, adamw, nadam). It is false of a solver that has neither.
	Momentum() (float64, bool)

	// SetMomentum sets it from the next step on. A momentum that is not from 0 to below 1, or of a solver that has none, is an
	// error.
	SetMomentum(float64) error

	// State is everything that a solver of the same name, options, learn rate and momentum needs to go on to the same bits.
	State() State

	// SetState copies a state into the solver, in place of its own. A state that is not one of this solver is an error, and
	// the solver is then unchanged. That the lengths are those of the model's parameters is checked by the next Step.
	SetState(State) error
}

// rule is the arithmetic of one solver.
type rule struct {
	// slots are the names of what is kept of each parameter, a number for each of its values.
	slots []string

	// scalars are what is kept once for all parameters, by name.
	scalars map[string]*float64

	// momentum is what [Solver.SetMomentum] changes, before a step begins; nil if there is none.
	momentum *float64

	// decoupled says that the weight decay given to update is times the learn rate.
	decoupled bool

	// begin works out the scalars of a step; the first step is 1.
	begin func(learnRate float64, step uint64)

	// update changes one parameter and its slots.
	update func(w, g []float32, s slots, weightDecay float32)
}

// slots are some of the values of a parameter's slots, in the order of rule.slots.
type slots [mostSlots][]float32

// mostSlots is the largest number of slots of a rule.
const mostSlots = 2

type solver struct {
	name      string
	learnRate float64
	options   Options
	rule      rule

	steps      uint64
	parameters map[string]*parameter
	updates    []update
	team       *team.Team
}

// parameter is what the solver keeps of one parameter.
type parameter struct {
	length int
	slots  [][]float32 // in the order of rule.slots
	decays bool
}

// update is one parameter's part of a step.
type update struct {
	name      string
	w, g      []float32
	parameter *parameter // nil when seen for the first time
	decay     float32
}

// New makes a solver: a name of [Names], a learn rate and options, which are best taken from [Defaults] and changed. An
// unknown name, an impossible value, and an option that the solver doesn't have are errors that say what is allowed.
func New(name string, learnRate float64, o Options) (Solver, error) {
	k, err := find(name)
	if err != nil {
		return nil, err
	}
	if err := k.check(o); err != nil {
		return nil, err
	}
	s := &solver{name: name, options: o, rule: k.rule(o), parameters: map[string]*parameter{}}
	if err := s.SetLearnRate(learnRate); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *solver) Name() string       { return s.name }
func (s *solver) LearnRate() float64 { return s.learnRate }

func (s *solver) SetLearnRate(rate float64) error {
	if err := bounds.NonNegative.Check(rate); err != nil {
		return fmt.Errorf("solver %s: learning rate: %w", s.name, err)
	}
	s.learnRate = rate
	return nil
}

func (s *solver) Momentum() (float64, bool) {
	if s.rule.momentum == nil {
		return 0, false
	}
	return *s.rule.momentum, true
}

func (s *solver) SetMomentum(momentum float64) error {
	if s.rule.momentum == nil {
		return fmt.Errorf("solver %s has no momentum (found %v)", s.name, momentum)
	}
	if err := bounds.Fraction.Check(momentum); err != nil {
		return fmt.Errorf("solver %s: momentum: %w", s.name, err)
	}
	*s.rule.momentum = momentum
	return nil
}

func (s *solver) Step(model []gorgonia.ValueGrad) error {
	if err := s.collect(model); err != nil {
		return fmt.Errorf("solver %s: %w", s.name, err)
	}
	s.steps++
	s.rule.begin(s.learnRate, s.steps)
	decay := s.options.WeightDecay
	if s.rule.decoupled {
		decay *= s.learnRate
	}
	values := 0
	for i := range s.updates {
		u := &s.updates[i]
		if u.parameter == nil {
			u.parameter = s.add(u.name, len(u.w))
		}
		if u.parameter.decays {
			u.decay = float32(decay)
		}
		values += len(u.w)
	}
	if values < leastShared {
		s.Do(0, 1)
	} else {
		s.team.Run(s)
	}
	return nil
}

// leastShared is the number of values from which it takes less time to share an update out than it saves.
const leastShared = 8192

// Do updates a share of each parameter's values, as a [team.Job].
func (s *solver) Do(part, parts int) {
	for i := range s.updates {
		u := &s.updates[i]
		lo, hi := op.Split(len(u.w), part, parts)
		var share slots
		for j, slot := range u.parameter.slots {
			share[j] = slot[lo:hi]
		}
		s.rule.update(u.w[lo:hi], u.g[lo:hi], share, u.decay)
	}
}

func (s *solver) UseTeam(t *team.Team) { s.team = t }

// collect checks all of a step's parameters and lists them in s.updates, before any is changed.
func (s *solver) collect(values []gorgonia.ValueGrad) error {
	s.updates = s.updates[:0]
	known := 0
	for i, v := range values {
		u, err := s.read(i, v)
		if err != nil {
			return err
		}
		for _, earlier := range s.updates {
			if earlier.name == u.name {
				return fmt.Errorf("parameter %s was given twice; every parameter needs a name of its own", u.name)
			}
		}
		if u.parameter != nil {
			known++
		}
		s.updates = append(s.updates, u)
	}
	if known < len(s.parameters) {
		return fmt.Errorf("parameter %s is missing; every step must bring all parameters of the steps before", s.missing())
	}
	return nil
}

// read checks the i-th parameter of a step by itself.
func (s *solver) read(i int, v gorgonia.ValueGrad) (update, error) {
	named, ok := v.(gorgonia.Namer)
	if !ok || named.Name() == "" {
		return update{}, fmt.Errorf("parameter %d of the step (%T) has no name", i, v)
	}
	name := named.Name()
	w, err := op.Floats(v.Value())
	if err != nil {
		return update{}, fmt.Errorf("parameter %s: its value: %w", name, err)
	}
	gradient, err := v.Grad()
	if err != nil {
		return update{}, fmt.Errorf("parameter %s: its gradient: %w", name, err)
	}
	g, err := op.Floats(gradient)
	if err != nil {
		return update{}, fmt.Errorf("parameter %s: its gradient: %w", name, err)
	}
	if len(g) != len(w) {
		return update{}, fmt.Errorf("parameter %s: expected a gradient of length %d, as the value, found %d", name, len(w), len(g))
	}
	p := s.parameters[name]
	switch {
	case p != nil && p.length != len(w):
		return update{}, fmt.Errorf("parameter %s: expected length %d, as in the solver's state, found %d", name, p.length, len(w))
	case p == nil && s.steps > 0 && len(s.rule.slots) > 0:
		return update{}, fmt.Errorf("parameter %s: unknown to the solver, which has made %d steps without it", name, s.steps)
	}
	return update{name: name, w: w, g: g, parameter: p}, nil
}

// missing is the first by name of the parameters that the step at hand leaves out.
func (s *solver) missing() string {
	var first string
	for name := range s.parameters {
		given := false
		for _, u := range s.updates {
			given = given || u.name == name
		}
		if !given && (first == "" || name < first) {
			first = name
		}
	}
	return first
}

// add starts a parameter of so many values, with slots of zeros.
func (s *solver) add(name string, length int) *parameter {
	p := &parameter{length: length, decays: s.decays(name)}
	for range s.rule.slots {
		p.slots = append(p.slots, make([]float32, length))
	}
	s.parameters[name] = p
	return p
}

// decays says whether a parameter has weight decay. Biases, α and β are known by their names.
func (s *solver) decays(name string) bool {
	if !s.rule.decoupled || s.options.DecayAll {
		return true
	}
	return !strings.HasSuffix(name, ".bias") && !strings.HasSuffix(name, ".alpha") && !strings.HasSuffix(name, ".beta")
}
