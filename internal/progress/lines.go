package progress

import (
	"fmt"
	"io"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
)

// Lines writes one line an epoch, 79 columns or less in an ordinary run: loss and accuracy in training and, where there is
// validation, in validation; metrics that were asked for, in validation, which may make the line longer; the training time and
// the images a second; "best" if its validation accuracy is the best so far.
//
//	Epoch 1/5  loss 0.6013 val 0.4571  acc 0.7921 val 0.8402  0.52 s 105k/s  best
//
// Where weights are averaged, what they come to in validation is after "ema"; where a learn rate has a schedule, the rates of the
// epoch's last step come after the speed.
type Lines struct {
	w     io.Writer
	color bool
	line  []byte
}

// NewLines makes lines on w. Without color they have no control characters.
func NewLines(w io.Writer, color bool) *Lines { return &Lines{w: w, color: color} }

// OnStart writes nothing.
func (l *Lines) OnStart(*loop.Start) error { return nil }

// OnIteration writes nothing.
func (l *Lines) OnIteration(*loop.Iteration) error { return nil }

// OnEpoch writes the epoch's line in one Write, or returns its error.
func (l *Lines) OnEpoch(e *loop.Epoch) error {
	epoch := []part{{label: "Epoch", value: of(e.Epoch, e.Epochs)}}
	loss := []part{{label: "loss", value: mean(e.Loss)}}
	acc := []part{{label: "acc", value: mean(e.Accuracy)}}
	if e.BestEpoch > 0 {
		loss = append(loss, part{label: "val", value: mean(e.ValLoss)})
		acc = append(acc, part{label: "val", value: mean(e.ValAccuracy), style: bold})
	}
	if e.Average != nil {
		loss = append(loss, part{label: "ema", value: mean(e.Average.Loss)})
		acc = append(acc, part{label: "ema", value: mean(e.Average.Accuracy)})
	}
	speed := []part{{value: seconds(e.Seconds)}, {value: rough(e.SamplesPerSecond) + "/s"}}
	groups := [][]part{epoch, loss, acc}
	if len(e.Metrics) > 0 {
		groups = append(groups, append([]part{{label: "val"}}, metrics(e.Metrics)...))
	}
	groups = append(groups, speed)
	if e.Scheduled {
		groups = append(groups, rateParts(e.Rates))
	}
	if e.BestEpoch == e.Epoch {
		groups = append(groups, []part{{value: "best", style: green}})
	}
	l.line = l.line[:0]
	for i, parts := range groups {
		if i > 0 {
			l.line = append(l.line, "  "...)
		}
		l.line = layout{1, parts}.append(l.line, 0, l.color)
	}
	l.line = append(l.line, '\n')
	if _, err := l.w.Write(l.line); err != nil {
		return fmt.Errorf("write the line of epoch %d: %w", e.Epoch, err)
	}
	return nil
}

// metrics are parts like "top3 0.9789".
func metrics(values metric.Values) (parts []part) {
	for _, v := range values {
		parts = append(parts, part{label: v.Name, value: mean(v.Value)})
	}
	return parts
}

// OnDone writes nothing.
func (l *Lines) OnDone(*loop.Done) error { return nil }
