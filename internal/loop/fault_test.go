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
)

// sabotaged is a run that is saved at each iteration, until something happens to its directory in epoch 2 after iteration 2.
func sabotaged(t *testing.T, sabotage func(run string)) (*Trainer, error) {
	t.Helper()
	var seen recorder
	trainer := small().trainer(t, &seen)
	trainer.Every.Iterations = 1
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == 2 {
			must(t, trainer.settle())
			sabotage(trainer.Checkpoints.Run)
		}
		return nil
	}
	_, err := trainer.Run(context.Background())
	return trainer, err
}

// A run whose checkpoint can't be written any more stops, says so, and leaves the last one whole if the directory has it still.
func TestUnsaved(t *testing.T) {
	for name, test := range map[string]struct {
		sabotage func(run string)
		at       string // the checkpoint that is left; empty: none
		want     string
	}{
		"the run directory is removed": {func(run string) { must(t, os.RemoveAll(run)) }, "", "last.safetensors"},
		"a file in the place of the directory": {func(run string) {
			dir := filepath.Dir(LastPath(run))
			must(t, os.Rename(dir, dir+".moved"))
			must(t, os.WriteFile(dir, nil, 0o644))
		}, "", "not a directory"},
		"a rename that fails, to the previous": {func(run string) {
			must(t, os.Remove(PreviousPath(run)))
			must(t, os.MkdirAll(filepath.Join(PreviousPath(run), "inner"), 0o755))
		}, "epoch 2, iteration 1", "previous.safetensors"},
		"a directory in the place of the last": {func(run string) {
			must(t, os.Remove(LastPath(run)))
			must(t, os.MkdirAll(filepath.Join(LastPath(run), "inner"), 0o755))
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
			if claimed := strings.Contains(err.Error(), "is whole in "+trainer.Checkpoints.Last()); claimed != (test.at == "epoch 2, iteration 1") {
				t.Errorf("it says that the last checkpoint is whole: %s", err)
			}
			run := trainer.Checkpoints.Run
			for _, path := range []string{LastPath(run), PreviousPath(run)} {
				if saved, err := Load(path); err == nil {
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
func damaged(t *testing.T) (run string, last []byte, previous Progress) {
	t.Helper()
	s := small()
	s.spec.Hidden, s.epochs = []int{4}, 2
	trainer := s.trainer(t)
	train(t, trainer)
	run = trainer.Checkpoints.Run
	last, err := os.ReadFile(LastPath(run))
	must(t, err)
	return run, last, Progress{Epoch: 1}
}

// Whatever befalls the last checkpoint, cut off at any 4 KiB or with any byte of its header changed, the one before it is taken,
// with a warning, and takes its place.
func TestDamagedLastFallsBack(t *testing.T) {
	run, whole, previous := damaged(t)
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
	before, err := os.ReadFile(PreviousPath(run))
	must(t, err)
	for i, content := range spoilt {
		must(t, os.Remove(LastPath(run))) // it may be one file with the previous
		must(t, os.WriteFile(LastPath(run), content, 0o644))
		saved, warnings, err := LoadRun(run)
		must(t, err)
		if len(warnings) != 1 || saved.Progress.Epoch != previous.Epoch ||
			!strings.Contains(warnings[0], LastPath(run)) || !strings.HasSuffix(warnings[0], "; taking the one before it, of epoch 1") {
			t.Fatalf("damage %d: progress %+v, warnings %q", i, saved.Progress, warnings)
		}
	}
	for _, path := range []string{LastPath(run), PreviousPath(run)} {
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(before, got) {
			t.Errorf("%s is not the one before the last: %v", path, err)
		}
	}

	must(t, os.Remove(LastPath(run)))
	if _, warnings, err := LoadRun(run); err != nil || len(warnings) != 1 {
		t.Errorf("without a last one: %v, %q", err, warnings)
	}
	for _, path := range []string{LastPath(run), PreviousPath(run)} {
		must(t, os.Remove(path))
		must(t, os.WriteFile(path, whole[:100], 0o644))
	}
	if _, _, err := LoadRun(run); !errors.Is(err, checkpoint.ErrDamaged) || !strings.Contains(err.Error(), LastPath(run)) || !strings.Contains(err.Error(), PreviousPath(run)) {
		t.Errorf("both are damaged: %v", err)
	}
	must(t, os.Remove(LastPath(run)))
	if _, _, err := LoadRun(run); !errors.Is(err, checkpoint.ErrDamaged) || errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("one is damaged and the other gone: %v", err)
	}
	if _, _, err := LoadRun(t.TempDir()); !errors.Is(err, ErrNoCheckpoint) {
		t.Errorf("no run: %v", err)
	}
}

// A checkpoint in an older version of the format is no damage: nothing stands in for it, and the error says what it is.
func TestOlderFormatIsRefused(t *testing.T) {
	run, whole, _ := damaged(t)
	older := bytes.Replace(whole, []byte(`"version":"1"`), []byte(`"version":"0"`), 1)
	digest := bytes.Index(older, []byte(`"sha256":"`)) + len(`"sha256":"`)
	copy(older[digest:], strings.Repeat("0", 2*sha256.Size))
	sum := sha256.Sum256(older)
	hex.Encode(older[digest:], sum[:])
	must(t, os.WriteFile(LastPath(run), older, 0o644))
	_, _, err := LoadRun(run)
	if !errors.Is(err, checkpoint.ErrVersion) || !strings.HasSuffix(err.Error(), `expected version "1", found "0", of an older fmtrain; use the fmtrain that wrote it`) {
		t.Errorf("found %v", err)
	}
}
