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

	"fmtrain/internal/run"
)

// The permissions of the directory no longer allow writing: the run stops, and the last checkpoint is complete. Root may write
// anywhere, so a process of root takes another user's rights.
func TestPermissionDenied(t *testing.T) {
	trainer, err := sabotaged(t, func(dir run.Dir) {
		checkpoints := dir.Checkpoints()
		must(t, os.Chmod(checkpoints, 0o555))
		t.Cleanup(func() { os.Chmod(checkpoints, 0o755) })
		if os.Geteuid() != 0 {
			return
		}
		const nobody = 65534
		must(t, os.Chmod(filepath.Dir(string(dir)), 0o755))
		must(t, syscall.Seteuid(nobody))
		t.Cleanup(func() { must(t, syscall.Seteuid(0)) })
	})
	wantUnsaved(t, trainer, err, fs.ErrPermission)
}

// A file system that has become read-only, and one that is full. Both need the right to mount.
func TestMounted(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(dir run.Dir)
		want  error
	}{
		"read-only": {func(dir run.Dir) { must(t, unix.Mount("", dir.Checkpoints(), "", unix.MS_REMOUNT|unix.MS_RDONLY, "")) }, syscall.EROFS},
		"full": {func(dir run.Dir) {
			must(t, os.Remove(dir.Previous())) // the next save would free its space
			f, err := os.Create(filepath.Join(dir.Checkpoints(), "filling"))
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
			dir := trainer.Checkpoints.Dir.Checkpoints()
			must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"))
			t.Cleanup(func() { unix.Unmount(dir, 0) })
			seen.onIteration = func(it *Iteration) error {
				if it.Epoch == 2 && it.Iteration == 2 {
					must(t, trainer.waitForSave())
					test.spoil(trainer.Checkpoints.Dir)
				}
				return nil
			}
			_, err := trainer.Run(t.Context())
			wantUnsaved(t, trainer, err, test.want)
		})
	}
}

// wantUnsaved fails the test unless the run stopped for this reason and its last checkpoint is complete.
func wantUnsaved(t *testing.T, trainer *Trainer, err, reason error) {
	t.Helper()
	var unsaved *Unsaved
	if !errors.As(err, &unsaved) || !errors.Is(err, reason) {
		t.Fatalf("expected an Unsaved because of %v, found %v", reason, err)
	}
	if want := "the checkpoint of epoch 2, iteration 1 is whole in " + trainer.Checkpoints.Dir.Last(); !strings.HasSuffix(err.Error(), want) {
		t.Errorf("expected %q at the end of %v", want, err)
	}
	saved, err := run.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	if got := saved.Progress.String(); got != "epoch 2, iteration 1" {
		t.Errorf("the last checkpoint has %s", got)
	}
}
