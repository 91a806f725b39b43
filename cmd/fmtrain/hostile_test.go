package main

import (
	"bytes"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/run"
)

// Whatever files the settings in a checkpoint name, eval opens only the four data files in the directory under "data", and writes none.
func TestEvalOpensTheDataAlone(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	fmtrain := func(args ...string) (code int, said string) {
		var out bytes.Buffer
		code = execute(t.Context(), args, streams{out: &out, err: &out})
		return code, out.String()
	}
	if code, said := fmtrain("train", "--data", "sample", "--epochs", "0", "--hidden", "4", "--out", "run"); code != exitDone {
		t.Fatal(said)
	}
	must(t, os.Mkdir("odd", 0o755))
	must(t, os.WriteFile(filepath.Join("odd", "secret"), []byte("a secret"), 0o644))
	good, err := checkpoint.Load(run.Dir("run").Last())
	must(t, err)
	for _, c := range []struct {
		name     string
		settings map[string]any
		args     []string
		code     int
		says     string
	}{
		{"as it was", nil, nil, exitDone, "accuracy"},
		{"files that eval has no use for", map[string]any{"init": "odd/secret", "out": "new", "config": "odd/secret", "exec": "touch new"}, nil, exitDone, "accuracy"},
		{"a directory without data", map[string]any{"data": "odd"}, nil, exitFailed, "data directory odd: expected the four files"},
		{"a file", map[string]any{"data": "odd/secret"}, nil, exitFailed, "odd/secret: expected a directory, found a file"},
		{"commands of a terminal", map[string]any{"data": "\x1b[2J"}, nil, exitFailed, `expected a data directory in the run's settings, found "\x1b[2J"`},
		{"other data named", map[string]any{"data": "odd"}, []string{"--data", "sample"}, exitDone, "accuracy"},
		{"a number", map[string]any{"data": 1}, nil, exitFailed, "expected the run's settings"},
		{"negative images", map[string]any{"validation": -1}, []string{"--split", "train"}, exitFailed, "validation images: expected 0 to"},
		{"a metric often", map[string]any{"metrics": []string{"auc", "auc"}}, nil, exitFailed, "expected each metric once, found auc again"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var settings map[string]any
			must(t, json.Unmarshal([]byte(good.Metadata["settings"]), &settings))
			maps.Copy(settings, c.settings)
			text, err := json.Marshal(settings)
			must(t, err)
			file := &checkpoint.Checkpoint{Metadata: maps.Clone(good.Metadata), Tensors: good.Tensors}
			file.Metadata["settings"] = string(text)
			must(t, checkpoint.Save("altered.safetensors", file))
			code, said := fmtrain(append([]string{"eval", "altered.safetensors"}, c.args...)...)
			if code != c.code || !strings.Contains(said, c.says) {
				t.Errorf("expected the exit code %d and %q, found %d and %s", c.code, c.says, code, said)
			}
			if strings.Contains(said, "a secret") || strings.Contains(said, "\x1b") {
				t.Errorf("said what it must not: %q", said)
			}
			if _, err := os.Stat("new"); err == nil {
				t.Error("made a file")
			}
		})
	}
}
