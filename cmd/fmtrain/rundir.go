package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fmtrain/internal/run"
	"fmtrain/internal/table"
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

// printRuns lists the runs of a directory, the newest first.
func printRuns(w io.Writer, runs []run.Info) error {
	columns := []table.Column{
		{Heading: "run", Left: true, Keep: 6},
		{Heading: "last trained", Left: true, Keep: 1},
		{Heading: "state", Left: true, Keep: 5},
		{Heading: "epochs", Keep: 3},
		{Heading: "best accuracy", Keep: 4},
	}
	var rows [][]string
	for _, r := range runs {
		row := []string{quoted(string(r.Dir)), r.Last.Format("2006-01-02 15:04"), "", "", ""}
		if phase, err := r.Dir.Phase(); err == nil {
			row[2] = string(phase)
		}
		if s, err := r.Dir.Summary(); err == nil {
			row[3] = fmt.Sprint(s.Epochs)
			if s.Best != nil && s.Best.ValAccuracy != nil {
				row[4] = fmt.Sprintf("%.4f", *s.Best.ValAccuracy)
			}
		}
		rows = append(rows, row)
	}
	return writeTable(w, columns, rows)
}

// resumable is the directory of a run that may have something to resume from, or that of the newest unfinished run.
func resumable(path string) (run.Dir, error) {
	if path == newest {
		dir, err := run.NewestUnfinished(run.Parent)
		if errors.Is(err, run.ErrNone) {
			err = usageError{fmt.Errorf("--resume: no unfinished run in %s; name one with --resume RUN", run.Parent)}
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
