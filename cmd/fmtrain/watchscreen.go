package main

import (
	"fmt"
	"io"
	"math"
	"os"
	"runtime"
	"strings"
	"time"
	"unicode/utf8"

	"fmtrain/internal/chart"
	"fmtrain/internal/loop"
	"fmtrain/internal/progress"
	"fmtrain/internal/run"
	"fmtrain/internal/table"
)

// Control sequences of terminals.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // the alternate screen, without a cursor
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	eraseRight  = "\x1b[K"
	eraseBelow  = "\x1b[J"
)

// curves shows a run on a terminal: numbers above curves. It draws on the terminal's alternate screen, so that a resize leaves nothing
// behind. The last picture is then printed on the normal screen.
type curves struct {
	out   io.Writer
	dir   run.Dir
	ascii bool

	start         *loop.Start
	step          *loop.Iteration // the last one, in an epoch that has not ended; nil for none
	epoch         *loop.Epoch     // the last one; nil for none
	best          *loop.Epoch
	done          *loop.Done
	seconds       float64   // of the epochs
	came          time.Time // when the last epoch came
	training      points
	validation    points
	stepsSeen     bool
	entered       bool
	changed       bool
	drawnAt       time.Time
	columns, rows int // as drawn last
}

// points are the losses and accuracies of a curve. Where are the epochs and the iterations in the epoch after them.
type points struct {
	epochs, iterations, losses, accuracies []float64
}

func (p *points) add(epochs, iterations int, loss, accuracy float64) {
	p.epochs, p.iterations = append(p.epochs, float64(epochs)), append(p.iterations, float64(iterations))
	p.losses, p.accuracies = append(p.losses, loss), append(p.accuracies, accuracy)
}

// newCurves makes the view of a run on a terminal.
func newCurves(out io.Writer, dir run.Dir) *curves {
	c := &curves{out: out, dir: dir, ascii: !chart.UTF8(os.Getenv, runtime.GOOS), came: time.Now()}
	if info, err := os.Stat(dir.Metrics()); err == nil { // the events that are there came then at the latest
		c.came = info.ModTime()
	}
	return c
}

// OnStart is called again when the run is resumed.
func (c *curves) OnStart(s *loop.Start) error {
	start := *s
	c.start, c.done, c.changed = &start, nil, true
	return nil
}

// OnIteration keeps a step.
func (c *curves) OnIteration(it *loop.Iteration) error {
	c.step, c.stepsSeen, c.changed = it, true, true
	c.training.add(it.Epoch-1, it.Iteration, it.Loss, it.Accuracy)
	return nil
}

// OnEpoch keeps an epoch.
func (c *curves) OnEpoch(e *loop.Epoch) error {
	if !c.drawnAt.IsZero() { // otherwise it was there before
		c.came = time.Now()
	}
	c.step, c.epoch, c.changed = nil, e, true
	c.seconds += e.Seconds
	if e.BestEpoch == e.Epoch {
		c.best = e
	}
	c.training.add(e.Epoch, 0, e.Loss, e.Accuracy)
	c.validation.add(e.Epoch, 0, e.ValLoss, e.ValAccuracy)
	return nil
}

// OnDone keeps the end.
func (c *curves) OnDone(d *loop.Done) error { c.done = d; return nil }

func (c *curves) restart() {
	*c = curves{out: c.out, dir: c.dir, ascii: c.ascii, entered: c.entered, came: time.Now()}
}

// draw draws the picture if anything has changed, and each second for the time left.
func (c *curves) draw(now time.Time) error {
	columns, rows := progress.Size(c.out)
	if !c.changed && columns == c.columns && rows == c.rows && now.Sub(c.drawnAt) < time.Second {
		return nil
	}
	c.changed, c.columns, c.rows, c.drawnAt = false, columns, rows, now
	var b strings.Builder
	if !c.entered {
		b.WriteString(enterScreen)
		c.entered = true
	}
	b.WriteString(home)
	lines := c.picture(columns-1, rows-1, string(run.Running), c.left(now))
	if hint := c.hint(); len(lines)+2 < rows {
		lines = append(lines, "", string(table.AppendStyled(nil, table.Cut(hint, max(1, columns-1)), table.Dim, colorOn(c.out))))
	}
	for i, line := range lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line)
		b.WriteString(eraseRight)
	}
	b.WriteString(eraseBelow)
	_, err := io.WriteString(c.out, b.String())
	return err
}

// hint is the last line.
func (c *curves) hint() string {
	hint := "Ctrl-C ends watching, not the run."
	if !c.stepsSeen {
		hint += " Steps are shown if the run has --log-every."
	}
	return hint
}

// end prints the last picture.
func (c *curves) end(status run.Status, how string) error {
	c.close()
	columns, rows := progress.Size(c.out)
	for _, line := range c.picture(columns-1, min(rows-2, 24), endText(status, how, c.done), "") {
		if _, err := fmt.Fprintln(c.out, line); err != nil {
			return err
		}
	}
	return nil
}

// close leaves the alternate screen.
func (c *curves) close() {
	if c.entered {
		_, _ = io.WriteString(c.out, leaveScreen) // if it fails, the terminal is gone
		c.entered = false
	}
}

// left is the time left, as the last epoch suggests; empty if it is not known.
func (c *curves) left(now time.Time) string {
	if c.start == nil || c.epoch == nil || c.done != nil {
		return ""
	}
	epochs := float64(c.start.Epochs - c.epoch.Epoch)
	seconds := float64(epochs*c.epoch.Seconds) - min(now.Sub(c.came).Seconds(), c.epoch.Seconds)
	if c.step != nil && c.step.Iterations > 0 {
		seconds = (epochs - float64(c.step.Iteration)/float64(c.step.Iterations)) * c.epoch.Seconds
	}
	return "about " + duration(max(0, math.Ceil(seconds))) + " left"
}

// picture is the numbers and the curves, in at most the given columns and rows.
func (c *curves) picture(columns, rows int, state, left string) []string {
	color := colorOn(c.out)
	name := inCell(quoted(string(c.dir)))
	state = table.Wrap(name+": "+state, columns, "  ")
	if rest, ok := strings.CutPrefix(state, name); ok {
		state = string(table.AppendStyled(nil, name, table.Bold, color)) + rest
	}
	lines := strings.Split(state, "\n")
	lines = append(append(lines, packed(c.numbers(), columns)...), packed(c.speed(left), columns)...)
	if len(lines) >= rows || c.training.epochs == nil {
		return lines[:min(len(lines), max(rows, 0))]
	}
	return append(append(lines, ""), c.charts(columns, rows-len(lines)-1, color)...)
}

// packed puts words on lines of at most the given columns, with two spaces between them.
func packed(words []string, columns int) (lines []string) {
	for _, word := range words {
		if last := len(lines) - 1; last >= 0 && utf8.RuneCountInString(lines[last]+word)+2 <= columns {
			lines[last] += "  " + word
			continue
		}
		lines = append(lines, table.Cut(word, columns))
	}
	return lines
}

// numbers are those of the last step and the last epoch.
func (c *curves) numbers() (words []string) {
	if c.start == nil {
		return []string{"no events yet"}
	}
	add := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	var loss, accuracy float64
	switch it, e := c.step, c.epoch; {
	case it != nil:
		add("epoch %d/%d", it.Epoch, c.start.Epochs)
		if it.Iterations > 0 {
			add("step %d/%d", it.Iteration, it.Iterations)
		} else {
			add("step %d", it.Iteration)
		}
		loss, accuracy = it.Loss, it.Accuracy
	case e != nil:
		add("epochs done %d/%d", e.Epoch, c.start.Epochs)
		loss, accuracy = e.Loss, e.Accuracy
	default:
		add("epochs done 0/%d", c.start.Epochs)
		return words
	}
	add("loss %.4f", loss)
	add("acc %.4f", accuracy)
	if e := c.epoch; e != nil && c.start.Validated {
		add("val loss %.4f", e.ValLoss)
		add("val acc %.4f", e.ValAccuracy)
	}
	if c.best != nil {
		add("best %.4f in epoch %d", c.best.ValAccuracy, c.best.Epoch)
	}
	return words
}

// speed is the rates and the times.
func (c *curves) speed(left string) (words []string) {
	var rates loop.Rates
	switch {
	case c.step != nil:
		rates = c.step.Rates
	case c.epoch != nil:
		rates = c.epoch.Rates
	}
	for _, r := range rates {
		if !math.IsNaN(r.LearningRate) {
			words = append(words, fmt.Sprintf("lr %s %.4g", inCell(r.Group), r.LearningRate))
		}
	}
	if c.epoch != nil {
		words = append(words, thousands(int(c.epoch.SamplesPerSecond))+" images/s", duration(c.seconds)+" trained")
	}
	if left != "" {
		words = append(words, left)
	}
	return words
}

// charts are the curves of the loss and the accuracy: beside each other if there is room, else one below the other, else the loss alone.
func (c *curves) charts(columns, rows int, color bool) []string {
	loss, accuracy := c.charted("loss", color), c.charted("accuracy", color)
	const gap, lowest, highest = 3, 8, 20
	if half := (columns - gap) / 2; half >= 45 {
		loss.Width, accuracy.Width = half, half
		loss.Height, accuracy.Height = min(rows, highest), min(rows, highest)
		return chart.Beside(loss.Lines(), accuracy.Lines(), half+gap)
	}
	loss.Width, accuracy.Width = columns, columns
	if rows < 2*lowest+1 {
		loss.Height = min(rows, highest)
		return loss.Lines()
	}
	loss.Height = min((rows-1)/2, highest)
	accuracy.Height = loss.Height
	return append(append(loss.Lines(), ""), accuracy.Lines()...)
}

// charted is the chart of the losses or the accuracies. Steps have their place in the epoch as soon as its length is known.
func (c *curves) charted(title string, color bool) chart.Chart {
	iterations := 0
	if c.epoch != nil {
		iterations = c.epoch.Iterations
	}
	series := func(name string, p *points) chart.Series {
		s := chart.Series{Name: name, Y: p.losses}
		if title == "accuracy" {
			s.Y = p.accuracies
		}
		for i, epochs := range p.epochs {
			place := p.iterations[i]
			if iterations > 0 {
				place = epochs + place/float64(iterations)
			}
			s.X = append(s.X, place)
		}
		return s
	}
	drawn := chart.Chart{Title: title, XLabel: "epoch", WholeX: true, Color: color, ASCII: c.ascii, Series: []chart.Series{series("training", &c.training)}}
	if c.start != nil && c.start.Validated {
		drawn.Series = append(drawn.Series, series("validation", &c.validation))
	}
	if iterations == 0 {
		drawn.XLabel = "step"
	}
	return drawn
}
