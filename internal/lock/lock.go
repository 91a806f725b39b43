// Package lock keeps a second process out of a directory. The system releases the lock when the process ends, however it ends,
// so a dead process leaves no lock.
//
// The lock is flock(2) on Linux, macOS and the BSDs, and LockFileEx on Windows. Other systems, and file systems without locks,
// have none. There the user must not start a run twice.
package lock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Name is the locked file in the directory. It remains when the lock is released. It holds the number of the last process that
// had the lock.
const Name = "lock"

// ErrHeld means that another process has the lock.
var ErrHeld = errors.New("in use by another process")

// ErrLost means that another directory has taken the place of the locked one.
var ErrLost = errors.New("another directory has taken its place")

// askTime is much longer than [Held] has the lock.
const askTime = 5 * time.Millisecond

// Lock is a directory's lock, held until Close.
type Lock struct{ file *os.File }

// Acquire takes the lock of a directory, which must exist. If another process has it, the error is an [ErrHeld] that names the
// process.
func Acquire(dir string) (*Lock, error) {
	path := filepath.Join(dir, Name)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("lock the run directory: %w", err)
	}
	err = tryLock(f)
	for try := 0; errors.Is(err, ErrHeld) && try < 3; try++ { // [Held] may have asked just now
		time.Sleep(askTime)
		err = tryLock(f)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) {
		f.Close()
		if !errors.Is(err, ErrHeld) {
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return nil, fmt.Errorf("%s: %w%s; wait for it or end it", dir, ErrHeld, holder(path))
	}
	// The number is only for people, so a failure to write it is no reason to stop.
	if f.Truncate(0) == nil {
		_, _ = f.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
	}
	return &Lock{f}, nil
}

// holder names the process that has the lock, if the file has its number.
func holder(path string) string {
	content, err := os.ReadFile(path)
	pid, parseErr := strconv.Atoi(strings.TrimSpace(string(content)))
	if err != nil || parseErr != nil {
		return ""
	}
	return fmt.Sprintf(", number %d", pid)
}

// Check returns [ErrLost] if the locked path now leads to another directory's lock. A removed lock file is no error.
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

// Close releases the lock.
func (l *Lock) Close() error { return l.file.Close() }
