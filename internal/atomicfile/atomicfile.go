// Package atomicfile replaces a file as a whole. A reader of the path finds all of the old content or all of the new, at any time
// and after any crash.
//
// The content is written to a temporary file in the same directory and synced to the disk. Then it is renamed to the path, which
// POSIX makes atomic. At last the directory is synced, so that the new name survives a power cut.
package atomicfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

const bufferSize = 64 << 10

// Write replaces or creates the file at path with what write puts into its writer. Its permissions are perm less the umask. The
// writer is buffered and must not be used after write returns.
//
// An error names path. Then the old file is unchanged and nothing is left beside it, with one exception: if the directory can't
// be synced, the new file is already in place, whole, but might not survive a power cut. A symbolic link at path is replaced,
// not followed. Calls for one path may overlap; the last to finish wins.
func Write(path string, perm fs.FileMode, write func(io.Writer) error) error {
	if err := replace(path, perm, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: the file is in place, but its directory can't be synced: %w", path, err)
	}
	return nil
}

// Link replaces the file at to by the file at from, as [Write] does. Until one of them is replaced, both names share one file,
// which costs nothing. On a file system without hard links the file is copied. If from is missing, the error is
// [fs.ErrNotExist] and nothing changes.
func Link(from, to string) error {
	temporary := temporaryName(to)
	if err := os.Link(from, temporary); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return copyFile(from, to)
	}
	// If both are already one file, the rename does nothing and leaves the temporary name.
	defer os.Remove(temporary)
	if err := os.Rename(temporary, to); err != nil {
		return fmt.Errorf("write %s: %w", to, err)
	}
	return nil
}

// copyFile is Link without a link.
func copyFile(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close()
	return Write(to, 0o644, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// Clean removes the temporary files that a crash has left in a directory. No Write or Link may be running there.
func Clean(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if temporary, _ := filepath.Match("*."+strings.Repeat("[0-9a-f]", 16)+".tmp", e.Name()); temporary {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

func replace(path string, perm fs.FileMode, write func(io.Writer) error) error {
	temporary := temporaryName(path)
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, perm)
	var refused *fs.PathError
	if errors.As(err, &refused) { // the temporary name would only distract
		return fmt.Errorf("can't create a file in %s: %w", filepath.Dir(path), refused.Err)
	}
	if err != nil {
		return err
	}
	replaced := false
	defer func() {
		if !replaced {
			f.Close()
			os.Remove(temporary)
		}
	}()

	w := bufio.NewWriterSize(f, bufferSize)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return err
	}
	replaced = true
	return nil
}

// syncDir syncs a directory where that is possible. Windows can't, and some network file systems refuse.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// temporaryName is a name beside path, such as last.safetensors.0123456789abcdef.tmp.
func temporaryName(path string) string {
	return fmt.Sprintf("%s.%016x.tmp", path, rand.Uint64())
}
