package atomicfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func content(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// names lists the entries of dir.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{}
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s holds %.40q, want %.40q", filepath.Base(path), got, want)
	}
}

func TestWriteMakesThenReplaces(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	for _, want := range []string{"", "first, the longer one", "second", strings.Repeat("x", 3*bufferSize+1)} {
		if err := Write(path, 0o600, content(want)); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, want)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("mode is %v, want -rw-------", info.Mode())
	}
	if diff := cmp.Diff([]string{"file"}, names(t, dir)); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}

func TestWriteHereWithoutADirectoryInThePath(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := Write("file", 0o644, content("x")); err != nil {
		t.Fatal(err)
	}
	wantFile(t, "file", "x")
}

func TestNothingIsVisibleBeforeTheEnd(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := Write(path, 0o644, content("old")); err != nil {
		t.Fatal(err)
	}
	err := Write(path, 0o644, func(w io.Writer) error {
		if err := content(strings.Repeat("new", bufferSize))(w); err != nil {
			return err
		}
		wantFile(t, path, "old")
		if list := names(t, dir); len(list) != 2 {
			t.Errorf("while writing, the directory holds %q: want the file and a temporary one", list)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, strings.Repeat("new", bufferSize))
}

func TestFailedWriteLeavesTheOldFileAlone(t *testing.T) {
	cause := errors.New("no space left on device")
	for _, before := range []int{0, 1, bufferSize, 3 * bufferSize} {
		dir := t.TempDir()
		path := filepath.Join(dir, "file")
		if err := Write(path, 0o644, content("old")); err != nil {
			t.Fatal(err)
		}
		err := Write(path, 0o644, func(w io.Writer) error {
			return errors.Join(content(strings.Repeat("n", before))(w), cause)
		})
		if !errors.Is(err, cause) || !strings.Contains(err.Error(), path) {
			t.Errorf("after %d bytes: error %v, want one that names %s and wraps the cause", before, err, path)
		}
		wantFile(t, path, "old")
		if diff := cmp.Diff([]string{"file"}, names(t, dir)); diff != "" {
			t.Errorf("after %d bytes: directory (-want +got):\n%s", before, diff)
		}
	}
}

func TestPanickingWriterLeavesNoTemporaryFile(t *testing.T) {
	dir := t.TempDir()
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the panic was swallowed")
			}
		}()
		_ = Write(filepath.Join(dir, "file"), 0o644, func(io.Writer) error { panic("writer") })
	}()
	if list := names(t, dir); len(list) != 0 {
		t.Errorf("directory holds %q, want nothing", list)
	}
}

func TestPathsThatCantBeWritten(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := Write(file, 0o644, content("old")); err != nil {
		t.Fatal(err)
	}
	full := filepath.Join(dir, "full")
	if err := os.MkdirAll(filepath.Join(full, "inner"), 0o755); err != nil {
		t.Fatal(err)
	}
	before := names(t, dir)

	for _, c := range []struct {
		name, path string
		is         error
	}{
		{"missing parent", filepath.Join(dir, "missing", "file"), fs.ErrNotExist},
		{"parent is a file", filepath.Join(file, "inner"), nil},
		{"path is a directory, so the rename fails", full, nil},
		{"empty path", "", nil},
		{"NUL in the path", filepath.Join(dir, "a\x00b"), nil},
		{"name too long", filepath.Join(dir, strings.Repeat("n", 300)), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.path == "" {
				t.Chdir(t.TempDir())
			}
			err := Write(c.path, 0o644, content("new"))
			if err == nil {
				t.Fatal("no error")
			}
			if !strings.Contains(err.Error(), c.path) {
				t.Errorf("error %q does not name %s", err, c.path)
			}
			if c.is != nil && !errors.Is(err, c.is) {
				t.Errorf("error %v is not %v", err, c.is)
			}
		})
	}
	wantFile(t, file, "old")
	if diff := cmp.Diff(before, names(t, dir)); diff != "" {
		t.Errorf("directory (-before +after):\n%s", diff)
	}
}

func TestDirectoryRemovedWhileWriting(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "file")
	err := Write(path, 0o644, func(w io.Writer) error {
		return errors.Join(content("new")(w), os.RemoveAll(dir))
	})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want fs.ErrNotExist naming %s", err, path)
	}
}

func TestReadersSeeWholeFilesDuringOverlappingWrites(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	whole := func(i int) string { return strings.Repeat(fmt.Sprint(i), 2*bufferSize+i) }
	if err := Write(path, 0o644, content(whole(0))); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for i := range 3 {
		writers.Go(func() {
			for range 15 {
				if err := Write(path, 0o644, content(whole(i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { writers.Wait(); close(finished) }()
	for running := true; running; {
		select {
		case <-finished:
			running = false
		default:
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if i := int(got[0] - '0'); string(got) != whole(i) {
			t.Fatalf("read %d bytes that are no whole file", len(got))
		}
	}
	if diff := cmp.Diff([]string{"file"}, names(t, filepath.Dir(path))); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}

// A link replaces an existing file. It keeps its content when the other name is written again.
func TestLink(t *testing.T) {
	for name, link := range map[string]func(from, to string) error{"link": Link, "copy": copyFile} {
		dir := t.TempDir()
		from, to := filepath.Join(dir, "from"), filepath.Join(dir, "to")
		if err := link(from, to); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: of a file that is missing: %v", name, err)
		}
		for _, want := range []string{"first", "second"} {
			if err := Write(from, 0o644, content(want)); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time they are one file already
				if err := link(from, to); err != nil {
					t.Fatal(err)
				}
				wantFile(t, to, want)
			}
		}
		if err := Write(from, 0o644, content("third")); err != nil {
			t.Fatal(err)
		}
		wantFile(t, to, "second")
		if diff := cmp.Diff([]string{"from", "to"}, names(t, dir)); diff != "" {
			t.Errorf("%s: directory (-want +got):\n%s", name, diff)
		}
		if err := os.MkdirAll(filepath.Join(dir, "full", "inner"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := link(from, filepath.Join(dir, "full")); err == nil || !strings.Contains(err.Error(), "full") {
			t.Errorf("%s: in the place of a directory: %v", name, err)
		}
		if diff := cmp.Diff([]string{"from", "full", "to"}, names(t, dir)); diff != "" {
			t.Errorf("%s: directory after a rename that failed (-want +got):\n%s", name, diff)
		}
	}
}

// Clean removes temporary files and nothing else.
func TestClean(t *testing.T) {
	dir := t.TempDir()
	keep := []string{"file", "file.0123.tmp", "file.0123456789abcdeX.tmp", "file.tmp"}
	for _, name := range append(keep, filepath.Base(temporaryName("file")), "0.0123456789abcdef.tmp") {
		if err := Write(filepath.Join(dir, name), 0o644, content("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := Clean(dir); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(keep, names(t, dir)); diff != "" {
		t.Errorf("directory (-want +got):\n%s", diff)
	}
}
