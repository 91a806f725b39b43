package bench

import (
	"errors"
	"testing"
	"time"
)

// A turn has windows of some length, in which something quick is done many times.
func TestTurns(t *testing.T) {
	done, began := 0, 0
	m := &measurement{begin: func() { began++ }, do: func(n int) error {
		done += n
		time.Sleep(time.Duration(n) * 10 * time.Microsecond)
		return nil
	}}
	for range 2 {
		if err := m.take(10 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
	}
	if began != 2 || m.times < 2 || len(m.windows) < 2 || done < m.times {
		t.Errorf("found %d turns, %d windows of %d times, %d times in all", began, len(m.windows), m.times, done)
	}
	if m.best() < 10e-6 {
		t.Errorf("expected 10 µs or more, found %v s", m.best())
	}
}

// What takes long is done once, and that counts.
func TestTurnOfSomethingLong(t *testing.T) {
	done := 0
	m := &measurement{do: func(n int) error {
		done += n
		time.Sleep(long)
		return nil
	}}
	if err := m.take(time.Millisecond); err != nil || done != 1 || len(m.windows) != 1 {
		t.Errorf("found %d times in %d windows, %v", done, len(m.windows), err)
	}
}

func TestTurnFails(t *testing.T) {
	broken := errors.New("broken")
	m := &measurement{do: func(int) error { return broken }}
	if err := m.take(time.Millisecond); !errors.Is(err, broken) {
		t.Errorf("found %v", err)
	}
}

func TestSpread(t *testing.T) {
	all := []*measurement{{windows: []float64{4, 2, 3}}, {windows: []float64{1, 1, 1}}, {windows: []float64{2, 5, 4}}}
	if found := spread(all); found != 0.5 {
		t.Errorf("expected 0.5, found %v", found)
	}
	for spread, noisy := range map[float64]bool{0.05: false, 0.5: true} {
		if r := (&Report{Spread: spread}); r.Noisy() != noisy {
			t.Errorf("spread %v: found noisy %v", spread, r.Noisy())
		}
	}
}
