package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"fmtrain/internal/run"
)

// checkOut refuses a directory for a new run unless it is empty or missing.
func checkOut(dir string) error {
	if dir == "" {
		return nil
	}
	return outError(run.CheckFree(dir))
}

// outError is an error about the directory of a new run, as the command line shows it.
func outError(err error) error {
	var occupied *run.Occupied
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &occupied):
		return fmt.Errorf("%w; --out names another place", err)
	case occupied.Found != "" && run.Dir(occupied.Path).IsRun():
		return &advised{usageError{fmt.Errorf("--out %w", err)}, "Resume that run with", "train --resume " + quoted(occupied.Path)}
	}
	return usageError{fmt.Errorf("--out %w", err)}
}

// checkpointOf is the checkpoint of a run directory, or the path of a checkpoint itself. Without a target it is the newest run's.
func checkpointOf(target string) (string, error) {
	if target == "" {
		newest, err := run.Newest(run.Parent)
		if errors.Is(err, run.ErrNone) {
			return "", &advised{usageError{fmt.Errorf("%w: name a run directory or a checkpoint, or train first", err)}, "Train with", "train"}
		}
		if err != nil {
			return "", err
		}
		target = string(newest)
	}
	return run.Checkpoint(target)
}

// openRun is the run directory that a path names. The error says what the path is instead.
func openRun(path string) (run.Dir, error) {
	if err := notEmpty("RUN", path); err != nil {
		return "", err
	}
	info, err := os.Stat(path)
	switch dir := run.Dir(filepath.Clean(path)); {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s: expected a run directory, %w%s", path, run.ErrNotFound, run.Hint(path))
	case err != nil:
		return "", err
	case !info.IsDir():
		return "", usageError{fmt.Errorf("%s: expected a run directory, found a file", path)}
	case !dir.IsRun():
		if err := dir.CheckParental(); err != nil {
			return "", err
		}
		return "", usageError{fmt.Errorf("%s: expected a run directory with %s, found none", path, run.Dir("").Config())}
	default:
		return dir, nil
	}
}

// completeRuns completes up to n arguments, or a flag's value, with the runs in runs/, the newest first. If none fits, the shell completes
// files.
func completeRuns(n int) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, _ string) (words []string, _ cobra.ShellCompDirective) {
		if len(args) >= n {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		runs, _ := run.List(run.Parent) // without them there is nothing to complete
		for _, r := range runs {
			if !slices.Contains(args, string(r.Dir)) {
				words = append(words, string(r.Dir))
			}
		}
		return words, cobra.ShellCompDirectiveKeepOrder
	}
}

// resumable is the directory of a run that may have something to resume from, or that of the newest unfinished run.
func resumable(path string) (run.Dir, error) {
	if path == newest {
		dir, err := run.NewestUnfinished(run.Parent)
		if errors.Is(err, run.ErrNone) {
			err = usageError{fmt.Errorf("--resume: %w; name one with --resume RUN", err)}
		}
		return dir, err
	}
	path = filepath.Clean(path)
	switch info, err := os.Stat(path); {
	case errors.Is(err, fs.ErrNotExist):
		return "", usageError{fmt.Errorf("--resume %s: expected a run directory, found nothing of this name%s", path, run.Hint(path))}
	case err != nil:
		return "", fmt.Errorf("--resume: %w", err)
	case !info.IsDir():
		return "", usageError{fmt.Errorf("--resume %s: expected a run directory, found a file", path)}
	}
	return run.Dir(path), nil
}

// noCheckpoint is the error for a directory without a checkpoint to resume from. It says what can be done instead.
func noCheckpoint(d run.Dir) error {
	var parental *run.Parental
	if errors.As(d.CheckParental(), &parental) {
		err := usageError{fmt.Errorf("--resume %s: expected a run directory, found a directory of %s", d, count(len(parental.Runs), "run"))}
		if newest, none := run.NewestUnfinished(string(d)); none == nil {
			return &advised{err, "Resume the newest unfinished run with", "train --resume " + quoted(string(newest))}
		}
		return usageError{fmt.Errorf("%w, and none is unfinished", err.error)}
	}
	err := usageError{fmt.Errorf("--resume %s: expected a run directory with %s, found none, so there is nothing to resume", d, d.Last())}
	if _, none := os.Stat(d.Best()); none == nil {
		return &advised{err, "Start a new run from its best weights with", "train --init " + quoted(d.Best())}
	}
	return &advised{err, "Start a new run with", "train"}
}
