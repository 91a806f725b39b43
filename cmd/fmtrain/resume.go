package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"

	"github.com/spf13/pflag"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/config"
	"fmtrain/internal/lock"
	"fmtrain/internal/loop"
)

// savedRun is the checkpoint from which a run is taken up.
type savedRun struct {
	*loop.Saved
	override bool // settings and data may be others than they were
	lock     *lock.Lock
}

// resumeTrain takes up a run: with the settings that it was saved with, over them those of a config file and the flags.
func resumeTrain(ctx context.Context, s streams, run, file string, flags *pflag.FlagSet, override bool) error {
	run = filepath.Clean(run)
	switch info, err := os.Stat(run); {
	case errors.Is(err, fs.ErrNotExist):
		return usageError{fmt.Errorf("--resume %s: expected a run directory, found none of this name", run)}
	case err != nil:
		return fmt.Errorf("--resume: %w", err)
	case !info.IsDir():
		return usageError{fmt.Errorf("--resume %s: expected a run directory, found a file", run)}
	}
	checkpoints := filepath.Dir(loop.LastPath(run))
	if _, err := os.Stat(checkpoints); errors.Is(err, fs.ErrNotExist) {
		return noCheckpoint(run)
	}
	held, err := lock.Acquire(run)
	if err != nil {
		return err
	}
	defer held.Close()
	for _, dir := range []string{run, checkpoints} {
		if err := atomicfile.Clean(dir); err != nil {
			return fmt.Errorf("--resume %s: what a crash has left can't be removed: %w", run, err)
		}
	}
	saved, warnings, err := loop.LoadRun(run)
	if errors.Is(err, loop.ErrNoCheckpoint) {
		return noCheckpoint(run)
	}
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	for _, warning := range warnings {
		fmt.Fprintf(s.err, "fmtrain: warning: %s\n", warning)
	}
	warnOfEdits(s.err, run, saved)
	c, err := config.Resume(loop.LastPath(run), saved.Settings, file, flags, override)
	if err != nil {
		return err
	}
	begun := saved.Progress.Epoch
	if saved.Progress.Iteration > 0 {
		begun++
	}
	if c.Epochs < begun {
		return usageError{fmt.Errorf("--epochs: expected %d or more, as many as the run has begun, found %d", begun, c.Epochs)}
	}
	c.Out = run
	return runTrain(ctx, s, c, &savedRun{saved, override, held})
}

// warnOfEdits warns if a run's config.yaml has other settings than its checkpoint, whose settings count.
func warnOfEdits(w io.Writer, run string, saved *loop.Saved) {
	path := filepath.Join(run, loop.ConfigName)
	was, err := config.Resume(loop.LastPath(run), saved.Settings, "", nil, false)
	if info, statErr := os.Stat(path); err != nil || statErr != nil || !info.Mode().IsRegular() {
		return
	}
	if found, err := config.Resolve(path, nil); err != nil || !reflect.DeepEqual(found, was) {
		fmt.Fprintf(w, "fmtrain: warning: %s is not what the run was last saved with, and does not count: its checkpoint has the settings, and flags change them\n", path)
	}
}

// noCheckpoint is the error for a directory that is no run, or one that has ended in the moment before its first checkpoint.
func noCheckpoint(run string) error {
	hint := "if it is a run, remove it and begin it again"
	best := loop.BestPath(run)
	if _, err := os.Stat(best); err == nil {
		hint = "--init " + quoted(best) + " begins a new run from its best weights"
	}
	return usageError{fmt.Errorf("--resume %s: expected a run directory with %s, found none: there is nothing to go on from; %s",
		run, loop.LastPath(run), hint)}
}

// withResume adds the command that resumes the run to an error that ended it after it was saved.
func withResume(err error, run string) error {
	var interrupted *loop.Interrupted
	var unsaved *loop.Unsaved
	switch {
	case errors.As(err, &interrupted):
		return &advised{err, "Resume with", "train --resume " + quoted(run)}
	case errors.As(err, &unsaved) && unsaved.Checkpoint != "":
		return &advised{err, "Once that is mended, resume with", "train --resume " + quoted(run)}
	}
	return err
}
