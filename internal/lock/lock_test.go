package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A directory has one lock at a time, and may be locked again after it.
func TestAcquire(t *testing.T) {
	dir := t.TempDir()
	for range 2 {
		held, err := Acquire(dir)
		if err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprintf("%s: in use by another process, number %d; wait for it or end it", dir, os.Getpid())
		if _, err := Acquire(dir); !errors.Is(err, ErrHeld) || err.Error() != want {
			t.Errorf("expected %q, found %v", want, err)
		}
		if err := held.Close(); err != nil {
			t.Fatal(err)
		}
	}
	missing := filepath.Join(dir, "missing")
	if _, err := Acquire(missing); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Errorf("of a directory that is missing: %v", err)
	}
}
