// Package team splits work among a few goroutines that are ready for it.
//
// A part of a training step takes some microseconds, and waking a sleeping goroutine takes as long, so channels would gain
// nothing. Instead the members of a [Team] spin for a while after each job, looking for the next, and only then park. Within a
// step the members always spin. While a program waits for something else, they use no processor.
package team

import (
	"runtime"
	"sync/atomic"
)

// Job is work that can be done in parts at the same time. Do does one of the parts, counted from 0. The result must not depend
// on the number of parts, or on which member does which. A part may wait for parts with lower numbers, as in a [Relay], but not for
// others.
type Job interface {
	Do(part, parts int)
}

// spins is how often a member looks for the next job before it parks. That takes about 500 µs, which is longer than the gaps within a
// step and the lag between members.
const spins = 20_000

// yieldEvery is the number of looks after which a waiting member lets the scheduler run something else: the goroutine that it
// waits for may have no processor.
const yieldEvery = 500

// Team is a number of goroutines, including the caller of [Team.Run]. One goroutine at a time may use it. A nil Team is a team
// of one.
type Team struct {
	members []*member // besides the caller
	size    int       // how many take part, including the caller

	// turn changes when there is a job. Its upper bits count the jobs. Its lower bits are the number of parts, so that a member
	// that is not needed does not look at the job.
	turn    atomic.Uint64
	job     Job
	pending atomic.Int64 // parts that others have not done yet
}

// sizeBits are the lower bits of a turn.
const sizeBits = 16

// member is one of the goroutines.
type member struct {
	parked atomic.Bool
	wake   chan struct{}
	_      [64]byte // keeps the flags of two members out of one cache line
}

// New makes a team of n: the caller and n−1 new goroutines. They run until [Team.Close].
func New(n int) *Team {
	t := &Team{size: n}
	for part := 1; part < n; part++ {
		m := &member{wake: make(chan struct{}, 1)}
		t.members = append(t.members, m)
		go t.serve(m, part)
	}
	return t
}

// Size is the number of parts of the next job.
func (t *Team) Size() int {
	if t == nil {
		return 1
	}
	return t.size
}

// Max is the number of members, including the caller.
func (t *Team) Max() int {
	if t == nil {
		return 1
	}
	return len(t.members) + 1
}

// Resize lets n members take part from the next job on. n is from 1 to [Team.Max].
func (t *Team) Resize(n int) {
	if t != nil {
		t.size = n
	}
}

// Run does the job in [Team.Size] parts and returns when all are done. The caller does the first part.
func (t *Team) Run(j Job) {
	parts := t.Size()
	if parts == 1 {
		j.Do(0, 1)
		return
	}
	t.job = j
	t.pending.Store(int64(parts - 1))
	t.turn.Store((t.turn.Load()>>sizeBits+1)<<sizeBits | uint64(parts))
	for _, m := range t.members[:parts-1] {
		m.rouse()
	}
	j.Do(0, parts)
	for i := 0; t.pending.Load() > 0; i++ {
		wait(i)
	}
}

// Close ends the goroutines.
func (t *Team) Close() {
	if t == nil {
		return
	}
	t.turn.Store(closed)
	for _, m := range t.members {
		m.rouse()
	}
}

// closed is the last turn.
const closed = 1<<64 - 1

// serve does a member's parts of the jobs.
func (t *Team) serve(m *member, part int) {
	var turn uint64
	for {
		turn = t.next(m, part, turn)
		if turn == closed {
			return
		}
		t.job.Do(part, parts(turn))
		t.pending.Add(-1)
	}
}

// next waits for a turn after seen that has work for this part: it spins, then parks.
func (t *Team) next(m *member, part int, seen uint64) uint64 {
	for {
		for i := range spins {
			if turn := t.turn.Load(); turn != seen {
				if part < parts(turn) {
					return turn
				}
				seen = turn
			}
			wait(i)
		}
		m.parked.Store(true)
		// A turn from before the flag was set has not woken this member. For a turn from after that, the wake-up is coming.
		if t.turn.Load() != seen && m.parked.CompareAndSwap(true, false) {
			continue
		}
		<-m.wake
	}
}

// parts is the number of parts of a turn's job.
func parts(turn uint64) int { return int(turn & (1<<sizeBits - 1)) }

// rouse wakes the member if it is parked.
func (m *member) rouse() {
	if m.parked.Load() && m.parked.CompareAndSwap(true, false) {
		m.wake <- struct{}{}
	}
}

// wait is one spin iteration, the i-th; it yields every yieldEvery.
func wait(i int) {
	if i%yieldEvery == yieldEvery-1 {
		runtime.Gosched()
	} else {
		pause()
	}
}
