package run

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/lock"
)

// Occupied is the error for a path where no new run can begin.
type Occupied struct {
	Path  string
	Found string // a name in the directory; empty if the path is a file
}

func (o *Occupied) Error() string {
	if o.Found == "" {
		return fmt.Sprintf("%s: expected a new or an empty directory, found a file", o.Path)
	}
	return fmt.Sprintf("%s: expected a new or an empty directory, found %s in it", o.Path, o.Found)
}

// CheckFree is an [*Occupied] if the path is a file or a directory that is not empty: a run there would lose its checkpoints.
func CheckFree(path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return &Occupied{Path: path}
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != lock.Name {
			return &Occupied{path, e.Name()}
		}
	}
	return nil
}

// Create makes a run directory and locks it. An empty path makes a new one below [Parent], named after the time.
func Create(path string) (*Checkpoints, error) {
	if path == "" {
		var err error
		if path, err = makeNumbered(filepath.Join(Parent, time.Now().Format("2006-01-02T15-04-05"))); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, fmt.Errorf("run directory: %w", err)
	}
	held, err := lock.Acquire(path)
	if err != nil {
		return nil, err
	}
	// Another process may have begun a run here since the caller's CheckFree.
	if err = CheckFree(path); err == nil {
		err = os.Mkdir(Dir(path).Checkpoints(), 0o755)
	}
	if err != nil {
		held.Close()
		return nil, err
	}
	return &Checkpoints{Dir: Dir(path), lock: held}, nil
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

// Discard undoes a [Create] before anything was saved, so that the same directory can be used again.
func (c *Checkpoints) Discard() {
	_ = os.Remove(c.Dir.Config())
	_ = os.Remove(c.Dir.Checkpoints()) // only if it is empty
}

// Open locks the directory of a run that has begun, and removes the temporary files that a crash has left. A directory without
// checkpoints is an [ErrNoCheckpoint], and is left as it is.
func (d Dir) Open() (*Checkpoints, error) {
	if !exists(d.Checkpoints()) {
		return nil, noCheckpoint(d)
	}
	held, err := lock.Acquire(string(d))
	if err != nil {
		return nil, err
	}
	for _, dir := range []string{string(d), d.Checkpoints()} {
		if err := atomicfile.Clean(dir); err != nil {
			held.Close()
			return nil, fmt.Errorf("%s: temporary files of a crash can't be removed: %w", d, err)
		}
	}
	return &Checkpoints{Dir: d, lock: held}, nil
}
