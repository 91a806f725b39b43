package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fmtrain/internal/lock"
	"fmtrain/internal/loop"
)

// runsDir is where runs go that are given no directory.
const runsDir = "runs"

// checkOut refuses a run directory that holds anything: a run in it would lose its checkpoints.
func checkOut(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if !info.IsDir() {
		return usageError{fmt.Errorf("--out %s: expected a new or an empty directory, found a file", dir)}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lock.Name {
			return usageError{fmt.Errorf("--out %s: expected a new or an empty directory, found %s in it; --resume %s goes on with a run", dir, e.Name(), quoted(dir))}
		}
	}
	return nil
}

// makeRun makes the run directory, a new one below runs if none is named, and locks it.
func makeRun(dir string) (string, *lock.Lock, error) {
	if dir == "" {
		var err error
		if dir, err = makeNumbered(filepath.Join(runsDir, time.Now().Format("2006-01-02T15-04-05"))); err != nil {
			return "", nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("run directory: %w", err)
	}
	held, err := lock.Acquire(dir)
	if err != nil {
		return "", nil, err
	}
	// Another process may have begun a run here since the first look.
	if err = checkOut(dir); err == nil {
		err = os.Mkdir(filepath.Dir(loop.LastPath(dir)), 0o755)
	}
	if err != nil {
		held.Close()
		return "", nil, err
	}
	return dir, held, nil
}

// makeNumbered makes a directory of that name, or with -2, -3, ... after it if there is one already.
func makeNumbered(name string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	dir := name
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return dir, err
		}
		dir = fmt.Sprintf("%s-%d", name, n)
	}
}

// checkpointOf is the checkpoint that a run directory or a path stands for: of a run the best, or the last if there is no best
// yet; of nothing, that of the newest run.
func checkpointOf(target string) (string, error) {
	if target == "" {
		var err error
		if target, err = newestRun(); err != nil {
			return "", err
		}
	}
	info, err := os.Stat(target)
	if errors.Is(err, fs.ErrNotExist) {
		return "", usageError{fmt.Errorf("%s: expected a run directory or a checkpoint, found none of this name", target)}
	}
	if err != nil {
		return "", fmt.Errorf("expected a run directory or a checkpoint: %w", err)
	}
	if !info.IsDir() {
		return target, nil
	}
	for _, path := range []string{loop.BestPath(target), loop.LastPath(target)} {
		if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
			return path, err
		}
	}
	return "", fmt.Errorf("%s: expected a run directory with %s, found none", target, loop.LastPath(""))
}

// newestRun is the run in runs/ that was started last.
func newestRun() (string, error) {
	runs := newestRuns()
	if len(runs) == 0 {
		return "", usageError{fmt.Errorf("no run in %s: name a run directory or a checkpoint, or train first with %s train", runsDir, program())}
	}
	return runs[0], nil
}

// newestUnfinished is the newest run in runs/ that can be resumed.
func newestUnfinished() (string, error) {
	for _, run := range newestRuns() {
		metrics, err := os.ReadFile(filepath.Join(run, loop.MetricsName))
		_, statErr := os.Stat(loop.LastPath(run))
		if err == nil && statErr == nil && !bytes.Contains(metrics, []byte(`{"event":"done"`)) {
			return run, nil
		}
	}
	return "", usageError{fmt.Errorf("--resume: no unfinished run in %s; name one with --resume RUN", runsDir)}
}

// newestRuns are the runs in runs/, the newest first.
func newestRuns() (runs []string) {
	configs, _ := filepath.Glob(filepath.Join(runsDir, "*", loop.ConfigName)) // the pattern is well-formed
	at := map[string]time.Time{}
	for _, path := range configs {
		if info, err := os.Stat(path); err == nil {
			run := filepath.Dir(path)
			runs, at[run] = append(runs, run), info.ModTime()
		}
	}
	slices.SortStableFunc(runs, func(a, b string) int { return cmp.Or(at[b].Compare(at[a]), strings.Compare(b, a)) })
	return runs
}
