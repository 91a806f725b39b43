// Package run is the run directory: its layout, its lock, its checkpoints, its metrics, and how to find one.
//
//	runs/book/
//	  config.yaml                       the settings, for a person
//	  metrics.jsonl                     the events of the training, one JSON object a line
//	  lock                              held by the process that trains
//	  eval-test.json                    the last evaluation of each split; eval-test-tta.json with test-time augmentation
//	  checkpoints/last.safetensors      to resume from
//	  checkpoints/previous.safetensors  the last one before it
//	  checkpoints/best.safetensors      of the best validation accuracy
//
// One process at a time may write to a run: [Create] and [Open] take the lock. Other functions only read. They need no lock and may run
// while the run trains, because every file except metrics.jsonl is replaced as a whole.
//
// To read a run: [List] and [NewestUnfinished] find runs, [Checkpoint] resolves what a user has typed, [Load] reads a checkpoint,
// [Dir.Summary] reads the metrics, and [Dir.ReadEvaluation] an evaluation.
package run

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"fmtrain/internal/atomicfile"
)

// Parent is the directory for runs without a directory of their own.
const Parent = "runs"

// Dir is the path of a run directory.
type Dir string

func (d Dir) path(names ...string) string {
	return filepath.Join(append([]string{string(d)}, names...)...)
}

// Config is the file of the settings, by which a run directory is known. The other files of a run are named likewise.
func (d Dir) Config() string      { return d.path("config.yaml") }
func (d Dir) Metrics() string     { return d.path("metrics.jsonl") }
func (d Dir) Checkpoints() string { return d.path("checkpoints") }
func (d Dir) Last() string        { return d.path("checkpoints", "last.safetensors") }
func (d Dir) Previous() string    { return d.path("checkpoints", "previous.safetensors") }
func (d Dir) Best() string        { return d.path("checkpoints", "best.safetensors") }

// WriteConfig replaces config.yaml.
func (d Dir) WriteConfig(write func(io.Writer) error) error {
	return atomicfile.Write(d.Config(), 0o644, write)
}

// exists says whether the path exists. If that is not known, it says yes.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// IsRun says whether the directory is a run: whether it has settings or a checkpoint.
func (d Dir) IsRun() bool {
	return exists(d.Config()) || exists(d.Last()) || exists(d.Best())
}

// Of is the run directory that a checkpoint lies in; ok is false for a checkpoint elsewhere.
func Of(checkpoint string) (d Dir, ok bool) {
	d = Dir(filepath.Dir(filepath.Dir(checkpoint)))
	return d, filepath.Base(filepath.Dir(checkpoint)) == "checkpoints" && exists(d.Config())
}
