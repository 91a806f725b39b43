package progress

import (
	"fmt"
	"slices"

	"fmtrain/internal/loop"
	"fmtrain/internal/table"
)

// Lines writes a table with one line per epoch:
//
//	epoch    loss  val loss     acc  val acc    time  images/s
//	  1/5  0.5807    0.4317  0.7976   0.8442  0.18 s      310k  best
//
// Columns for validation, averaged weights ("ema"), metrics and scheduled learning rates are there if the run has them. The
// metrics are those of the validation images, the rates those of the epoch's last step. "best" marks the best validation accuracy
// so far.
//
// If steps are logged too, a column has the number of the step, and the lines between those of the epochs have the loss and the
// accuracy of the epoch so far.
//
// Columns that don't fit the terminal are left out, the least important first. When the terminal's width has changed and with it
// the columns, the heading is written again.
type Lines struct {
	terminal Terminal
	every    int // steps from one line to the next; 0 for epochs only
	columns  []column
	layout   []table.Column // of the columns
	headed   []int          // the columns under the last heading
	cells    []table.Cell
	text     []byte
}

// NewLines makes lines on t, with a line for each logEvery-th step of an epoch; with 0, for epochs only.
func NewLines(t Terminal, logEvery int) *Lines { return &Lines{terminal: t, every: logEvery} }

// column is a column of the table, and what it shows of an epoch and of a step; nil for nothing.
type column struct {
	table.Column
	epoch func(*loop.Epoch) string
	step  func(*loop.Iteration) string
	style func(*loop.Epoch) string
}

// OnStart chooses the columns. The heading is written with the first line.
func (l *Lines) OnStart(s *loop.Start) error {
	l.columns = columns(s, l.every > 0)
	l.layout = nil
	for _, c := range l.columns {
		l.layout = append(l.layout, c.Column)
	}
	l.cells = make([]table.Cell, len(l.columns))
	return nil
}

// OnIteration writes the line of a step that is to be logged. The line of the epoch takes the place of its last step's.
func (l *Lines) OnIteration(it *loop.Iteration) error {
	if l.every == 0 || it.Iteration%l.every != 0 || it.Iteration == it.Iterations {
		return nil
	}
	for i, c := range l.columns {
		l.cells[i] = table.Cell{}
		if c.step != nil {
			l.cells[i].Text = c.step(it)
		}
	}
	return l.write(it.Epoch)
}

// OnEpoch writes the epoch's line in one Write, or returns its error.
func (l *Lines) OnEpoch(e *loop.Epoch) error {
	for i, c := range l.columns {
		l.cells[i] = table.Cell{Text: c.epoch(e)}
		if c.style != nil {
			l.cells[i].Style = c.style(e)
		}
	}
	return l.write(e.Epoch)
}

// OnDone writes nothing.
func (l *Lines) OnDone(*loop.Done) error { return nil }

// write writes the cells as a line, below a heading if the columns are others than before.
func (l *Lines) write(epoch int) error {
	l.text = l.text[:0]
	kept := table.Fit(l.layout, l.terminal.Width()-1)
	if !slices.Equal(kept, l.headed) {
		l.headed = kept
		l.text = table.AppendHeading(l.text, l.layout, kept, l.terminal.Color)
	}
	l.text = table.AppendRow(l.text, l.layout, kept, l.cells, l.terminal.Color)
	if _, err := l.terminal.Writer.Write(l.text); err != nil {
		return fmt.Errorf("write the line of epoch %d: %w", epoch, err)
	}
	return nil
}
