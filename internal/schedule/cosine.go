package schedule

import "math"

// Cosine raises the rate in a straight line over the steps of the warm-up. The first step after them has the full rate. Then
// the rate falls along half a cosine towards the factor End, which the step after the last would have. This is torch's LinearLR
// with start_factor = 1/(warm-up + 1), followed by CosineAnnealingLR over the remaining steps. A warm-up longer than the run
// does not end.
type Cosine struct {
	Warmup float64 // steps or, below 1, the fraction of the run's steps, rounded
	End    float64
}

// Factor is (t+1)/(w+1) in the warm-up of w steps, then End + (1−End)·½(1+cos(π·(t−w)/(T−w))).
func (c *Cosine) Factor(at Position) float64 {
	t, w, all := float64(at.Step), c.Warmup, float64(at.Steps)
	if w < 1 {
		w = math.Round(w * all)
	}
	if t < w {
		return (t + 1) / (w + 1)
	}
	return c.End + float64((1-c.End)*(1+math.Cos(math.Pi*(t-w)/(all-w)))/2)
}

func (*Cosine) name() string { return "cosine" }
func (c *Cosine) options() []option {
	return []option{{"warmup", &c.Warmup, warmup}, {"end", &c.End, from0}}
}
