package team

import (
	"slices"
	"time"
)

// Pace chooses how many members of a team take part in a step, by how long the steps take: a small step is done sooner by
// few, and on a busy machine, where a member may be kept from the processor while the others wait for it, by one. Since the
// number does not matter to the results, it can be changed at any step.
//
// Each size in turn is used for a window of steps, and then the quickest, until another is quicker. From time to time the
// others are tried again, the more seldom the longer the choice has stood.
type Pace struct {
	team  *Team
	sizes []int     // 1, 2, 4, ... and all
	costs []float64 // seconds of a step by size, a moving average over windows; 0 before the first
	trial []int     // indices of the sizes that are still to be tried
	at    int       // index of the size in use
	best  int       // index of the quickest so far

	began    time.Time // the window
	steps    int       // of the window
	patience time.Duration
	retry    time.Time // when the others are tried again
}

const (
	windowTime  = 5 * time.Millisecond // of a window at the least,
	windowSteps = 4                    // with this number of steps
	costShare   = 0.25                 // of a window in the average: one hiccup of the machine does not change the choice

	leastPatience = 250 * time.Millisecond
	mostPatience  = 4 * time.Second
)

// NewPace makes a pace for the team, whose size nobody else may then change.
func NewPace(t *Team) *Pace {
	p := &Pace{team: t, patience: leastPatience}
	for n := 1; n < t.Most(); n *= 2 {
		p.sizes = append(p.sizes, n)
	}
	p.sizes = append(p.sizes, t.Most())
	p.costs = make([]float64, len(p.sizes))
	p.try(len(p.sizes))
	p.next()
	return p
}

// Begin starts to measure, at the begin of the first step or after a pause.
func (p *Pace) Begin() { p.began, p.steps = time.Now(), 0 }

// Step is told that a step has ended, and chooses the size for the next.
func (p *Pace) Step() {
	if len(p.sizes) == 1 {
		return
	}
	p.steps++
	now := time.Now()
	if elapsed := now.Sub(p.began); p.steps >= windowSteps && elapsed >= windowTime {
		p.record(elapsed.Seconds() / float64(p.steps))
		p.choose(now)
		p.began, p.steps = now, 0
	}
}

// record takes the cost of a step of the window into the average of its size.
func (p *Pace) record(cost float64) {
	if p.costs[p.at] > 0 {
		cost = p.costs[p.at] + costShare*(cost-p.costs[p.at])
	}
	p.costs[p.at] = cost
}

// choose takes the next size that is to be tried, or else the quickest.
func (p *Pace) choose(now time.Time) {
	if len(p.trial) == 0 && now.After(p.retry) {
		p.try(p.at)
		p.retry = now.Add(p.patience)
		p.patience = min(2*p.patience, mostPatience)
	}
	if len(p.trial) > 0 {
		p.next()
		return
	}
	best := slices.Index(p.costs, slices.Min(p.costs))
	if best != p.best {
		p.best, p.patience = best, leastPatience
	}
	p.use(best)
}

// next takes the next size that is to be tried.
func (p *Pace) next() {
	p.use(p.trial[0])
	p.trial = p.trial[1:]
}

// try lists all sizes but one to be tried, the largest first.
func (p *Pace) try(except int) {
	p.trial = p.trial[:0]
	for i := len(p.sizes) - 1; i >= 0; i-- {
		if i != except {
			p.trial = append(p.trial, i)
		}
	}
}

func (p *Pace) use(i int) {
	p.at = i
	p.team.Resize(p.sizes[i])
}
