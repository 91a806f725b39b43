package lock

import (
	"errors"
	"os"
	"path/filepath"
)

// Held says whether another process has the lock of a directory. It changes nothing there. If the lock is free, it is taken and
// released at once, which [Acquire] allows for.
func Held(dir string) bool {
	f, err := os.Open(filepath.Join(dir, Name))
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(tryLock(f), ErrHeld)
}
