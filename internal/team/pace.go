package team

import (
	"slices"
	"time"
)

// Pace chooses how many members of a team take part in a step, by how long the steps take: a small step is done sooner by
// few, and on a busy machine, where a member may be kept from the processor while the others wait for it, by one. Since the
// number does not matter to the results, it can be changed at any step.
//
// One size is the best so far. Now and then each other is tried for some windows of steps, and takes its place if most of them
// are quicker. The longer the choice has stood the more seldom that is; but when the steps get slower it is at once.
type Pace struct {
	team  *Team
	sizes []int       // 1, 2, 4, ... and all
	costs [][]float64 // of each size, the seconds of a step in its last windows
	best  int         // index of the best size
	at    int         // index of the size in use: the best, or one that is tried

	wait  time.Duration // between two trials
	tried time.Time     // when the last trials began
	retry time.Time     // when the next may
	usual float64       // the best's cost after the last trial

	began time.Time // the window
	steps int       // of the window; below 0 those that come before it
	won   int       // windows of the size that is tried in which it was quicker,
	lost  int       // and slower
}

const (
	windowTime  = 2 * time.Millisecond // of a window at the least,
	windowSteps = 2                    // with this number of steps
	windows     = 5                    // whose median counts, so that a hiccup of the machine does not change the choice
	toWin       = 3                    // windows in which a size that is tried must be quicker
	toLose      = 2                    // windows in which it may not be slower
	hopeless    = 1.5                  // times the best's cost: when a single window decides
	settling    = 2                    // steps that don't count after a pause or a change of size: members wake, and caches fill
	slower      = 1.25                 // times the usual cost: when the others are tried at once

	patience  = 16 // times as long as the last trials took is at least the wait for the next
	leastWait = 20 * time.Millisecond
	mostWait  = 2 * time.Second
)

// NewPace makes a pace for the team, whose size nobody else may then change. It starts with all members.
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
	p.best = len(p.sizes) - 1
	p.use(p.best)
	return p
}

// Begin starts to measure, at the begin of the first step or after a pause.
func (p *Pace) Begin() { p.steps = -settling }

// Step is told that a step has ended, and chooses the size for the next.
func (p *Pace) Step() {
	if len(p.sizes) == 1 {
		return
	}
	now := time.Now()
	p.steps++
	if p.steps == 0 {
		p.began = now
	}
	if elapsed := now.Sub(p.began); p.steps >= windowSteps && elapsed >= windowTime {
		cost := elapsed.Seconds() / float64(p.steps)
		p.began, p.steps = now, 0
		p.window(cost, now)
	}
}

// window ends a window, in which a step has cost so many seconds.
func (p *Pace) window(cost float64, now time.Time) {
	p.record(cost)
	if p.at == p.best {
		if now.After(p.retry) || p.bestCost() > slower*p.usual {
			p.tried = now
			p.try(0, now)
		}
		return
	}
	if cost < p.bestCost() {
		p.won++
	} else {
		p.lost++
	}
	switch {
	case p.lost == toLose, cost > hopeless*p.bestCost():
		p.try(p.at+1, now)
	case p.won == toWin:
		p.best, p.wait = p.at, leastWait
		p.rest(now)
	}
}

// record takes a cost among the last of the size in use.
func (p *Pace) record(cost float64) {
	last := &p.costs[p.at]
	if len(*last) == windows {
		*last = slices.Delete(*last, 0, 1)
	}
	*last = append(*last, cost)
}

// bestCost is the median cost of the best size.
func (p *Pace) bestCost() float64 {
	var sorted [windows]float64
	n := copy(sorted[:], p.costs[p.best])
	slices.Sort(sorted[:n])
	return sorted[n/2]
}

// try starts to try the sizes from the i-th on, or returns to the best if all have been tried.
func (p *Pace) try(i int, now time.Time) {
	if i == p.best {
		i++
	}
	if i < len(p.sizes) {
		p.costs[i] = p.costs[i][:0]
		p.won, p.lost = 0, 0
		p.use(i)
		return
	}
	p.rest(now)
	p.wait = min(2*p.wait, mostWait)
}

// rest leaves the choice as it is for a while.
func (p *Pace) rest(now time.Time) {
	p.use(p.best)
	p.usual = p.bestCost()
	p.retry = now.Add(max(p.wait, patience*now.Sub(p.tried)))
}

// use changes to the i-th size.
func (p *Pace) use(i int) {
	if i != p.at {
		p.steps = -settling
	}
	p.at = i
	p.team.Resize(p.sizes[i])
}
