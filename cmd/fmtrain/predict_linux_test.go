package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/picturetest"
)

// Whole outputs of predict and of the mistakes of eval, on terminals of several widths and on a pipe, without the colours. The weights are
// the initial ones, so the probabilities don't depend on the kernels.
func TestPredictLooksLike(t *testing.T) {
	dir := t.TempDir()
	train := fmtrain(dir, "train", "--data", "sample", "--epochs", "0", "--hidden", "8", "--out", "run", "--progress", "none")
	if output, err := train.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	must(t, os.WriteFile(filepath.Join(dir, "wall.jpg"), picturetest.JPEG(picturetest.Gradient(640, 480)), 0o644))
	for name, args := range map[string][]string{
		"row":      {"predict", "run", "test:0"},
		"picture":  {"predict", "run", "wall.jpg"},
		"table":    {"predict", "run", "test:0", "train:1", "wall.jpg"},
		"mistakes": {"eval", "run", "--mistakes", "3"},
	} {
		for _, columns := range []uint16{0, 40, 60, 80} { // 0: a pipe
			var sent string
			var err error
			if columns == 0 {
				var output []byte
				output, err = fmtrain(dir, args...).Output()
				sent = string(output)
			} else {
				sent, err = onTerminal(t, dir, columns, nil, []string{"COLORTERM=truecolor"}, args...)
				if !strings.Contains(sent, "\x1b[") {
					t.Errorf("%s, %d columns: no colours", name, columns)
				}
			}
			if err != nil {
				t.Errorf("%s, %d columns: %v\n%s", name, columns, err, sent)
			}
			sent = strings.ReplaceAll(color.ReplaceAllString(sent, ""), "\r\n", "\n")
			file := filepath.Join("testdata", "predict", fmt.Sprintf("%s-%d.txt", name, columns))
			if *update {
				must(t, os.WriteFile(file, []byte(sent), 0o644))
			}
			want, err := os.ReadFile(file)
			must(t, err)
			if diff := cmp.Diff(string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))), sent); diff != "" {
				t.Errorf("%s, %d columns (-want +got):\n%s", name, columns, diff)
			}
		}
	}
}

// NO_COLOR and a terminal without colours show the picture in characters.
func TestPredictWithoutColors(t *testing.T) {
	dir := t.TempDir()
	if output, err := fmtrain(dir, short...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, environment := range []string{"NO_COLOR=1", "TERM=dumb"} {
		sent, err := onTerminal(t, dir, 80, nil, []string{environment}, "predict", "run", "test:0")
		if err != nil || strings.Contains(sent, "\x1b") || strings.Contains(sent, "▀") || !strings.Contains(sent, "=+****+*+") {
			t.Errorf("%s: %v\n%s", environment, err, sent)
		}
	}
}
