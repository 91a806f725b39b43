package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/pflag"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/config"
	"fmtrain/internal/lock"
	"fmtrain/internal/loop"
)

// savedRun is the checkpoint from which a run is taken up.
type savedRun struct {
	*loop.Saved
	override bool // settings may be others than they were
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
	saved, warning, err := loop.LoadRun(run)
	if errors.Is(err, fs.ErrNotExist) {
		return noCheckpoint(run)
	}
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	if warning != "" {
		fmt.Fprintf(s.err, "fmtrain: warning: %s\n", warning)
	}
	c, err := config.Resume(loop.LastPath(run), saved.Settings, file, flags, override)
	if err != nil {
		return err
	}
	c.Out = run
	return runTrain(ctx, s, c, &savedRun{saved, override})
}

// noCheckpoint is the error for a directory that is no run, or one that has ended in the moment before its first checkpoint.
func noCheckpoint(run string) error {
	return usageError{fmt.Errorf("--resume %s: expected a run directory with %s, found none: there is nothing to go on from; "+
		"if it is a run, remove it and begin it again", run, loop.LastPath(run))}
}

// withResume adds to an error that ended a run after it was saved how to go on with it.
func withResume(err error, run string) error {
	var interrupted *loop.Interrupted
	var unsaved *loop.Unsaved
	switch {
	case errors.As(err, &interrupted):
		return fmt.Errorf("%w; go on with: fmtrain train --resume %s", err, quoted(run))
	case errors.As(err, &unsaved) && unsaved.Checkpoint != "":
		return fmt.Errorf("%w; put it right and go on with: fmtrain train --resume %s", err, quoted(run))
	}
	return err
}
