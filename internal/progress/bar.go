// Package progress shows a run: as a bar on a terminal ([Bar]), as a table with a line per epoch ([Lines]), and as JSON lines
// ([JSON]). Each is a [loop.Observer] and writes only to the writers it is given.
//
//	Epoch 1/5  1234/1719  [=======>     ]  loss 0.6013  acc 0.7921  lower 0.0001  upper 0.001  104k images/s  0:03 left
//
// All three show the loss and the accuracy of the events: the bar and the lines with four decimals, JSON in full.
package progress

import (
	"slices"
	"strconv"
	"time"

	"fmtrain/internal/loop"
)

// Bar shows a run on a terminal. The bar is redrawn at most every 100 ms, and at the last step of an epoch. After each epoch the
// line of [Lines] is written above it. The bar reads the time from the events, so a step that isn't drawn costs one comparison.
//
// The bar fits the terminal. Where there is little room it leaves out, in this order: learning rates without a schedule, those with
// one, metrics, the time left, the images per second, the accuracy. On 20 columns it is "1/5 71% loss 0.6013".
type Bar struct {
	screen screen
	lines  *Lines
	next   time.Duration // of the epoch's training time, when the next redraw is due
}

// NewBar makes a bar on a terminal that understands ANSI escape sequences. The lines normally go to stdout. The bar is erased
// before a line is written.
func NewBar(t Terminal, lines *Lines) *Bar {
	return &Bar{screen: screen{Terminal: t}, lines: lines}
}

// OnStart lets the lines choose their columns. It shows nothing.
func (b *Bar) OnStart(s *loop.Start) error { return b.lines.OnStart(s) }

// OnIteration redraws the bar if it is time. It never fails.
func (b *Bar) OnIteration(it *loop.Iteration) error {
	if it.Elapsed < b.next && it.Iteration < it.Iterations {
		return nil
	}
	b.next = it.Elapsed + interval
	b.screen.draw(layouts(it))
	return nil
}

// OnEpoch erases the bar and writes the epoch's line. An error means that the line could not be written.
func (b *Bar) OnEpoch(e *loop.Epoch) error {
	b.next = 0
	b.Clear()
	return b.lines.OnEpoch(e)
}

// OnDone erases the bar.
func (b *Bar) OnDone(*loop.Done) error {
	b.Clear()
	return nil
}

// Clear erases the bar. It is called before anything else is written to the terminal, and when a run ends early. It may be
// called more than once.
func (b *Bar) Clear() { b.screen.clear() }

// layouts are the ways to show an iteration, from the widest to the narrowest.
func layouts(it *loop.Iteration) []layout {
	var (
		iterations = &gauge{done: int64(it.Iteration), total: int64(max(it.Iterations, 1)), min: 10}
		small      = &gauge{done: iterations.done, total: iterations.total, min: 5}
		epochs     = strconv.Itoa(it.Epoch) + "/" + strconv.Itoa(it.Epochs)

		epoch   = []part{{label: "Epoch", value: epochs}}
		ep      = []part{{value: epochs}}
		count   = []part{{value: of(it.Iteration, it.Iterations)}}
		percent = []part{{value: strconv.FormatInt(iterations.percent(), 10) + "%"}}
		bar     = []part{{gauge: iterations}}
		short   = []part{{gauge: small}}
		loss    = []part{{label: "loss", value: mean(it.Loss)}}
		number  = []part{{value: mean(it.Loss)}}
		acc     = []part{{label: "acc", value: mean(it.Accuracy)}}

		extra, rates, scheduled, images, speed, timeLeft, left []part
	)
	for _, r := range it.Rates {
		p := part{label: r.Group, value: rate(r.LearningRate)}
		rates = append(rates, p)
		if r.Scheduled {
			scheduled = append(scheduled, p)
		}
	}
	for _, m := range it.Metrics {
		extra = append(extra, part{label: m.Name, value: mean(m.Value)})
	}
	if it.Elapsed > 0 {
		perSecond := rough(float64(it.Seen) / it.Elapsed.Seconds())
		images = []part{{value: perSecond + " images/s"}}
		speed = []part{{value: perSecond + "/s"}}
	}
	if it.Elapsed > 0 && it.Iteration > 0 {
		t := clock(remaining(it))
		timeLeft = []part{{value: t + " left"}}
		left = []part{{value: t}}
	}
	return []layout{
		{2, slices.Concat(epoch, count, bar, loss, acc, extra, rates, images, timeLeft)},
		{2, slices.Concat(epoch, count, bar, loss, acc, extra, scheduled, images, timeLeft)},
		{1, slices.Concat(ep, count, bar, loss, acc, extra, scheduled, speed, left)},
		{1, slices.Concat(ep, count, bar, loss, acc, extra, speed, left)},
		{1, slices.Concat(ep, count, bar, loss, acc, speed, left)},
		{1, slices.Concat(ep, count, bar, loss, acc, speed)},
		{1, slices.Concat(ep, count, short, loss, acc)},
		{1, slices.Concat(ep, count, loss, acc)},
		{1, slices.Concat(ep, percent, loss, acc)},
		{1, slices.Concat(ep, percent, loss)},
		{1, slices.Concat(ep, percent, number)},
		{1, slices.Concat(percent, number)},
		{1, percent},
	}
}

// remaining is the training time that the rest of the run will take at the mean speed of this epoch.
func remaining(it *loop.Iteration) time.Duration {
	left := it.Iterations - it.Iteration + max(0, it.Epochs-it.Epoch)*it.Iterations
	return time.Duration(float64(it.Elapsed) / float64(it.Iteration) * float64(left))
}
