package schedule

import "math"

// Constant leaves the rate as it is.
type Constant struct{}

// Factor is 1.
func (*Constant) Factor(Position) float64 { return 1 }

func (*Constant) name() string      { return "constant" }
func (*Constant) options() []option { return nil }

// Step multiplies the rate by the factor By every Epochs epochs: torch's StepLR. Epochs may be a fraction; it is rounded to
// whole steps.
type Step struct{ Epochs, By float64 }

// Factor is By^⌊t/s⌋.
func (s *Step) Factor(at Position) float64 {
	return math.Pow(s.By, math.Floor(float64(at.Step)/at.epochs(s.Epochs)))
}

func (*Step) name() string { return "step" }
func (s *Step) options() []option {
	return []option{{"epochs", &s.Epochs, positive}, {"factor", &s.By, above0}}
}

// Exponential multiplies the rate by the factor By over Epochs epochs, a little at each step: torch's ExponentialLR with
// gamma = By^(1/s).
type Exponential struct{ Epochs, By float64 }

// Factor is By^(t/s).
func (e *Exponential) Factor(at Position) float64 {
	return math.Pow(e.By, float64(at.Step)/at.epochs(e.Epochs))
}

func (*Exponential) name() string { return "exponential" }
func (e *Exponential) options() []option {
	return []option{{"epochs", &e.Epochs, positive}, {"factor", &e.By, above0}}
}
