package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/pflag"

	"fmtrain/internal/config"
	"fmtrain/internal/loop"
	"fmtrain/internal/run"
)

// resumption is a run that is resumed.
type resumption struct {
	checkpoints *run.Checkpoints
	saved       *run.Saved
	override    bool // the settings and the data may differ from the checkpoint's
}

// resumeTrain resumes a run with its own settings, changed by those of a config file and the flags.
func resumeTrain(ctx context.Context, s streams, o trainOptions, flags *pflag.FlagSet) error {
	if err := o.check(flags); err != nil {
		return err
	}
	dir, err := resumable(o.resume)
	if err != nil {
		return err
	}
	checkpoints, err := dir.Open()
	if errors.Is(err, run.ErrNoCheckpoint) {
		return noCheckpoint(dir)
	}
	if err != nil {
		return err
	}
	defer checkpoints.Close()
	saved, warnings, err := dir.Load()
	if errors.Is(err, run.ErrNoCheckpoint) {
		return noCheckpoint(dir)
	}
	if err != nil {
		return fmt.Errorf("--resume: %w", err)
	}
	for _, warning := range warnings {
		warn(s.err, "%s", warning)
	}
	warnOfEdits(s, dir, saved)
	c, err := config.Resume(settingsOf(saved), o.config, flags, o.override)
	if err != nil {
		return err
	}
	c.Out = string(dir)
	return runTrain(ctx, s, c, &resumption{checkpoints, saved, o.override})
}

// settingsOf is the settings of a run in its checkpoint.
func settingsOf(saved *run.Saved) config.Saved {
	return config.Saved{Where: saved.Path, Settings: saved.Settings, Begun: saved.Progress.Begun()}
}

// warnOfEdits warns if a run's config.yaml differs from the settings in its checkpoint, which a resume uses.
func warnOfEdits(s streams, dir run.Dir, saved *run.Saved) {
	was, err := config.Resume(settingsOf(saved), "", nil, false)
	if info, statErr := os.Stat(dir.Config()); err != nil || statErr != nil || !info.Mode().IsRegular() {
		return
	}
	if found, err := config.Resolve(dir.Config(), nil); err != nil || !found.Equal(was) {
		warn(s.err, "%s differs from the settings in the run's last checkpoint, and is ignored; flags change settings", dir.Config())
	}
}

// withResume adds the command that resumes the run to an error that ended it after it was saved.
func withResume(err error, dir string) error {
	var interrupted *loop.Interrupted
	var unsaved *loop.Unsaved
	switch {
	case errors.As(err, &interrupted):
		return &advised{err, "Resume with", "train --resume " + quoted(dir)}
	case errors.As(err, &unsaved) && unsaved.Checkpoint != "":
		return &advised{err, "Once that is fixed, resume with", "train --resume " + quoted(dir)}
	}
	return err
}
