// Package solver updates a model's parameters by their gradients: sgd, momentum, nesterov, rmsprop, adagrad, adam, adamw,
// nadam and muon, in the formulas of torch.optim and of Muon's article, behind Gorgonia's interface. Gorgonia's own solvers
// are not used. Some are wrong, as the tests show, none has a state that can be saved or a learning rate that can be changed, and there is no Nadam.
//
// A solver is a [rule], the arithmetic of one algorithm, and bookkeeping that all share: the parameters by name, their
// slots, and the number of steps. The loops over the values are in package kernel.
package solver

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/bounds"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// Solver updates one group of parameters. It is not safe for concurrent use.
type Solver interface {
	// Step updates every parameter in place. A parameter is a float32 tensor that implements [gorgonia.Namer]; the solver knows
	// it by its name, so names must differ. It may implement [Decayer]. Every call must bring the same parameters, in any
	// order, because they share one count of steps. Gradients are only read; Gorgonia's solvers zero them, these don't.
	//
	// An error names the parameter, and then nothing has changed: no weight, no state, no count. After the first call Step
	// allocates nothing.
	gorgonia.Solver

	// UseTeam divides the following steps among the members of the team. The bits don't depend on their number.
	UseTeam(*team.Team)

	// Name is the name given to [New].
	Name() string

	// LearningRate is the rate of the next step.
	LearningRate() float64

	// SetLearningRate sets the rate from the next step on; 0 is allowed. A negative, infinite or NaN rate is an error.
	SetLearningRate(float64) error

	// Momentum is how much of the past the next step keeps: of the velocity (momentum, nesterov, rmsprop with momentum), or of
	// the average gradient, β₁ (adam, adamw, nadam). The second result is false for a solver that has neither.
	Momentum() (float64, bool)

	// SetMomentum sets it from the next step on. It is an error if the solver has none, or if the number is not from 0 to
	// below 1.
	SetMomentum(float64) error

	// State is what a solver with the same name, options, learning rate and momentum needs to continue with the same bits.
	State() State

	// SetState replaces the state with a copy of the given one. A state that doesn't fit this solver is an error and changes
	// nothing. The next Step checks the lengths against the model's parameters.
	SetState(State) error
}

// Decayer is a parameter that says whether weight decay shrinks it. It matters to adamw without DecayAll. Without this method
// a parameter decays.
type Decayer interface{ Decays() bool }

// rule is the arithmetic of one solver.
type rule struct {
	// slots are the names of what is kept for each parameter. A slot has one number for each of the parameter's values.
	slots []string

	// scalars are numbers kept once for all parameters, by name.
	scalars map[string]*float64

	// momentum is what [Solver.SetMomentum] changes between two steps; nil if there is none.
	momentum *float64

	// decoupled says that update gets the weight decay multiplied by the learning rate.
	decoupled bool

	// begin prepares the scalars of a step. The first step is 1.
	begin func(learningRate float64, step uint64)

	// update changes one parameter and its slots.
	update func(w, g []float32, s slots, weightDecay float32)

	// whole, instead of update, changes a whole matrix, with all of the team. Then vectors is the rule of the parameters that are
	// no matrices.
	whole   func(matrix *update, t *team.Team)
	vectors *rule
}

// slots are parts of a parameter's slots, in the order of rule.slots.
type slots [maxSlots][]float32

// maxSlots is the largest number of slots of a rule.
const maxSlots = 2

type solver struct {
	name         string
	learningRate float64
	options      Options
	rule         rule

	steps      uint64
	parameters map[string]*parameter
	updates    []update
	team       *team.Team
}

// parameter is what the solver keeps for one parameter.
type parameter struct {
	length int
	slots  [][]float32 // in the order of rule.slots
}

// update is one parameter's part of a step.
type update struct {
	name      string
	w, g      []float32
	columns   int        // of a matrix: the length of the last axis
	parameter *parameter // nil when seen for the first time
	decays    bool
	decay     float32
}

// New makes a solver: a name of [Names], a learning rate and options, best taken from [Defaults] and changed. An unknown name,
// an impossible value, and an option that the solver doesn't have are errors that say what is allowed.
func New(name string, learningRate float64, o Options) (Solver, error) {
	k, err := find(name)
	if err != nil {
		return nil, err
	}
	if err := k.check(o); err != nil {
		return nil, err
	}
	r := k.rule(o)
	s := Solver(newSolver(name, o, r))
	if r.vectors != nil {
		s = newPair(name, o, r)
	}
	if err := s.SetLearningRate(learningRate); err != nil {
		return nil, err
	}
	return s, nil
}

func newSolver(name string, o Options, r rule) *solver {
	return &solver{name: name, options: o, rule: r, parameters: map[string]*parameter{}}
}

func (s *solver) Name() string          { return s.name }
func (s *solver) LearningRate() float64 { return s.learningRate }

func (s *solver) SetLearningRate(rate float64) error {
	if err := bounds.NonNegative.Check(rate); err != nil {
		return fmt.Errorf("solver %s: learning rate: %w", s.name, err)
	}
	s.learningRate = rate
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
	s.step()
	return nil
}

// step updates the parameters that were collected.
func (s *solver) step() {
	s.steps++
	s.rule.begin(s.learningRate, s.steps)
	decay := s.options.WeightDecay
	if s.rule.decoupled {
		decay *= s.learningRate
	}
	values := 0
	for i := range s.updates {
		u := &s.updates[i]
		if u.parameter == nil {
			u.parameter = s.add(u.name, len(u.w))
		}
		if u.decays {
			u.decay = float32(decay)
		}
		values += len(u.w)
		if s.rule.whole != nil {
			s.rule.whole(u, s.team)
		}
	}
	if s.rule.update != nil {
		run(s.team, values, s)
	}
}

// minShared is the smallest number of values for which splitting an update saves more time than it costs.
const minShared = 8192

// run does a job on that many values, by the team if there are enough.
func run(t *team.Team, values int, j team.Job) {
	if values < minShared {
		j.Do(0, 1)
	} else {
		t.Run(j)
	}
}

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
				return fmt.Errorf("parameter %s was given twice; every parameter needs its own name", u.name)
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
	columns := len(w)
	if shape := v.Value().Shape(); len(shape) > 0 {
		columns = shape[len(shape)-1]
	}
	return update{name: name, w: w, g: g, columns: columns, parameter: p, decays: s.decays(v)}, nil
}

// missing is the first parameter by name that the current step leaves out.
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

// add starts a parameter of that length, with slots of zeros.
func (s *solver) add(name string, length int) *parameter {
	p := &parameter{length: length}
	for range s.rule.slots {
		p.slots = append(p.slots, make([]float32, length))
	}
	s.parameters[name] = p
	return p
}

// decays says whether weight decay shrinks a parameter. The L2 of the other solvers is part of the loss, so it is on all.
func (s *solver) decays(v gorgonia.ValueGrad) bool {
	if !s.rule.decoupled || s.options.DecayAll {
		return true
	}
	d, ok := v.(Decayer)
	return !ok || d.Decays()
}
