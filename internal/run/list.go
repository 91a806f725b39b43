package run

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"fmtrain/internal/lock"
)

// Status says what a run does, or how it ended.
type Status string

// The statuses of a run.
const (
	Running     Status = "running"     // another process holds its lock
	Finished    Status = "finished"    // with its last epoch, or by early stopping
	Interrupted Status = "interrupted" // it was stopped before its end, and can be resumed
	Diverged    Status = "diverged"    // its loss became NaN or infinite
	Imported    Status = "imported"    // its weights come from another program, so it can't be resumed
	Damaged     Status = "damaged"     // it has no checkpoint that can be read
)

// Info is a run in a list.
type Info struct {
	Dir  Dir
	Last time.Time // when it started, or last resumed
}

// List finds the runs in a directory, the newest first. A directory that is not there has none.
func List(parent string) ([]Info, error) {
	entries, err := os.ReadDir(parent)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var runs []Info
	for _, e := range entries {
		d := Dir(filepath.Join(parent, e.Name()))
		for _, path := range []string{d.Config(), d.Last(), d.Best()} {
			if info, err := os.Stat(path); err == nil {
				runs = append(runs, Info{d, info.ModTime()})
				break
			}
		}
	}
	slices.SortStableFunc(runs, func(a, b Info) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(b.Dir, a.Dir))
	})
	return runs, nil
}

// Status reads what the run does, or how it ended. It does not look into the checkpoints.
func (d Dir) Status() Status {
	status, _ := d.status()
	return status
}

// status also returns the last event.
func (d Dir) status() (Status, Event) {
	held := lock.Held(string(d)) // asked first: the run may end now
	last := d.lastEvent()
	switch {
	case held:
		return Running, last
	case last.Event == "" && exists(d.Best()) && !exists(d.Last()) && !exists(d.Previous()):
		return Imported, last
	case !exists(d.Last()) && !exists(d.Previous()):
		return Damaged, last
	}
	return last.status(), last
}

// status is the status of a run that no process trains and whose last event this is.
func (e Event) status() Status {
	switch e.Event {
	case "done":
		return Finished
	case "diverged":
		return Diverged
	}
	return Interrupted
}

// ErrNone means that a directory has no run to choose from.
var ErrNone = errors.New("no run")

// noRun is an [ErrNone] that says where there is none.
type noRun string

func (n noRun) Error() string { return string(n) }

// Is makes it an [ErrNone].
func (noRun) Is(target error) bool { return target == ErrNone }

// Newest is the run in a directory that was begun or resumed last. If there is none, the error is an [ErrNone].
func Newest(parent string) (Dir, error) {
	runs, err := List(parent)
	if err != nil {
		return "", err
	}
	if len(runs) == 0 {
		return "", noRun(fmt.Sprintf("no run in %s", parent))
	}
	return runs[0].Dir, nil
}

// NewestUnfinished is the newest run in a directory that can be resumed. If there is none, the error is an [ErrNone].
func NewestUnfinished(parent string) (Dir, error) {
	runs, err := List(parent)
	if err != nil {
		return "", err
	}
	busy := ""
	for _, r := range runs {
		switch status := r.Dir.Status(); {
		case status == Interrupted || status == Diverged:
			return r.Dir, nil
		case status == Running && busy == "":
			busy = fmt.Sprintf(" that is free: another process trains %s", r.Dir)
		}
	}
	return "", noRun(fmt.Sprintf("no unfinished run in %s%s", parent, busy))
}

// ErrNotFound means that a named path does not exist.
var ErrNotFound = errors.New("found nothing of this name")

// Parental is the error for a directory that is not a run but has runs in it.
type Parental struct {
	Path string
	Runs []Info // the newest first
}

func (p *Parental) Error() string {
	return fmt.Sprintf("%s: expected a run directory or a checkpoint, found a directory of runs; the newest is %s", p.Path, p.Runs[0].Dir)
}

// Checkpoint is the checkpoint that a path names: the path itself if it is a file; for a run its best checkpoint, or the last if there
// is no best yet. A directory of runs is a [*Parental].
func Checkpoint(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("%s: expected a run directory or a checkpoint, %w%s", path, ErrNotFound, Hint(path))
	}
	if err != nil {
		return "", err
	}
	if !info.IsDir() {
		return path, nil
	}
	d := Dir(path)
	for _, path := range []string{d.Best(), d.Last()} {
		if exists(path) {
			_, err := os.Stat(path)
			return path, err
		}
	}
	if err := d.CheckParental(); err != nil {
		return "", err
	}
	return "", fmt.Errorf("%s: expected a run directory with %s, found none", path, Dir("").Last())
}

// Hint is a suggestion for the error of a path that does not exist; empty unless [Parent] has a run of this name.
func Hint(path string) string {
	if named := filepath.Join(Parent, path); filepath.Base(path) == path && Dir(named).IsRun() {
		return fmt.Sprintf("; did you mean %s?", named)
	}
	return ""
}

// CheckParental is a [*Parental] if the directory is not a run but has runs in it.
func (d Dir) CheckParental() error {
	if runs, err := List(string(d)); !d.IsRun() && err == nil && len(runs) > 0 {
		return &Parental{string(d), runs}
	}
	return nil
}
