package main

import (
	"bufio"
	"errors"
	"io"
	"os"

	"fmtrain/internal/config"
	"fmtrain/internal/loop"
	"fmtrain/internal/progress"
)

// display is what shows a run: on the terminal, on a pipe, in metrics.jsonl.
type display struct {
	text      io.Writer // for what a person reads before and after
	observers []loop.Observer
	closers   []func() error
}

// newDisplay chooses the observers. With JSON on stdout, what a person reads goes to stderr.
func newDisplay(s streams, c config.Config, metrics *metricsFile) *display {
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
	lines := progress.NewLines(d.text, progress.ColorEnabled(progress.IsTerminal(d.text), os.Getenv))
	switch mode {
	case "bar":
		bar := progress.NewBar(terminal(s), lines)
		d.observers = append(d.observers, bar)
		d.closers = append(d.closers, func() error { bar.Clear(); return nil })
	case "lines":
		d.observers = append(d.observers, lines)
	}
	return d
}

// close takes the bar away and flushes what was buffered.
func (d *display) close() error {
	var errs []error
	for _, c := range d.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// terminal is stderr as a place for a bar.
func terminal(s streams) progress.Terminal {
	return progress.Terminal{
		Writer: s.err,
		Width:  progress.Width(s.err),
		Color:  progress.ColorEnabled(progress.IsTerminal(s.err), os.Getenv),
	}
}
