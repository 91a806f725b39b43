package team

import (
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// tally counts how often each part ran, and the number of parts.
type tally struct {
	done  [16]atomic.Int64
	parts atomic.Int64
}

func (c *tally) Do(part, parts int) {
	c.done[part].Add(1)
	c.parts.Store(int64(parts))
}

// require fails unless each of the parts ran once in each run, and no other part ran.
func (c *tally) require(t *testing.T, parts, runs int) {
	t.Helper()
	if found := int(c.parts.Load()); found != parts {
		t.Errorf("expected %d parts, found %d", parts, found)
	}
	for part := range c.done {
		want := 0
		if part < parts {
			want = runs
		}
		if found := int(c.done[part].Load()); found != want {
			t.Errorf("%d parts, part %d: expected to be done %d times, found %d", parts, part, want, found)
		}
	}
}

func TestRunDoesEachPartOnce(t *testing.T) {
	for n := 1; n <= 5; n++ {
		members := New(n)
		for size := 1; size <= n; size++ {
			members.Resize(size)
			var c tally
			const runs = 200
			for range runs {
				members.Run(&c)
			}
			c.require(t, size, runs)
		}
		members.Close()
	}
}

// Writes of a job are visible when Run returns, and writes before Run are visible to the job.
type relay struct{ in, out [8]int }

func (r *relay) Do(part, parts int) {
	for i := part; i < len(r.in); i += parts {
		r.out[i] = r.in[i] + 1
	}
}

func TestRunHandsOverWhatIsWritten(t *testing.T) {
	members := New(3)
	defer members.Close()
	var r relay
	for range 1000 {
		before := r.out
		r.in = r.out
		members.Run(&r)
		for i := range r.out {
			if r.out[i] != before[i]+1 {
				t.Fatalf("expected %d, found %d", before[i]+1, r.out[i])
			}
		}
	}
}

// parked says whether all members but the caller are asleep.
func (t *Team) parked() bool {
	for _, m := range t.members {
		if !m.parked.Load() {
			return false
		}
	}
	return true
}

func waitUntil(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited for %s in vain", what)
		}
		time.Sleep(time.Millisecond)
	}
}

// A team without a job sleeps, and wakes for the next.
func TestMembersParkAndWake(t *testing.T) {
	members := New(4)
	defer members.Close()
	var c tally
	for run := range 20 {
		waitUntil(t, "the members to park", members.parked)
		members.Run(&c)
		c.require(t, 4, run+1)
	}
}

// Members that are not needed sleep while the others work.
func TestMembersLeftOutPark(t *testing.T) {
	members := New(3)
	defer members.Close()
	members.Resize(2)
	var c tally
	waitUntil(t, "the third member to park", func() bool {
		members.Run(&c)
		return members.members[1].parked.Load()
	})
	for range 100 {
		members.Run(&c)
	}
	if !members.members[1].parked.Load() {
		t.Error("the third member was roused for a job of two parts")
	}
}

func TestCloseEndsTheGoroutines(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		members := New(5)
		members.Run(new(tally))
		members.Close()
	}
	waitUntil(t, "the goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}

// With one processor for all members a team gains nothing, but it must not hang.
func TestRunOnOneProcessor(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	members := New(3)
	defer members.Close()
	var c tally
	for range 50 {
		members.Run(&c)
	}
	c.require(t, 3, 50)
}

func TestNobodyIsATeamOfOne(t *testing.T) {
	var members *Team
	members.Resize(3)
	var c tally
	members.Run(&c)
	c.require(t, 1, 1)
	if members.Size() != 1 || members.Max() != 1 {
		t.Errorf("expected a size of 1 of 1, found %d of %d", members.Size(), members.Max())
	}
	members.Close()
}

func TestRunDoesNotAllocate(t *testing.T) {
	members := New(2)
	defer members.Close()
	var c tally
	if n := testing.AllocsPerRun(100, func() { members.Run(&c) }); n != 0 {
		t.Errorf("expected no allocation, found %v", n)
	}
}

func TestCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	for _, test := range []struct {
		what     string
		siblings []string
		want     int
	}{
		{"four processors, two threads a core", []string{"0,2", "1,3", "0,2", "1,3"}, 2},
		{"two cores of one thread", []string{"0", "1"}, 2},
		{"nothing known", nil, 8},
		{"more cores than may be used", []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}, 8},
	} {
		dir := t.TempDir()
		for i, s := range test.siblings {
			topology := filepath.Join(dir, "cpu"+string(rune('0'+i)), "topology")
			if err := os.MkdirAll(topology, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(topology, "thread_siblings_list"), []byte(s+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if found := cores(dir); found != test.want {
			t.Errorf("%s: expected %d, found %d", test.what, test.want, found)
		}
	}
}

// BenchmarkRun is the time to give an empty job to a team and to wait for it.
func BenchmarkRun(b *testing.B) {
	members := New(min(2, runtime.GOMAXPROCS(0)))
	defer members.Close()
	var c tally
	for b.Loop() {
		members.Run(&c)
	}
}
