package team

import "sync/atomic"

// Relay lets the parts of a job work one after the other at each of several things, such as blocks of a sum. The parts take each thing in
// the order of their numbers. While a part works at a thing, the part before it works at the next thing.
//
// A part waits only for parts with lower numbers. So a relay also works where one goroutine does all parts in their order.
type Relay struct{ turns []turn }

// turn is the part that a thing waits for. Two turns never share a pair of cache lines, which some processors fetch together.
type turn struct {
	part atomic.Int64
	_    [120]byte
}

// NewRelay makes a relay of so many things. It serves any number of jobs, one at a time.
func NewRelay(things int) *Relay { return &Relay{make([]turn, things)} }

// Take waits until it is the part's turn to work at the thing.
func (r *Relay) Take(thing, part int) {
	for i := 0; r.turns[thing].part.Load() != int64(part); i++ {
		wait(i)
	}
}

// Pass gives the thing to the next part. After the last part it is ready for the next job.
func (r *Relay) Pass(thing, part, parts int) { r.turns[thing].part.Store(int64((part + 1) % parts)) }
