package run

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/lock"
)

// saved writes a checkpoint that has done some epochs of 9.
func saved(t testing.TB, path string, epochs int) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, checkpoint.Save(path, &checkpoint.Checkpoint{
		Metadata: map[string]string{
			"settings": `{"epochs":9}`, "data": `{"images":"ab"}`,
			"progress": fmt.Sprintf(`{"epoch":%d,"best_epoch":1,"best_accuracy":0.5}`, epochs),
		},
		Tensors: []checkpoint.Tensor{
			{Name: "model.a", Shape: []int{3, 2}, Data: make([]float32, 6)}, {Name: "model.b", Shape: []int{2}, Data: make([]float32, 2)},
			{Name: "solver.lower.m.a", Shape: []int{5}, Data: make([]float32, 5)},
		},
	}))
}

const epochLine = `{"event":"epoch","epoch":1,"seconds":1.5,"samples_per_second":100,"best_epoch":1}` + "\n"

func TestOverview(t *testing.T) {
	parent := t.TempDir()
	info := Info{Dir: Dir(filepath.Join(parent, "a"))}
	d := info.Dir
	begun(t, d, 0, startLine+epochLine)
	saved(t, d.Last(), 2)
	o := info.Overview()
	if o.Status != Interrupted || o.Reason != nil || o.Parameters != 8 || o.Progress.Epoch != 2 || o.Progress.BestAccuracy != 0.5 || o.Seconds != 1.5 ||
		string(o.Settings) != `{"epochs":9}` || o.Data["images"] != "ab" || o.Test != nil {
		t.Errorf("found %+v", o)
	}

	write(t, d.Metrics(), startLine+epochLine+`{"event":"done","total_seconds":7}`+"\n"+`{"event":"sta`)
	must(t, d.WriteEvaluation("test", map[string]any{"accuracy": 0.25, "epoch": 1}))
	if o = info.Overview(); o.Status != Finished || o.Seconds != 7 || o.Test == nil || *o.Test != (Tested{Epoch: 1, Accuracy: 0.25}) {
		t.Errorf("found %+v", o)
	}

	// Damage to the last checkpoint leaves the one before it, from which the run resumes. If both are damaged, the run is.
	saved(t, d.Previous(), 1)
	must(t, os.Truncate(d.Last(), 100))
	if o = info.Overview(); o.Status != Finished || o.Progress.Epoch != 1 {
		t.Errorf("found %+v", o)
	}
	must(t, os.Truncate(d.Previous(), 100))
	if o = info.Overview(); o.Status != Damaged || o.Reason == nil || !strings.Contains(o.Reason.Error(), "last.safetensors") || o.Seconds != 7 {
		t.Errorf("found %+v", o)
	}
	held, err := lock.Acquire(string(d))
	must(t, err)
	if o = info.Overview(); o.Status != Running || o.Reason != nil {
		t.Errorf("found %+v", o)
	}
	must(t, held.Close())
}

// Overviews keeps the order of many runs.
func TestOverviews(t *testing.T) {
	parent := t.TempDir()
	var runs []Info
	for i := range 40 {
		d := Dir(filepath.Join(parent, fmt.Sprint(i)))
		begun(t, d, 0, startLine)
		saved(t, d.Last(), i)
		runs = append(runs, Info{Dir: d})
	}
	for i, o := range Overviews(runs) {
		if o.Progress.Epoch != i || o.Dir != runs[i].Dir {
			t.Errorf("run %d: %s, epoch %d", i, o.Dir, o.Progress.Epoch)
		}
	}
}

// The last event is found behind a line that is not complete, behind damaged lines, and among very many.
func TestLastEvent(t *testing.T) {
	d := Dir(t.TempDir())
	if e := d.lastEvent(); e.Event != "" {
		t.Errorf("without a file: %+v", e)
	}
	iteration := `{"event":"iteration","epoch":1,"iteration":1}` + "\n"
	for content, want := range map[string]string{
		"":          "",
		"\n\n":      "",
		"no JSON\n": "",
		startLine:   "start",
		startLine + epochLine + `{"event":"done"`:    "epoch",
		startLine + "damaged\n[]\n":                  "start",
		strings.Repeat(iteration, 5000) + doneLine:   "done",
		startLine + strings.Repeat(" ", 2000):        "start",
		startLine + strings.Repeat(" ", 2*usualLine): "",
	} {
		write(t, d.Metrics(), content)
		if got := d.lastEvent().Event; got != want {
			t.Errorf("%.60q: expected %q, found %q", content, want, got)
		}
	}
}

// A follower passes each event on once, as soon as its line is complete. After another file has taken its place, it begins again.
func TestFollow(t *testing.T) {
	d := Dir(t.TempDir())
	f := d.Follow()
	restarts := 0
	next := func() (events []string) {
		t.Helper()
		must(t, f.Next(func() { restarts++ }, func(e Event) error {
			var object map[string]any
			must(t, json.Unmarshal(e.Line, &object))
			events = append(events, e.Event)
			return nil
		}))
		return events
	}
	expect := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, next()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	add := func(text string) {
		t.Helper()
		file, err := os.OpenFile(d.Metrics(), os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o644)
		must(t, err)
		_, err = file.WriteString(text)
		must(t, err)
		must(t, file.Close())
	}
	expect()
	add(startLine + `{"event":"epo`)
	expect("start")
	expect()
	add(`ch"}` + "\nno JSON\n" + doneLine)
	expect("epoch", "done")
	add(strings.Repeat(" ", 2*longestLine) + "\n" + epochLine)
	expect("epoch")
	add(strings.Repeat(" ", maxFollowed+5) + "\n" + epochLine)
	expect()
	expect("epoch")
	if restarts != 0 {
		t.Errorf("%d restarts", restarts)
	}
	write(t, d.Metrics()+".new", startLine)
	must(t, os.Rename(d.Metrics()+".new", d.Metrics()))
	expect("start")
	if restarts != 1 {
		t.Errorf("%d restarts, expected 1", restarts)
	}
}

// FuzzFollow cuts any file at any place: a follower sees the events that a reader sees.
func FuzzFollow(f *testing.F) {
	f.Add(startLine+epochLine+doneLine, 70)
	f.Add("\x00\n\n[]\n"+startLine+`{"event":`, 5)
	f.Fuzz(func(t *testing.T, content string, at int) {
		d := Dir(t.TempDir())
		var followed, read []string
		follower := d.Follow()
		for _, n := range []int{max(0, min(at, len(content))), len(content)} {
			must(t, os.WriteFile(d.Metrics(), []byte(content[:n]), 0o644))
			must(t, follower.Next(func() { t.Error("a restart") }, func(e Event) error {
				followed = append(followed, string(e.Line))
				return nil
			}))
		}
		must(t, d.Events(func(e Event) error {
			read = append(read, string(e.Line))
			return nil
		}))
		if diff := cmp.Diff(read, followed); diff != "" {
			t.Errorf("(-read +followed):\n%s", diff)
		}
		if len(read) > 0 && len(content) < 1<<10 && string(d.lastEvent().Line) != read[len(read)-1] {
			t.Errorf("the last event is %q, expected %q", d.lastEvent().Line, read[len(read)-1])
		}
	})
}
