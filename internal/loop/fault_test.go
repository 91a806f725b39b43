package loop

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/run"
)

// sabotaged is a run that saves at each iteration. After iteration 2 of epoch 2 a function damages its directory.
func sabotaged(t *testing.T, sabotage func(dir run.Dir)) (*Trainer, error) {
	t.Helper()
	var seen recorder
	trainer := small().trainer(t, &seen)
	trainer.Every.Iterations = 1
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == 2 {
			must(t, trainer.waitForSave())
			sabotage(trainer.Checkpoints.Dir)
		}
		return nil
	}
	_, err := trainer.Run(context.Background())
	return trainer, err
}

// A run whose checkpoint can no longer be written stops and says so. The last checkpoint is complete if the directory still has it.
func TestUnsaved(t *testing.T) {
	for name, test := range map[string]struct {
		sabotage func(dir run.Dir)
		at       string // the checkpoint that is left; empty: none
		want     string
	}{
		"the run directory is removed": {func(dir run.Dir) { must(t, os.RemoveAll(string(dir))) }, "", "last.safetensors"},
		"a file instead of the directory": {func(dir run.Dir) {
			checkpoints := dir.Checkpoints()
			must(t, os.Rename(checkpoints, checkpoints+".moved"))
			must(t, os.WriteFile(checkpoints, nil, 0o644))
		}, "", "not a directory"},
		"a rename that fails, to the previous": {func(dir run.Dir) {
			must(t, os.Remove(dir.Previous()))
			must(t, os.MkdirAll(filepath.Join(dir.Previous(), "inner"), 0o755))
		}, "epoch 2, iteration 1", "previous.safetensors"},
		"a directory instead of the last checkpoint": {func(dir run.Dir) {
			must(t, os.Remove(dir.Last()))
			must(t, os.MkdirAll(filepath.Join(dir.Last(), "inner"), 0o755))
		}, "epoch 1", "is a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			trainer, err := sabotaged(t, test.sabotage)
			var unsaved *Unsaved
			if !errors.As(err, &unsaved) {
				t.Fatalf("expected an Unsaved, found %v", err)
			}
			if got := err.Error(); !strings.HasPrefix(got, "training stops, because epoch 2, iteration 2 can't be saved: ") || !strings.Contains(got, test.want) {
				t.Errorf("expected %q in the error, found %s", test.want, got)
			}
			if claimed := strings.Contains(err.Error(), "is whole in "+trainer.Checkpoints.Dir.Last()); claimed != (test.at == "epoch 2, iteration 1") {
				t.Errorf("it says that the last checkpoint is whole: %s", err)
			}
			dir := trainer.Checkpoints.Dir
			for _, path := range []string{dir.Last(), dir.Previous()} {
				if saved, err := run.Load(path); err == nil {
					if got := saved.Progress.String(); got != test.at {
						t.Errorf("the checkpoint of %s is left, expected that of %q", got, test.at)
					}
					return
				}
			}
			if test.at != "" {
				t.Errorf("no checkpoint is left, expected that of %s", test.at)
			}
		})
	}
}

// damaged is a run directory with two checkpoints, and the bytes of the last.
func damaged(t *testing.T) (dir run.Dir, last []byte, previous run.Progress) {
	t.Helper()
	s := small()
	s.spec.Hidden, s.epochs = []int{4}, 2
	trainer := s.trainer(t)
	train(t, trainer)
	dir = trainer.Checkpoints.Dir
	last, err := os.ReadFile(dir.Last())
	must(t, err)
	return dir, last, run.Progress{Epoch: 1}
}

// If the last checkpoint is cut off at any multiple of 4 KiB, or any byte of its header is changed, a resume warns, uses the previous
// checkpoint, and renames it to last.
func TestDamagedLastFallsBack(t *testing.T) {
	dir, whole, previous := damaged(t)
	var spoilt [][]byte
	for n := 0; n < len(whole); n += 4096 {
		spoilt = append(spoilt, whole[:n])
	}
	header := 8 + int(binary.LittleEndian.Uint64(whole))
	for i := range header {
		changed := bytes.Clone(whole)
		changed[i] ^= 1 << (i % 8)
		spoilt = append(spoilt, changed)
	}
	before, err := os.ReadFile(dir.Previous())
	must(t, err)
	for i, content := range spoilt {
		must(t, os.Remove(dir.Last())) // it may be one file with the previous
		must(t, os.WriteFile(dir.Last(), content, 0o644))
		saved, warnings, err := dir.Load()
		must(t, err)
		if len(warnings) != 1 || saved.Progress.Epoch != previous.Epoch ||
			!strings.Contains(warnings[0], dir.Last()) || !strings.HasSuffix(warnings[0], "; taking the one before it, of epoch 1") {
			t.Fatalf("damage %d: progress %+v, warnings %q", i, saved.Progress, warnings)
		}
	}
	for _, path := range []string{dir.Last(), dir.Previous()} {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(before, got) {
			t.Errorf("%s is not the one before the last: %v", path, err)
		}
	}

	must(t, os.Remove(dir.Last()))
	if _, warnings, err := dir.Load(); err != nil || len(warnings) != 1 {
		t.Errorf("without a last one: %v, %q", err, warnings)
	}
	for _, path := range []string{dir.Last(), dir.Previous()} {
		must(t, os.Remove(path))
		must(t, os.WriteFile(path, whole[:100], 0o644))
	}
	if _, _, err := dir.Load(); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), dir.Last()) || !strings.Contains(err.Error(), dir.Previous()) {
		t.Errorf("both are damaged: %v", err)
	}
	must(t, os.Remove(dir.Last()))
	if _, _, err := dir.Load(); !errors.Is(err, checkpoint.ErrDamaged) || errors.Is(err, run.ErrNoCheckpoint) {
		t.Errorf("one is damaged and the other gone: %v", err)
	}
	if _, _, err := run.Dir(t.TempDir()).Load(); !errors.Is(err, run.ErrNoCheckpoint) {
		t.Errorf("no run: %v", err)
	}
}

// A checkpoint in an older version of the format is not damaged. No other checkpoint is used instead, and the error names the version.
func TestOlderFormatIsRefused(t *testing.T) {
	dir, whole, _ := damaged(t)
	older := bytes.Replace(whole, []byte(`"version":"1"`), []byte(`"version":"0"`), 1)
	digest := bytes.Index(older, []byte(`"sha256":"`)) + len(`"sha256":"`)
	copy(older[digest:], strings.Repeat("0", 2*sha256.Size))
	sum := sha256.Sum256(older)
	hex.Encode(older[digest:], sum[:])
	must(t, os.WriteFile(dir.Last(), older, 0o644))
	_, _, err := dir.Load()
	if !errors.Is(err, checkpoint.ErrVersion) || !strings.HasSuffix(err.Error(), `expected version "1", found "0", of an older fmtrain; use the fmtrain that wrote it`) {
		t.Errorf("found %v", err)
	}
}
