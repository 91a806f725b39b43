// Package schedule changes a group's learning rate over a run. For each step it gives a factor, which multiplies the group's
// own rate. The schedules come from the book's chapter 11, "Learning Rate Scheduling":
//
//	constant      1
//	step          factor^⌊t/s⌋                       piecewise constant scheduling; s is the number of steps of some epochs
//	exponential   factor^(t/s)                       exponential scheduling
//	cosine        a linear warm-up, then half a cosine (Loshchilov & Hutter 2017, without restarts)
//	1cycle        up, down, and far down, the momentum the other way round (Smith 2018)
//	plateau       factor^(how often the validation loss stood still)      performance scheduling
//
// Each is a pure function of the step's [Position] in the run, so a resumed run needs no state of its schedules. The validation
// losses, which plateau looks at, are part of the run's progress.
//
// The definitions follow torch.optim.lr_scheduler, and the tests check them against it. Where one differs, its comment says so.
package schedule

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fmtrain/internal/bounds"
)

// Position is where in a run a step is.
type Position struct {
	Step       int       // steps of the solver made before it
	Steps      int       // of the whole run
	EpochSteps int       // of an epoch
	Losses     []float64 // validation losses of the finished epochs, in order; only plateau looks at them
}

// epochs converts a number of epochs to whole steps, at least one.
func (at Position) epochs(n float64) float64 { return max(1, math.Round(n*float64(at.EpochSteps))) }

// Schedule is one way to change a learning rate.
type Schedule interface {
	// Factor multiplies the group's learning rate at a step.
	Factor(Position) float64

	name() string
	options() []option
}

// Momentum is a [Schedule] that also changes the momentum, for solvers that have one.
type Momentum interface {
	Schedule

	// Momentum is the solver's momentum at a step.
	Momentum(Position) float64
}

// NeedsLosses says whether a schedule looks at the validation losses. Nil, a constant rate, does not.
func NeedsLosses(s Schedule) bool {
	_, needs := s.(*Plateau)
	return needs
}

// registry is the schedules, in the order in which they are listed, each as it is without options.
var registry = []struct {
	about string
	make  func() Schedule
}{
	{"the learning rate stays as it is", func() Schedule { return &Constant{} }},
	{"multiply the rate by a factor every few epochs", func() Schedule { return &Step{Epochs: 10, By: 0.1} }},
	{"multiply the rate by a factor over some epochs, a little at each step",
		func() Schedule { return &Exponential{Epochs: 20, By: 0.1} }},
	{"rise over the warm-up (steps, or a fraction of the run), then fall along half a cosine to end times the rate",
		func() Schedule { return &Cosine{} }},
	{"rise to max times the rate, fall back, then fall to end times it; momentum goes from high to low and back",
		func() Schedule { return &OneCycle{Max: 10, Rise: 0.45, End: 0.001, High: 0.95, Low: 0.85} }},
	{"multiply the rate by a factor when the validation loss has not improved for more than patience epochs",
		func() Schedule { return &Plateau{Patience: 5, By: 0.5, Threshold: 1e-4} }},
}

// Kind is a schedule as the help shows it.
type Kind struct {
	Name  string
	Usage string // with all options at their defaults: step:epochs=10,factor=0.1
	About string // one phrase
}

// Kinds are the schedules, for the help.
func Kinds() (kinds []Kind) {
	for _, r := range registry {
		s := r.make()
		kinds = append(kinds, Kind{s.name(), Text(s), r.about})
	}
	return kinds
}

// Names are the schedules that [Parse] knows.
func Names() (names []string) {
	for _, r := range registry {
		names = append(names, r.make().name())
	}
	return names
}

// Parse reads a schedule: a name of [Names], alone or with options, as in step:epochs=10,factor=0.1. Options that are left out
// have their defaults. An error says what was found and what is allowed there.
func Parse(text string) (Schedule, error) {
	name, options, given := strings.Cut(text, ":")
	i := slices.Index(Names(), name)
	if i < 0 {
		return nil, fmt.Errorf("expected a schedule of %s, with options as in step:epochs=10,factor=0.1; found %q",
			strings.Join(Names(), ", "), text)
	}
	s := registry[i].make()
	if !given {
		return s, nil
	}
	var seen []string
	for part := range strings.SplitSeq(options, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		o, ok := find(s, key)
		if !ok {
			return nil, fmt.Errorf("%s: expected %s, found %q", name, allowed(registry[i].make()), part)
		}
		if slices.Contains(seen, key) {
			return nil, fmt.Errorf("%s: %s: expected once, found again", name, key)
		}
		seen = append(seen, key)
		var err error
		if *o.value, err = o.allowed.Parse(value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, key, err)
		}
	}
	return s, nil
}

// Text is a schedule with all its options, as [Parse] reads it.
func Text(s Schedule) string {
	text := s.name()
	for i, o := range s.options() {
		separator := ","
		if i == 0 {
			separator = ":"
		}
		text += separator + o.name + "=" + strconv.FormatFloat(*o.value, 'g', -1, 64)
	}
	return text
}

// option is one number of a schedule.
type option struct {
	name    string
	value   *float64
	allowed bounds.Range
}

// The ranges of the options. warmup is in steps or, below 1, a fraction of the run.
var (
	positive = bounds.Above(0, 1e9)
	atLeast1 = bounds.Between(1, 1e9)
	count    = bounds.Whole(0, 1e9)
	above0   = bounds.Above(0, 1)
	from0    = bounds.Between(0, 1)
	half     = bounds.Above(0, 0.5)
	warmup   = bounds.New("a whole number of steps or, below 1, a fraction of the run", func(x float64) bool {
		return bounds.Fraction.Has(x) || count.Has(x)
	})
)

func find(s Schedule, name string) (option, bool) {
	for _, o := range s.options() {
		if o.name == name {
			return o, true
		}
	}
	return option{}, false
}

// allowed says which options a schedule has, with their defaults.
func allowed(s Schedule) string {
	var names []string
	for _, o := range s.options() {
		names = append(names, o.name)
	}
	if names == nil {
		return "no options"
	}
	return "options of " + strings.Join(names, ", ") + " as in " + Text(s)
}
