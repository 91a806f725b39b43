package schedule

import "fmtrain/internal/bounds"

// OneCycle is Smith's 1cycle ("A disciplined approach to neural network hyper-parameters", 2018) as in the book's chapter 11,
// in straight lines. Over the fraction Rise of the run the rate grows from the group's own rate to Max times it. Over as many
// steps it falls back. In the rest of the run it falls to the factor End at the last step. The momentum goes the other way,
// from High to Low and back, and stays High at the end.
//
// This is torch's OneCycleLR with three_phase=True and anneal_strategy="linear" (by default torch has two phases along a
// cosine). Its max_lr is Max times the group's rate, its div_factor Max and its final_div_factor 1/End. As in torch, β₁ takes
// the place of a momentum. Unlike torch, a solver that has neither only changes its rate.
type OneCycle struct{ Max, Rise, End, High, Low float64 }

// Factor goes from 1 to Max, to 1, to End.
func (c *OneCycle) Factor(at Position) float64 { return c.line(at, 1, c.Max, 1, c.End) }

// Momentum goes from High to Low, to High, and stays.
func (c *OneCycle) Momentum(at Position) float64 { return c.line(at, c.High, c.Low, c.High, c.High) }

// line goes in straight lines through four values: at the first step, at the top, back at the start, and at the last step. If
// the run is so short that the way up has no step, the first step is already past it.
func (c *OneCycle) line(at Position, first, top, back, last float64) float64 {
	t, all := float64(at.Step), float64(at.Steps)
	up := float64(c.Rise*all) - 1 // rounded on every processor
	down := 2 * up
	switch {
	case up > 0 && t <= up:
		return first + (top-first)*t/up
	case up > 0 && t <= down:
		return top + (back-top)*(t-up)/up
	default:
		return back + (last-back)*(t-down)/(all-1-down)
	}
}

func (*OneCycle) name() string { return "1cycle" }
func (c *OneCycle) options() []option {
	return []option{{"max", &c.Max, atLeast1}, {"rise", &c.Rise, half}, {"end", &c.End, from0}, {"high", &c.High, bounds.Fraction}, {"low", &c.Low, bounds.Fraction}}
}
