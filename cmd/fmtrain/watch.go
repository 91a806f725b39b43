package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"fmtrain/internal/lock"
	"fmtrain/internal/loop"
	"fmtrain/internal/progress"
	"fmtrain/internal/run"
)

func newWatch(s streams) *cobra.Command {
	return &cobra.Command{
		Use:   "watch [RUN]",
		Short: "Follow a run that another process trains",
		Long: "Follow a run that another process trains: curves of the loss and the accuracy, the epoch, the learning rates, images a second, and the " +
			"time left. Without an argument it is the newest run in runs/ that trains, or else the newest unfinished one. On a pipe it prints a line " +
			"for each epoch.\n\n" +
			"It ends when the run ends, and says how. Ctrl-C ends it with the exit code 130, and the run goes on. Within an epoch it shows the steps that " +
			"the run writes with --log-every; without it, nothing is known before the epoch ends. It only reads.",
		Example: `  fmtrain watch
  fmtrain watch runs/book
  fmtrain watch runs/book | tee book.txt`,
		ValidArgsFunction: completeRuns(1),
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usageError{fmt.Errorf("expected one run at most, found %d", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := watchedRun(args)
			if err != nil {
				return err
			}
			return runWatch(cmd.Context(), s, dir)
		},
	}
}

// watchedRun is the run of the argument. Without one it is the newest that trains, or else the newest unfinished one.
func watchedRun(args []string) (run.Dir, error) {
	if len(args) == 1 {
		return openRun(args[0])
	}
	runs, err := run.List(run.Parent)
	if err != nil {
		return "", err
	}
	for _, r := range runs {
		if lock.Held(string(r.Dir)) {
			return r.Dir, nil
		}
	}
	dir, err := run.NewestUnfinished(run.Parent)
	if errors.Is(err, run.ErrNone) {
		return "", &advised{usageError{fmt.Errorf("%w: name a run", err)}, "List the runs with", "runs"}
	}
	return dir, err
}

// pollTime is the time between two looks at a run.
const pollTime = 200 * time.Millisecond

// viewer shows a run that is watched.
type viewer interface {
	loop.Observer
	restart()                 // the events begin again
	draw(now time.Time) error // what has come since; called at each look
	end(status run.Status, how string) error
	close() // restores the terminal; may be called more than once
}

// unwatched ends a command that watches, before the run has ended.
type unwatched struct{ dir run.Dir }

func (u unwatched) Error() string { return fmt.Sprintf("stopped watching; %s goes on", u.dir) }

// Unwrap makes it an interruption.
func (unwatched) Unwrap() error { return context.Canceled }

// runWatch shows a run until it ends.
func runWatch(ctx context.Context, s streams, dir run.Dir) error {
	replay := &progress.Replay{}
	var view viewer
	if progress.IsTerminal(s.out) && os.Getenv("TERM") != "dumb" {
		view = newCurves(s.out, dir)
	} else {
		view = &eventLines{out: s.out, logEvery: replay.LogEvery}
	}
	defer view.close()
	replay.Observer = view
	w := &watcher{dir: dir, follower: dir.Follow(), replay: replay, view: view}
	replay.Diverged = func(d *loop.Diverged) { w.diverged = d }
	return w.watch(ctx)
}

// watcher looks at a run again and again.
type watcher struct {
	dir      run.Dir
	follower *run.Follower
	replay   *progress.Replay
	view     viewer
	last     string         // event
	diverged *loop.Diverged // if that was the last event
}

// watch shows the run until it ends. A run whose last event says so may still have its lock for a moment; or it has just been resumed.
func (w *watcher) watch(ctx context.Context) error {
	const patience = 5 // looks
	ended := 0         // looks since the last event was an end
	for {
		held := lock.Held(string(w.dir)) // asked first: what a run writes, it writes before it releases the lock
		if err := w.follower.Next(w.view.restart, w.event); err != nil {
			return err
		}
		if over := w.last == "done" || w.last == "diverged"; over {
			ended++
		} else {
			ended = 0
		}
		if !held || ended > patience {
			return w.end()
		}
		if err := w.view.draw(time.Now()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			w.view.close()
			return unwatched{w.dir}
		case <-time.After(pollTime):
		}
	}
}

func (w *watcher) event(e run.Event) error {
	w.last = e.Event
	return w.replay.Event(e)
}

// end shows how the run has ended.
func (w *watcher) end() error {
	status, how := run.Interrupted, ""
	switch w.last {
	case "done":
		status = run.Finished
	case "diverged":
		status = run.Diverged
		if w.diverged != nil {
			how = fmt.Sprintf("in epoch %d, iteration %d: NaN or Inf appeared first in %s", w.diverged.Epoch, w.diverged.Iteration, printable(w.diverged.Where))
		}
	}
	return w.view.end(status, how)
}

// eventLines shows a run as lines, as train does on a pipe.
type eventLines struct {
	*progress.Lines
	out      io.Writer
	logEvery func() int
	done     *loop.Done
}

// OnStart begins a table. Every step that the run writes has a line.
func (l *eventLines) OnStart(s *loop.Start) error {
	l.Lines = progress.NewLines(terminal(l.out), min(l.logEvery(), 1))
	return l.Lines.OnStart(s)
}

// OnDone keeps the end.
func (l *eventLines) OnDone(d *loop.Done) error { l.done = d; return nil }

func (l *eventLines) restart() {}

func (l *eventLines) draw(time.Time) error { return nil }

func (l *eventLines) end(status run.Status, how string) error {
	_, err := fmt.Fprintln(l.out, endText(status, how, l.done))
	return err
}

func (l *eventLines) close() {}

// endText says how a run has ended.
func endText(status run.Status, how string, done *loop.Done) string {
	text := string(status)
	if how != "" {
		text += " " + how
	}
	if done == nil {
		return text
	}
	text += " after " + count(done.Epochs, "epoch")
	if done.StoppedEarly {
		text += ", stopped early"
	}
	if done.BestEpoch > 0 {
		text += fmt.Sprintf("; best epoch %d, val acc %.4f", done.BestEpoch, done.BestAccuracy)
	}
	return text + "; " + duration(done.TotalSeconds)
}
