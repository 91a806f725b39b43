package team

import (
	"slices"
	"time"
)

// Pace chooses how many members of a team take part in a step, by measuring steps. A small step is faster with few members. On a busy
// machine one member may be the fastest, because members may have to wait for a processor while the others wait for them. The number does
// not change the results, so it may change at any step.
//
// One size is the best so far. From time to time each other size is tried for some windows of steps. It becomes the best if most of its
// windows are faster. The longer a choice has lasted, the rarer the trials are. When the steps get slower, the next trial starts at once.
type Pace struct {
	team  *Team
	sizes []int       // 1, 2, 4, ... and all
	costs [][]float64 // seconds of a step in the last windows, by size
	best  int         // index of the best size
	at    int         // index of the size in use: the best, or one on trial

	wait  time.Duration // between two trials
	tried time.Time     // when the last trials began
	retry time.Time     // when the next trials may begin
	usual float64       // cost of the best size after the last trial

	began time.Time // when the window began
	steps int       // in the window; negative while steps before it don't count
	won   int       // windows in which the size on trial was faster
	lost  int       // windows in which it was slower
}

const (
	windowTime  = 2 * time.Millisecond // minimum time of a window
	windowSteps = 2                    // minimum steps of a window
	windows     = 5                    // their median counts, so that a hiccup of the machine does not change the choice
	toWin       = 3                    // faster windows after which a size on trial wins
	toLose      = 2                    // slower windows after which it loses
	hopeless    = 1.5                  // times the best size's cost: then a single window decides
	settling    = 2                    // steps that don't count after a pause or a change of size: members wake, caches fill
	slower      = 1.25                 // times the usual cost: then a trial begins at once

	patience = 16 // the wait for the next trials is at least this many times as long as the last trials
	minWait  = 20 * time.Millisecond
	maxWait  = 2 * time.Second
)

// NewPace makes a pace for the team. From then on only the pace may change the team's size. It starts with all members.
func NewPace(t *Team) *Pace {
	p := &Pace{team: t, wait: minWait}
	for n := 1; n < t.Max(); n *= 2 {
		p.sizes = append(p.sizes, n)
	}
	p.sizes = append(p.sizes, t.Max())
	p.costs = make([][]float64, len(p.sizes))
	for i := range p.costs {
		p.costs[i] = make([]float64, 0, windows)
	}
	p.best = len(p.sizes) - 1
	p.use(p.best)
	return p
}

// Begin starts to measure, before the first step or after a pause.
func (p *Pace) Begin() { p.steps = -settling }

// Step records that a step has ended, and chooses the size for the next step.
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

// window ends a window in which a step took cost seconds.
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
		p.best, p.wait = p.at, minWait
		p.rest(now)
	}
}

// record adds a cost to the latest costs of the size in use.
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
	p.wait = min(2*p.wait, maxWait)
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
