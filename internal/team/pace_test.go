package team

import (
	"math/rand/v2"
	"testing"
	"time"
)

// pacing simulates windows of steps for a pace, with its own clock.
type pacing struct {
	pace *Pace
	now  time.Time
	used map[int]int // windows by size
}

func newPacing(t *testing.T, members int) *pacing {
	team := New(members)
	t.Cleanup(team.Close)
	return &pacing{pace: NewPace(team), now: time.Now(), used: map[int]int{}}
}

// play simulates this number of windows. cost gives the time of a step for a team's size.
func (p *pacing) play(windows int, cost func(size int) float64) {
	for range windows {
		size := p.pace.team.Size()
		p.used[size]++
		p.now = p.now.Add(windowTime)
		p.pace.window(cost(size), p.now)
	}
}

// requireMostly fails unless nearly all windows since the last call used this size.
func (p *pacing) requireMostly(t *testing.T, size int) {
	t.Helper()
	all := 0
	for _, n := range p.used {
		all += n
	}
	if p.used[size]*100 < all*90 {
		t.Errorf("expected nearly all of %d windows with size %d, found %v", all, size, p.used)
	}
	clear(p.used)
}

func TestPaceTakesTheQuickest(t *testing.T) {
	for _, best := range []int{1, 2, 4, 6} {
		p := newPacing(t, 6)
		p.play(2000, func(size int) float64 {
			if size == best {
				return 0.9
			}
			return 1 + float64(size)/100
		})
		p.requireMostly(t, best)
	}
}

// The pace notices when a machine becomes busy, and when it is quiet again.
func TestPaceFollowsTheMachine(t *testing.T) {
	p := newPacing(t, 2)
	quiet := func(size int) float64 { return 1 / float64(size) }
	busy := func(size int) float64 { return float64(size) }
	p.play(1000, quiet)
	p.requireMostly(t, 2)
	p.play(2*windows, busy)
	clear(p.used)
	p.play(1000, busy)
	p.requireMostly(t, 1)
	p.play(int(maxWait/windowTime)+2*windows, quiet) // until the next trial has ended
	clear(p.used)
	p.play(1000, quiet)
	p.requireMostly(t, 2)
}

// An occasional slow window, in which the system ran something else, changes nothing.
func TestPaceForgivesHiccups(t *testing.T) {
	p := newPacing(t, 2)
	random := rand.New(rand.NewPCG(1, 2))
	p.play(5000, func(size int) float64 {
		if random.IntN(20) == 0 {
			return 10
		}
		return 1 / float64(size)
	})
	p.requireMostly(t, 2)
}

// A window lasts until it has enough steps and enough time has passed.
func TestPaceWaitsForAWindow(t *testing.T) {
	members := New(2)
	defer members.Close()
	p := NewPace(members)
	p.Begin()
	for range settling {
		p.Step()
	}
	for range windowSteps - 1 {
		time.Sleep(windowTime)
		p.Step()
	}
	last := len(p.sizes) - 1
	if n := len(p.costs[last]); n != 0 {
		t.Fatalf("expected no window after %d steps, found %d", windowSteps-1, n)
	}
	p.Step()
	if costs := p.costs[last]; len(costs) != 1 || costs[0] < windowTime.Seconds()*(windowSteps-1)/windowSteps {
		t.Errorf("expected a window of steps of %v in the mean or more, found %v", windowTime*(windowSteps-1)/windowSteps, costs)
	}
}

func TestPaceOfNobody(t *testing.T) {
	p := NewPace(nil)
	p.Begin()
	for range 1000 {
		p.Step()
	}
}
