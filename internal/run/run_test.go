package run

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/lock"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a file, and its directory.
func write(t testing.TB, path, content string) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(t, os.WriteFile(path, []byte(content), 0o644))
}

// A new run gets its own locked directory. A directory that is not empty is refused.
func TestCreate(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, path := range []string{"", "", filepath.Join("a", "b")} {
		c, err := Create(path)
		must(t, err)
		if path != "" && c.Dir != Dir(path) || !exists(c.Dir.Checkpoints()) || path == "" && filepath.Dir(string(c.Dir)) != Parent {
			t.Errorf("%q: made %s", path, c.Dir)
		}
		if _, err := c.Dir.Open(); !errors.Is(err, lock.ErrHeld) {
			t.Errorf("%s is not locked: %v", c.Dir, err)
		}
		must(t, c.Close())
	}
	if found, err := os.ReadDir(Parent); err != nil || len(found) != 2 {
		t.Errorf("expected two runs, found %v, %v", found, err)
	}

	write(t, "file", "")
	for path, found := range map[string]string{"file": "", filepath.Join("a", "b"): "checkpoints"} {
		var occupied *Occupied
		if err := CheckFree(path); !errors.As(err, &occupied) || occupied.Path != path || occupied.Found != found {
			t.Errorf("%s: found %v", path, err)
		}
	}
	if _, err := Create(filepath.Join("a", "b")); err == nil {
		t.Error("a run replaced another")
	}

	c, err := Create("given-up")
	must(t, err)
	must(t, c.Dir.WriteConfig(func(w io.Writer) error { _, err := io.WriteString(w, "seed: 1\n"); return err }))
	c.Discard()
	must(t, c.Close())
	must(t, CheckFree("given-up"))
}

// begun makes a run that was last trained this many seconds ago.
func begun(t *testing.T, dir Dir, seconds int, events string) {
	t.Helper()
	write(t, dir.Config(), "seed: 1\n")
	write(t, dir.Last(), "")
	write(t, dir.Metrics(), events)
	at := time.Now().Add(-time.Duration(seconds) * time.Second)
	must(t, os.Chtimes(dir.Config(), at, at))
}

const (
	startLine = `{"event":"start","epochs":2,"lower_lr":0.1}` + "\n"
	doneLine  = `{"event":"done","epochs":2}` + "\n"
)

// The runs of a directory are listed by age, and the newest unfinished run is found.
func TestList(t *testing.T) {
	parent := t.TempDir()
	dir := func(name string) Dir { return Dir(filepath.Join(parent, name)) }
	if _, err := NewestUnfinished(parent); !errors.Is(err, ErrNone) {
		t.Errorf("without a run: %v", err)
	}
	if _, err := Newest(filepath.Join(parent, "missing")); !errors.Is(err, ErrNone) {
		t.Errorf("without a directory: %v", err)
	}
	begun(t, dir("old"), 50, startLine+`{"event":"diverged","epoch":1,"iteration":2,"where":"upper.dense"}`+"\n")
	begun(t, dir("stopped"), 40, startLine+doneLine+`{"event":"resume","epoch":2,"iteration":0,"changed":{"epochs":9}}`+"\n")
	begun(t, dir("training"), 30, startLine)
	begun(t, dir("finished"), 20, startLine+doneLine)
	begun(t, dir("empty"), 10, startLine)
	must(t, os.Remove(dir("empty").Last()))
	write(t, filepath.Join(parent, "no-run", "file"), "")
	held, err := lock.Acquire(string(dir("training")))
	must(t, err)
	defer held.Close()

	runs, err := List(parent)
	must(t, err)
	var got []string
	for _, r := range runs {
		got = append(got, filepath.Base(string(r.Dir))+" "+string(r.Dir.Status()))
	}
	want := []string{"empty damaged", "finished finished", "training running", "stopped interrupted", "old diverged"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if newest, err := Newest(parent); err != nil || newest != dir("empty") {
		t.Errorf("the newest is %s, %v", newest, err)
	}
	if newest, err := NewestUnfinished(parent); err != nil || newest != dir("stopped") {
		t.Errorf("the newest unfinished is %s, %v", newest, err)
	}
}

// A user may name a file, a run, or a directory of runs.
func TestCheckpoint(t *testing.T) {
	parent := t.TempDir()
	dir := Dir(filepath.Join(parent, "a"))
	begun(t, dir, 0, startLine)
	if got, err := Checkpoint(string(dir)); err != nil || got != dir.Last() {
		t.Errorf("found %s, %v", got, err)
	}
	write(t, dir.Best(), "")
	for path, want := range map[string]string{string(dir): dir.Best(), dir.Last(): dir.Last()} {
		if got, err := Checkpoint(path); err != nil || got != want {
			t.Errorf("%s: found %s, %v", path, got, err)
		}
	}
	var parental *Parental
	if _, err := Checkpoint(parent); !errors.As(err, &parental) || len(parental.Runs) != 1 || parental.Runs[0].Dir != dir {
		t.Errorf("a directory of runs: %v", err)
	}
	if _, err := Checkpoint(t.TempDir()); err == nil || errors.As(err, &parental) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := Checkpoint(filepath.Join(parent, "b")); !errors.Is(err, ErrNotFound) {
		t.Errorf("nothing: %v", err)
	}
	if of, ok := Of(dir.Best()); !ok || of != dir {
		t.Errorf("%s belongs to %s, %v", dir.Best(), of, ok)
	}
	if _, ok := Of(filepath.Join(parent, "best.safetensors")); ok {
		t.Error("a file without a run has one")
	}
}

// A summary follows the events, and has the settings that a resume changed.
func TestSummary(t *testing.T) {
	dir := Dir(t.TempDir())
	empty, err := dir.Summary()
	if err != nil || empty.Settings != nil || empty.Done || empty.Epochs != 0 {
		t.Errorf("without metrics: %+v, %v", empty, err)
	}
	write(t, dir.Metrics(), startLine+`{"event":"epoch","epoch":1,"val_loss":0.5,"val_accuracy":0.8,"seconds":2,"best_epoch":1}
{"event":"resume","epoch":1,"iteration":0,"changed":{"epochs":3}}
no JSON
{"event":"epoch","epoch":2,"val_loss":null,"val_accuracy":0.7,"seconds":3,"best_epoch":1}
`+doneLine+`{"event":"cut off`)
	s, err := dir.Summary()
	must(t, err)
	if diff := cmp.Diff(map[string]any{"epochs": 3.0, "lower_lr": 0.1}, s.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if s.Epochs != 2 || s.Seconds != 5 || !s.Done || s.Best.Epoch != 1 || *s.Best.ValAccuracy != 0.8 || s.Last.Epoch != 2 || s.Last.ValLoss != nil {
		t.Errorf("found %+v", s)
	}
	if got := dir.Spent(Progress{Epoch: 1}); got != 2*time.Second {
		t.Errorf("%v were spent on the first epoch", got)
	}
}

// When a run resumes, its metrics lose the lines beyond its progress. New lines come after the others.
func TestMetrics(t *testing.T) {
	dir := Dir(t.TempDir())
	warn := func(err error) { t.Errorf("warning: %v", err) }
	write := func(from *Progress, lines ...string) (begun bool) {
		m := dir.OpenMetrics(warn, from)
		for _, line := range lines {
			_, err := io.WriteString(m, line)
			must(t, err)
		}
		must(t, errors.Join(m.Flush(), m.Sync(), m.Close()))
		return m.Begun
	}
	const first, second = `{"event":"epoch","epoch":1}` + "\n", `{"event":"epoch","epoch":2}` + "\n"
	if write(nil, startLine, first, second, doneLine) {
		t.Error("a new run has lines of earlier sessions")
	}
	const resume = `{"event":"resume","epoch":1,"iteration":0}` + "\n"
	if !write(&Progress{Epoch: 1}, resume, second) {
		t.Error("a resumed run has no lines")
	}
	content, err := os.ReadFile(dir.Metrics())
	must(t, err)
	if diff := cmp.Diff(startLine+first+resume+second, string(content)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}

	var warned []string
	m := Dir(dir.Metrics()).OpenMetrics(func(err error) { warned = append(warned, err.Error()) }, nil) // a file is no directory
	_, err = io.WriteString(m, startLine)
	must(t, errors.Join(err, m.Flush(), m.Sync(), m.Close()))
	if len(warned) != 1 || !strings.Contains(warned[0], "not a directory") {
		t.Errorf("warnings: %q", warned)
	}
}

// A resume event beyond the progress is dropped; an earlier one stays.
func TestDropResumes(t *testing.T) {
	const line = `{"event":"resume","epoch":1,"iteration":20}` + "\n"
	for p, want := range map[[2]int]bool{{0, 30}: false, {1, 0}: false, {1, 19}: false, {1, 20}: true, {2, 0}: true} {
		if got := stays([]byte(line), Progress{Epoch: p[0], Iteration: p[1]}); got != want {
			t.Errorf("from epoch %d, iteration %d: it stays: %v", p[0], p[1], got)
		}
	}
}

// An evaluation is read back, and the next one replaces it.
func TestEvaluation(t *testing.T) {
	dir := Dir(t.TempDir())
	var got struct{ Loss float64 }
	if err := dir.ReadEvaluation("test", &got); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without one: %v", err)
	}
	for _, loss := range []float64{0.5, 0.25} {
		must(t, dir.WriteEvaluation("test", map[string]any{"loss": loss}))
		must(t, dir.ReadEvaluation("test", &got))
		if got.Loss != loss {
			t.Errorf("found %v, expected %v", got.Loss, loss)
		}
	}
	write(t, dir.EvaluationPath("train"), "{")
	if err := dir.ReadEvaluation("train", &got); err == nil || !strings.Contains(err.Error(), "eval-train.json") {
		t.Errorf("no JSON: %v", err)
	}
}

// The only unfinished run is named if another process trains it.
func TestNewestUnfinishedIsBusy(t *testing.T) {
	parent := t.TempDir()
	dir := Dir(filepath.Join(parent, "busy"))
	begun(t, dir, 10, startLine)
	held, err := lock.Acquire(string(dir))
	must(t, err)
	defer held.Close()
	if _, err := NewestUnfinished(parent); !errors.Is(err, ErrNone) || !strings.Contains(err.Error(), "another process trains "+string(dir)) {
		t.Errorf("found %v", err)
	}
}
