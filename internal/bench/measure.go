package bench

import (
	"slices"
	"time"
)

// A measurement is a quantity under measurement: the time that something takes.
type measurement struct {
	do      func(n int) error // n times
	begin   func()            // before each turn; may be nil
	times   int               // in a window
	windows []float64         // seconds of one time, in each window
}

// long is a time that nothing but the work itself takes.
const long = 100 * time.Millisecond

// windowsOfTurn is the number of windows that a turn has room for, unless doing it once takes longer.
const windowsOfTurn = 8

// leastWindows is the number of windows of a turn at least, unless doing it once takes long.
const leastWindows = 3

// take takes a turn: it measures for about the given time.
func (m *measurement) take(turn time.Duration) error {
	if m.begin != nil {
		m.begin()
	}
	m.times = max(m.times, 1)
	// The first time wakes threads and fills caches. It doesn't count, unless it is so long that this doesn't matter.
	began := time.Now()
	took, err := m.timed()
	if err != nil {
		return err
	}
	if took >= max(turn, long) {
		m.keep(took)
		return nil
	}
	for kept := 0; kept < leastWindows || time.Since(began) < turn; {
		if took, err = m.timed(); err != nil {
			return err
		}
		if took < turn/windowsOfTurn {
			m.times *= 2
			continue
		}
		m.keep(took)
		kept++
	}
	return nil
}

// timed is the time of doing it so many times.
func (m *measurement) timed() (time.Duration, error) {
	began := time.Now()
	err := m.do(m.times)
	return time.Since(began), err
}

// keep keeps a window.
func (m *measurement) keep(took time.Duration) {
	m.windows = append(m.windows, took.Seconds()/float64(m.times))
}

// best is the shortest time, in seconds.
func (m *measurement) best() float64 { return slices.Min(m.windows) }

// spread is how much longer than the best window the median one is: of all measurements the median again.
func spread(all []*measurement) float64 {
	var each []float64
	for _, m := range all {
		each = append(each, median(m.windows)/m.best()-1)
	}
	return median(each)
}

func median(x []float64) float64 {
	sorted := slices.Sorted(slices.Values(x))
	return sorted[len(sorted)/2]
}
