// Package progress shows a run: as a bar on a terminal ([Bar]), as lines ([Lines]), as JSON lines ([JSON]). Each is a
// [loop.Observer] and writes only to the writers it is given.
//
//	Epoch 1/5  1234/1719  [=======>     ]  loss 0.6013  acc 0.7921  lower 0.0001  upper 0.001  104k images/s  0:03 left
//
// The three show the same values: loss and accuracy are those of the events, here to four decimals, in JSON in full.
package progress

import (
	"slices"
	"strconv"
	"time"

	"fmtrain/internal/loop"
)

// Bar shows a run on a terminal: a bar that is redrawn at most every 100 ms and at the last iteration of an epoch, and
// after each epoch the line of [Lines] above it. The time for redraws is that of the events, so an iteration that isn't drawn
// costs a comparison.
//
// The bar fits the terminal: on a narrow one it leaves out the learn rates first, then the metrics besides the accuracy, the
// time left, the images a second, the accuracy; on 20 columns it is "1/5 71% loss 0.6013".
type Bar struct {
	screen screen
	lines  *Lines
	next   time.Duration // of the epoch's training time, when the next redraw is due
}

// NewBar makes a bar on a terminal that understands ANSI escape sequences. The lines are normally on stdout; the bar is
// taken away before one is written.
func NewBar(t Terminal, lines *Lines) *Bar {
	return &Bar{screen: screen{Terminal: t}, lines: lines}
}

// OnStart shows nothing yet.
func (b *Bar) OnStart(*loop.Start) error { return nil }

// OnIteration redraws the bar if that is due. It never fails.
func (b *Bar) OnIteration(it *loop.Iteration) error {
	if it.Elapsed < b.next && it.Iteration < it.Iterations {
		return nil
	}
	b.next = it.Elapsed + interval
	b.screen.draw(layouts(it))
	return nil
}

// OnEpoch puts the epoch's line in the place of the bar. Its errors are those of writing the line.
func (b *Bar) OnEpoch(e *loop.Epoch) error {
	b.next = 0
	b.Clear()
	return b.lines.OnEpoch(e)
}

// OnDone takes the bar away.
func (b *Bar) OnDone(*loop.Done) error {
	b.Clear()
	return nil
}

// Clear takes the bar away: before anything else is written to the terminal, and when a run ends early. It may be called
// at any time between events, and more than once.
func (b *Bar) Clear() { b.screen.clear() }

// layouts are the ways to show an iteration, from the widest to the narrowest.
func layouts(it *loop.Iteration) []layout {
	var (
		iterations = &gauge{done: int64(it.Iteration), total: int64(max(it.Iterations, 1)), min: 10}
		small      = &gauge{done: iterations.done, total: iterations.total, min: 3}
		epochs     = strconv.Itoa(it.Epoch) + "/" + strconv.Itoa(it.Epochs)

		epoch   = []part{{label: "Epoch", value: epochs}}
		ep      = []part{{value: epochs}}
		count   = []part{{value: of(it.Iteration, it.Iterations)}}
		percent = []part{{value: strconv.FormatInt(iterations.percent(), 10) + "%"}}
		wide    = []part{{gauge: iterations}}
		bar     = []part{{gauge: small}}
		loss    = []part{{label: "loss", value: mean(it.Loss)}}
		number  = []part{{value: mean(it.Loss)}}
		acc     = []part{{label: "acc", value: mean(it.Accuracy)}}

		extra = metrics(it.Metrics)

		rates, images, speed, timeLeft, left []part
	)
	rates = rateParts(it.Rates)
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
		{2, slices.Concat(epoch, count, wide, loss, acc, extra, rates, images, timeLeft)},
		{1, slices.Concat(ep, count, bar, loss, acc, extra, rates, speed, left)},
		{1, slices.Concat(ep, count, wide, loss, acc, extra, speed, left)},
		{1, slices.Concat(ep, count, wide, loss, acc, speed, left)},
		{1, slices.Concat(ep, count, wide, loss, acc, speed)},
		{1, slices.Concat(ep, count, bar, loss, acc)},
		{1, slices.Concat(ep, count, loss, acc)},
		{1, slices.Concat(ep, percent, loss, acc)},
		{1, slices.Concat(ep, percent, loss)},
		{1, slices.Concat(ep, percent, number)},
		{1, slices.Concat(percent, number)},
		{1, percent},
	}
}

// rateParts are the learn rates of the groups.
func rateParts(rates loop.Rates) (parts []part) {
	for _, r := range rates {
		parts = append(parts, part{label: r.Group, value: rate(r.LearnRate)})
	}
	return parts
}

// remaining is the training time that the rest of the run takes at the mean speed of this epoch.
func remaining(it *loop.Iteration) time.Duration {
	left := it.Iterations - it.Iteration + max(0, it.Epochs-it.Epoch)*it.Iterations
	return time.Duration(float64(it.Elapsed) / float64(it.Iteration) * float64(left))
}
