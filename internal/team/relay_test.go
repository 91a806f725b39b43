package team

import (
	"slices"
	"testing"
)

// stations is a job whose parts write their numbers to each of several things, in turn.
type stations struct {
	relay  *Relay
	things [][]int
}

func (s *stations) Do(part, parts int) {
	for i := range s.things {
		s.relay.Take(i, part)
		s.things[i] = append(s.things[i], part)
		s.relay.Pass(i, part, parts)
	}
}

// The parts take each thing in the order of their numbers, in every job, for any number of parts.
func TestRelay(t *testing.T) {
	members := New(5)
	defer members.Close()
	s := &stations{NewRelay(7), make([][]int, 7)}
	for run := range 200 {
		parts := 1 + run%5
		members.Resize(parts)
		for i := range s.things {
			s.things[i] = s.things[i][:0]
		}
		members.Run(s)
		want := []int{0, 1, 2, 3, 4}[:parts]
		for i, found := range s.things {
			if !slices.Equal(found, want) {
				t.Fatalf("thing %d: expected the parts %v, found %v", i, want, found)
			}
		}
	}
}

// One goroutine can do all parts, in their order.
func TestRelayOfOneGoroutine(t *testing.T) {
	s := &stations{NewRelay(3), make([][]int, 3)}
	for range 2 {
		for part := range 4 {
			s.Do(part, 4)
		}
	}
	for i, found := range s.things {
		if !slices.Equal(found, []int{0, 1, 2, 3, 0, 1, 2, 3}) {
			t.Errorf("thing %d: found %v", i, found)
		}
	}
}
