// Package lock keeps a second process out of a directory. The system holds the lock for the process and lets go of it when that
// ends, however it ends: a dead process locks nobody out.
//
// The lock is flock(2) on Linux, macOS and the BSDs, and LockFileEx on Windows. On other systems, and on file systems without
// locks, there is none, and it is up to the user to start a run once.
package lock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Name is the file in the directory that is locked. It stays when the lock is gone, and holds the number of the process that had
// it last.
const Name = "lock"

// ErrHeld is that another process has the lock.
var ErrHeld = errors.New("in use by another process")

// ErrLost is that another directory has taken the place of the one that was locked.
var ErrLost = errors.New("another directory has taken its place")

// Lock is a directory's lock, held until Close.
type Lock struct{ file *os.File }

// Acquire takes the lock of a directory, which must exist. If another process has it the error is an [ErrHeld] that names that.
func Acquire(dir string) (*Lock, error) {
	path := filepath.Join(dir, Name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the run directory: %w", err)
	}
	err = tryLock(f)
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		if !errors.Is(err, ErrHeld) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, fmt.Errorf("%s: %w%s; wait for it or end it", dir, ErrHeld, holder(path))
	}
	// The number is for people, so that it can't be written is no reason to stop.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	}
	return &Lock{f}, nil
}

// holder is which process has the lock, if its file tells.
func holder(path string) string {
	content, err := os.ReadFile(path)
	pid, parseErr := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || parseErr != nil {
		return ""
	}
	return fmt.Sprintf(", number %d", pid)
}

// Check is an [ErrLost] if under the path that was locked there is now another lock, of another directory. That the lock's file was
// removed is no error.
func (l *Lock) Check() error {
	held, err := l.file.Stat()
	if err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	found, err := os.Stat(l.file.Name())
	if err == nil && !os.SameFile(held, found) {
		return fmt.Errorf("%s: %w", filepath.Dir(l.file.Name()), ErrLost)
	}
	return nil
}

// Close lets go of the lock.
func (l *Lock) Close() error { return l.file.Close() }
