package lock

import (
	"os"

	"golang.org/x/sys/windows"
)

// tryLock locks a byte far behind the content, because on Windows other processes can't read locked bytes.
func tryLock(f *os.File) error {
	const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
	err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, &windows.Overlapped{OffsetHigh: 1})
	if err == windows.ERROR_LOCK_VIOLATION {
		return ErrHeld
	}
	return err
}
