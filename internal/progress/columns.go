package progress

import (
	"strconv"
	"strings"

	"fmtrain/internal/loop"
	"fmtrain/internal/table"
)

// Widths of the numbers in a table.
const (
	meanWidth = len("0.5807")
	timeWidth = len("0.18 s")
	rateWidth = len("0.0000333")
)

// columns are the columns of a run, in their order. A larger Keep means a more important column.
func columns(s *loop.Start, steps bool) []column {
	place := len(of(s.Epochs, s.Epochs))
	all := []column{{
		Column: table.Column{Heading: "epoch", Width: place, Keep: 100},
		epoch:  func(e *loop.Epoch) string { return of(e.Epoch, e.Epochs) },
		step:   func(it *loop.Iteration) string { return of(it.Epoch, it.Epochs) },
	}}
	add := func(heading string, width, keep int, epoch func(*loop.Epoch) string, step func(*loop.Iteration) string) *column {
		all = append(all, column{Column: table.Column{Heading: heading, Width: width, Keep: keep}, epoch: epoch, step: step})
		return &all[len(all)-1]
	}
	if steps {
		add("step", len(strconv.Itoa(s.Iterations)), 95,
			func(e *loop.Epoch) string { return strconv.Itoa(e.Iterations) },
			func(it *loop.Iteration) string { return strconv.Itoa(it.Iteration) })
	}
	add("loss", meanWidth, 88,
		func(e *loop.Epoch) string { return mean(e.Loss) },
		func(it *loop.Iteration) string { return mean(it.Loss) })
	if s.Validated {
		add("val loss", meanWidth, 86, func(e *loop.Epoch) string { return mean(e.ValLoss) }, nil)
	}
	if s.Averaged {
		add("ema loss", meanWidth, 55, func(e *loop.Epoch) string { return mean(e.Average.Loss) }, nil)
	}
	add("acc", meanWidth, 84,
		func(e *loop.Epoch) string { return mean(e.Accuracy) },
		func(it *loop.Iteration) string { return mean(it.Accuracy) })
	if s.Validated {
		c := add("val acc", meanWidth, 90, func(e *loop.Epoch) string { return mean(e.ValAccuracy) }, nil)
		c.style = func(*loop.Epoch) string { return table.Bold }
	}
	if s.Averaged {
		add("ema acc", meanWidth, 80, func(e *loop.Epoch) string { return mean(e.Average.Accuracy) }, nil)
	}
	for i, name := range s.Metrics {
		// "precision:Ankle boot" has two lines in the heading.
		heading := strings.Replace(name, ":", "\n", 1)
		add(heading, meanWidth, 78-min(i, 20), func(e *loop.Epoch) string { return mean(e.Metrics[i].Value) }, nil)
	}
	add("time", timeWidth, 40, func(e *loop.Epoch) string { return seconds(e.Seconds) }, nil)
	add("images/s", 0, 30, func(e *loop.Epoch) string { return rough(e.SamplesPerSecond) }, nil)
	for i, r := range s.Rates {
		if r.Scheduled {
			add("lr "+r.Group, rateWidth, 50-min(i, 9),
				func(e *loop.Epoch) string { return rate(e.Rates[i].LearningRate) },
				func(it *loop.Iteration) string { return rate(it.Rates[i].LearningRate) })
		}
	}
	if s.Validated {
		c := add("", len(best), 82, func(e *loop.Epoch) string {
			if e.BestEpoch == e.Epoch {
				return best
			}
			return ""
		}, nil)
		c.Left = true
		c.style = func(*loop.Epoch) string { return table.Green }
	}
	return all
}

// best marks the epoch of the best validation accuracy so far.
const best = "best"
