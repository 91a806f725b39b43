// Package atomicfile replaces a file as a whole: whoever reads the path, at any time and after any crash, finds either all
// of the old content or all of the new.
//
// The content goes to a temporary file in the same directory, is synced to the disk, and takes the path by a rename, which
// POSIX makes atomic; then the directory is synced, so that the new name outlives a power cut too.
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

// Write replaces the file at path, or makes it, with what write puts into its writer, under the permissions perm less the
// umask. The writer is buffered and must not be used after write returns.
//
// After an error, which names path, the old file is as it was and nothing is left beside it. One case differs: if the
// directory can't be synced, the new file has taken its place already, whole, but might not outlive a power cut. A symbolic
// link at path is replaced, not followed. Calls for one path may overlap; the last to finish wins.
func Write(path string, perm fs.FileMode, write func(io.Writer) error) error {
	if err := replace(path, perm, write); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("write %s: the file is in place, but its directory can't be synced: %w", path, err)
	}
	return nil
}

// Link makes the file at to the one at from, in place of what is there, as [Write] does. The two are then one file under two
// names, which costs nothing, until one of them is replaced; where the file system has no such links it is copied. From may be
// missing, which is [fs.ErrNotExist] and changes nothing.
func Link(from, to string) error {
	temporary := temporaryName(to)
	if err := os.Link(from, temporary); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return copyFile(from, to)
	}
	// Renaming one of two names of a file to the other does nothing, and leaves both.
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

// Clean removes what a crash has left beside the files of a directory: the temporary files of calls that never ended. No call may
// be under way.
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

// syncDir syncs a directory where that can be done: Windows can't, and some network file systems refuse it as invalid.
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
