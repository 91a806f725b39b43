package main

import (
	"bufio"
	"errors"
	"io"
	"os"

	"fmtrain/internal/config"
	"fmtrain/internal/loop"
	"fmtrain/internal/progress"
	"fmtrain/internal/run"
	"fmtrain/internal/schedule"
)

// display shows a run: on the terminal, on a pipe, in metrics.jsonl.
type display struct {
	text      io.Writer // for what a person reads before and after
	observers []loop.Observer
	closers   []func() error
}

// newDisplay chooses the observers. With JSON on stdout, what a person reads goes to stderr.
func newDisplay(s streams, c config.Config, metrics *run.Metrics, schedules []schedule.Schedule) *display {
	d := &display{text: s.out}
	if c.JSON {
		d.text = s.err
		shown := progress.NewJSON(bufio.NewWriter(s.out), c.LogEvery)
		d.observers = append(d.observers, shown)
		d.closers = append(d.closers, shown.Flush)
	}
	kept := metricsLines{progress.NewJSON(metrics, c.LogEvery), metrics}
	d.observers = append(d.observers, kept)
	d.closers = append(d.closers, kept.Flush)

	mode := c.Progress
	if mode == "auto" {
		mode = "lines"
		if progress.IsTerminal(s.err) && os.Getenv("TERM") != "dumb" {
			mode = "bar"
		}
	}
	switch mode {
	case "bar":
		bar := progress.NewBar(terminal(s.err), progress.NewLines(terminal(d.text), 0))
		d.observers = append(d.observers, bar)
		d.closers = append(d.closers, func() error { bar.Clear(); return nil })
	case "lines":
		d.observers = append(d.observers, progress.NewLines(terminal(d.text), c.LogEvery))
	}
	// Warnings come last, when the bar is erased and the line of the epoch is printed.
	d.observers = append(d.observers, &warnings{out: s.err, schedules: schedules})
	return d
}

// ended tells the observers that keep lines if the run has diverged.
func (d *display) ended(err error) error {
	diverged, ok := errors.AsType[*loop.Diverged](err)
	if !ok {
		return nil
	}
	var errs []error
	for _, o := range d.observers {
		if o, ok := o.(interface{ OnDiverged(*loop.Diverged) error }); ok {
			errs = append(errs, o.OnDiverged(diverged))
		}
	}
	return errors.Join(errs...)
}

// close erases the bar and flushes what was buffered.
func (d *display) close() error {
	var errs []error
	for _, c := range d.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// terminal is w as a place for a bar or for lines.
func terminal(w io.Writer) progress.Terminal {
	return progress.Terminal{
		Writer: w,
		Width:  progress.Width(w),
		Color:  colorOn(w),
	}
}

// metricsLines are the lines of a run that are kept in its metrics.
type metricsLines struct {
	*progress.JSON
	file *run.Metrics
}

// OnStart adds only the resume to the lines of a resumed run, which have their start.
func (m metricsLines) OnStart(s *loop.Start) error {
	if m.file.Begun && s.Resumed != nil {
		return m.OnResume(s)
	}
	return m.JSON.OnStart(s)
}

// Sync makes it a [loop.Syncer].
func (m metricsLines) Sync() error { return m.file.Sync() }
