package loop

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// A directory that may no longer be written to, by its permissions: the run stops, and the last checkpoint is whole. Root may
// write anywhere, so as root the process takes another user's rights.
func TestPermissionDenied(t *testing.T) {
	trainer, err := sabotaged(t, func(run string) {
		dir := filepath.Dir(LastPath(run))
		must(t, os.Chmod(dir, 0o555))
		t.Cleanup(func() { os.Chmod(dir, 0o755) })
		if os.Geteuid() != 0 {
			return
		}
		const nobody = 65534
		must(t, os.Chmod(filepath.Dir(run), 0o755))
		must(t, syscall.Seteuid(nobody))
		t.Cleanup(func() { must(t, syscall.Seteuid(0)) })
	})
	wantUnsaved(t, trainer, err, fs.ErrPermission)
}

// A file system that has become read-only, and one that is full. Both need the right to mount.
func TestMounted(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(dir string)
		want  error
	}{
		"read-only": {func(dir string) { must(t, unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, "")) }, syscall.EROFS},
		"full": {func(dir string) {
			must(t, os.Remove(filepath.Join(dir, previousName))) // whose place the next save would free
			f, err := os.Create(filepath.Join(dir, "filling"))
			must(t, err)
			for err == nil {
				_, err = f.Write(make([]byte, 4096))
			}
			f.Close()
		}, syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			probe := t.TempDir()
			if err := unix.Mount("tmpfs", probe, "tmpfs", 0, "size=4m"); err != nil {
				t.Skipf("mounting a file system: %v", err)
			}
			must(t, unix.Unmount(probe, 0))
			var seen recorder
			trainer := small().trainer(t, &seen)
			trainer.Every.Iterations = 1
			dir := filepath.Dir(LastPath(trainer.Checkpoints.Run))
			must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"))
			t.Cleanup(func() { unix.Unmount(dir, 0) })
			seen.onIteration = func(it *Iteration) error {
				if it.Epoch == 2 && it.Iteration == 2 {
					must(t, trainer.settle())
					test.spoil(dir)
				}
				return nil
			}
			_, err := trainer.Run(t.Context())
			wantUnsaved(t, trainer, err, test.want)
		})
	}
}

// wantUnsaved fails the test unless the run stopped for this reason, with its last checkpoint whole.
func wantUnsaved(t *testing.T, trainer *Trainer, err, reason error) {
	t.Helper()
	var unsaved *Unsaved
	if !errors.As(err, &unsaved) || !errors.Is(err, reason) {
		t.Fatalf("expected an Unsaved because of %v, found %v", reason, err)
	}
	if want := "the checkpoint of epoch 2, iteration 1 is whole in " + trainer.Checkpoints.Last(); !strings.HasSuffix(err.Error(), want) {
		t.Errorf("expected %q at the end of %v", want, err)
	}
	saved, err := Load(trainer.Checkpoints.Last())
	must(t, err)
	if got := saved.Progress.String(); got != "epoch 2, iteration 1" {
		t.Errorf("the last checkpoint is of %s", got)
	}
}
