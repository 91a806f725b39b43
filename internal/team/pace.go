package team

import (
	"slices"
	"time"
)

// Pace chooses how many members of a team take part in a step, by how long the steps take: a small step is done sooner by
// few, and on a busy machine, where a member may be kept from the processor while the others wait for it, by one. Since the
// number does not matter to the results, it can be changed at any step.
//
// The sizes are tried in turn, a window of some steps each, and then the quickest is used for as long as it is the quickest.
// From time to time the others are tried again, the more seldom the longer the choice has stood.
type Pace struct {
	team  *Team
	sizes []int         // 1, 2, 4, ... and all
	costs [][]float64   // of each size, the seconds of a step in its last windows
	trial []int         // indices of the sizes that are still to be tried, from the end
	at    int           // index of the size in use
	best  int           // index of the quickest so far
	wait  time.Duration // until the others are tried again
	retry time.Time     // when they are

	began time.Time // the window
	steps int       // of the window
}

const (
	windowTime  = 2 * time.Millisecond // of a window at the least,
	windowSteps = 4                    // with this number of steps
	windows     = 5                    // whose median counts, so that one hiccup of the machine does not change the choice

	leastWait = 20 * time.Millisecond
	mostWait  = 4 * time.Second
)

// NewPace makes a pace for the team, whose size nobody else may then change.
func NewPace(t *Team) *Pace {
	p := &Pace{team: t, wait: leastWait}
	for n := 1; n < t.Most(); n *= 2 {
		p.sizes = append(p.sizes, n)
	}
	p.sizes = append(p.sizes, t.Most())
	p.costs = make([][]float64, len(p.sizes))
	for i := range p.costs {
		p.costs[i] = make([]float64, 0, windows)
	}
	p.trial = make([]int, 0, windows*len(p.sizes))
	p.best = len(p.sizes) - 1
	p.use(p.best)
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

// record takes the cost of a step of the window among those of its size.
func (p *Pace) record(cost float64) {
	last := &p.costs[p.at]
	if len(*last) == windows {
		copy(*last, (*last)[1:])
		(*last)[windows-1] = cost
		return
	}
	*last = append(*last, cost)
}

// cost is the median of a size's last windows.
func (p *Pace) cost(i int) float64 {
	var sorted [windows]float64
	n := copy(sorted[:], p.costs[i])
	slices.Sort(sorted[:n])
	return sorted[n/2]
}

// choose takes the next size that is to be tried, or else the quickest.
func (p *Pace) choose(now time.Time) {
	if len(p.trial) == 0 && now.After(p.retry) {
		p.try()
		p.retry = now.Add(p.wait)
		p.wait = min(2*p.wait, mostWait)
	}
	if last := len(p.trial) - 1; last >= 0 {
		p.use(p.trial[last])
		p.trial = p.trial[:last]
		return
	}
	best := p.best
	for i := range p.sizes {
		if p.cost(i) < p.cost(best) {
			best = i
		}
	}
	if best != p.best {
		p.best, p.wait, p.retry = best, leastWait, now.Add(leastWait)
	}
	p.use(best)
}

// try lists the sizes to be tried, all in turn.
func (p *Pace) try() {
	for range windows {
		for i := range p.sizes {
			p.trial = append(p.trial, i)
		}
	}
}

func (p *Pace) use(i int) {
	p.at = i
	p.team.Resize(p.sizes[i])
}
