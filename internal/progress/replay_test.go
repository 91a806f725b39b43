package progress

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
)

// A run that is replayed from its JSON lines gives the lines of a table that it gave when it was trained.
func TestReplayGivesTheSameLines(t *testing.T) {
	s := script{epochs: 4, iterations: 30, batch: 100, step: 10 * time.Millisecond}
	start := s.start()
	start.Settings = map[string]any{
		"epochs": 4, "validation": 500, "ema": 0.9, "metrics": []string{"accuracy", "top3", "precision:ankle-boot"}, "groups": "",
		"lower_schedule": "constant", "upper_schedule": "cosine:warmup=0,end=0", "log_every": 10,
	}
	start.Averaged, start.Metrics = true, []string{"top3", "precision:Ankle boot"}
	start.Rates = loop.Rates{{Group: "lower", LearningRate: 1e-4}, {Group: "upper", LearningRate: 1e-3, Scheduled: true}}

	var events, direct, replayed bytes.Buffer
	terminal := func(w *bytes.Buffer) Terminal { return Terminal{Writer: w, Width: func() int { return 200 }} }
	lines := NewLines(terminal(&direct), 10)
	feed := func(o loop.Observer) {
		check(t, o.OnStart(start))
		for epoch := 1; epoch <= s.epochs; epoch++ {
			for i := 1; i <= s.iterations; i++ {
				it := s.iteration(epoch, i)
				it.Rates = start.Rates
				check(t, o.OnIteration(it))
			}
			e := s.epoch(epoch)
			e.Rates, e.Average = start.Rates, &loop.Validation{Loss: 0.5, Accuracy: 0.25}
			e.Metrics = metric.Values{{Name: "top3", Value: 0.75}, {Name: "precision:Ankle boot", Value: 0.5}}
			check(t, o.OnEpoch(e))
		}
		check(t, o.OnDone(&loop.Done{Epochs: 4, BestEpoch: 3, BestAccuracy: 0.5, Checkpoint: "c", TotalSeconds: 9}))
	}
	feed(lines)
	feed(NewJSON(&events, 10))

	seen := &recorder{Lines: NewLines(terminal(&replayed), 10)}
	r := &Replay{Observer: seen}
	for line := range strings.Lines(events.String()) {
		e := run.Event{Line: []byte(line)}
		check(t, json.Unmarshal(e.Line, &e))
		check(t, r.Event(e))
	}
	// Before the first epoch the number of its iterations is not known, so its last step has a line too.
	want := strings.SplitAfter(direct.String(), "\n")
	found := strings.SplitAfter(replayed.String(), "\n")
	found = append(found[:4:4], found[5:]...)
	if diff := cmp.Diff(want, found); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if seen.done.BestAccuracy != 0.5 || seen.done.TotalSeconds != 9 || r.LogEvery() != 10 {
		t.Errorf("the end is %+v", seen.done)
	}
}

type recorder struct {
	*Lines
	done loop.Done
}

func (r *recorder) OnDone(d *loop.Done) error { r.done = *d; return nil }

// Damaged and unknown events, and metrics without their beginning, are left out. A resume changes the settings.
func TestReplayOfAnything(t *testing.T) {
	var b bytes.Buffer
	r := &Replay{Observer: NewLines(Terminal{Writer: &b, Width: func() int { return 80 }}, 0)}
	diverged := 0
	r.Diverged = func(d *loop.Diverged) { diverged = d.Iteration }
	for _, line := range []string{
		`{"event":"epoch","epoch":1}`, `{"event":"resume"}`, `{"event":"start","epochs":"x","validation":[],"metrics":["new"]}`,
		`{"event":"epoch","epoch":"x"}`, `{"event":"resume","epoch":1,"changed":{"epochs":12}}`, `{"event":"iteration","epoch":[]}`, `{"event":"new"}`,
		`{"event":"epoch","epoch":3,"loss":null,"accuracy":0.5}`, `{"event":"done","epochs":[]}`, `{"event":"diverged","epoch":4,"iteration":7,"where":"x"}`,
	} {
		e := run.Event{Line: []byte(line)}
		check(t, json.Unmarshal(e.Line, &e))
		check(t, r.Event(e))
	}
	if !strings.Contains(b.String(), " 3/12     NaN  0.5000") || diverged != 7 {
		t.Errorf("found %s, and diverged at %d", b.String(), diverged)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
