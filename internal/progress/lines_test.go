package progress

import (
	"bytes"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
)

// epoch is an epoch with every feature.
var epoch = loop.Epoch{
	Epoch: 2, Epochs: 12, Iterations: 1719, Loss: 0.60134, ValLoss: 0.4571, Accuracy: 0.79206, ValAccuracy: 0.8402,
	Seconds: 0.5217, SamplesPerSecond: 105432, BestEpoch: 2,
	Average: &loop.Validation{Loss: 0.45123, Accuracy: 0.8612},
	Metrics: metric.Values{{Name: "top3", Value: 0.97889}, {Name: "precision:Ankle boot", Value: 1}},
	Rates:   loop.Rates{{Group: "lower", LearningRate: 1e-4 / 3, Scheduled: true}, {Group: "upper", LearningRate: 0.00123}},
}

// written is the output for an epoch after the given steps, on a terminal of the given width.
func written(t *testing.T, s loop.Start, columns, logEvery int, e *loop.Epoch, steps ...*loop.Iteration) string {
	t.Helper()
	s.Epochs, s.Iterations = e.Epochs, e.Iterations
	var got bytes.Buffer
	lines := NewLines(Terminal{Writer: &got, Width: func() int { return columns }}, logEvery)
	err := lines.OnStart(&s)
	for _, it := range steps {
		err = errors.Join(err, lines.OnIteration(it))
	}
	if err = errors.Join(err, lines.OnEpoch(e)); err != nil {
		t.Fatal(err)
	}
	return got.String()
}

// Each feature adds its columns. Without validation its columns are missing.
func TestColumns(t *testing.T) {
	worse := epoch
	worse.BestEpoch = 1
	for name, c := range map[string]struct {
		start loop.Start
		epoch loop.Epoch
		want  string
	}{
		"plain": {loop.Start{Validated: true, Rates: loop.Rates{{Group: "lower"}}}, epoch, `
epoch    loss  val loss     acc  val acc    time  images/s
 2/12  0.6013    0.4571  0.7921   0.8402  0.52 s      105k  best
`},
		"not the best": {loop.Start{Validated: true}, worse, `
epoch    loss  val loss     acc  val acc    time  images/s
 2/12  0.6013    0.4571  0.7921   0.8402  0.52 s      105k
`},
		"no validation": {loop.Start{}, epoch, `
epoch    loss     acc    time  images/s
 2/12  0.6013  0.7921  0.52 s      105k
`},
		"everything": {loop.Start{Validated: true, Averaged: true, Metrics: []string{"top3", "precision:Ankle boot"}, Rates: epoch.Rates}, epoch, `
                                                                      precision
epoch    loss  val loss  ema loss     acc  val acc  ema acc    top3  Ankle boot    time  images/s   lr lower
 2/12  0.6013    0.4571    0.4512  0.7921   0.8402   0.8612  0.9789      1.0000  0.52 s      105k  0.0000333  best
`},
	} {
		if diff := cmp.Diff(c.want[1:], written(t, c.start, 120, 0, &c.epoch)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// Without validation no number is NaN.
func TestNoValidation(t *testing.T) {
	e := epoch
	e.ValLoss, e.ValAccuracy, e.BestEpoch, e.Average, e.Metrics = math.NaN(), math.NaN(), 0, nil, nil
	if got := written(t, loop.Start{Rates: epoch.Rates}, 120, 100, &e); strings.Contains(got, "NaN") || strings.Contains(got, "val") {
		t.Errorf("without validation: %s", got)
	}
}

// On a narrow terminal the least important columns are left out, and nothing is wider than the terminal.
func TestLinesFitTheTerminal(t *testing.T) {
	full := loop.Start{Validated: true, Averaged: true, Metrics: []string{"top3", "precision:Ankle boot"}, Rates: epoch.Rates}
	for columns, want := range map[int]string{
		60: `
epoch    loss  val loss     acc  val acc    time
 2/12  0.6013    0.4571  0.7921   0.8402  0.52 s  best
`,
		40: `
epoch    loss  val loss  val acc
 2/12  0.6013    0.4571   0.8402
`} {
		if diff := cmp.Diff(want[1:], written(t, loop.Start{Validated: true}, columns, 0, &epoch)); diff != "" {
			t.Errorf("%d columns (-want +got):\n%s", columns, diff)
		}
	}
	for columns := 7; columns < 140; columns++ {
		for _, line := range strings.Split(written(t, full, columns, 10, &epoch), "\n") {
			if len(line) >= columns {
				t.Errorf("%d of %d columns: %s", len(line), columns, line)
			}
		}
	}
}

// Numbers of any size leave the columns straight.
func TestLargeNumbers(t *testing.T) {
	for _, x := range []float64{0, 9.99999, 10, 123.4567, 99999.9, 1e30, math.Inf(1), math.NaN()} {
		e := epoch
		e.Loss, e.ValLoss, e.SamplesPerSecond = x, x, math.Abs(x)
		for _, s := range []float64{0.001, 9.999, 99.99, 9999} {
			e.Seconds = s
			lines := strings.Split(written(t, loop.Start{Validated: true}, 80, 0, &e), "\n")
			if end := strings.Index(lines[0], "val acc") + len("val acc"); !strings.HasSuffix(lines[1][:end], "   0.8402") {
				if len(mean(x)) <= meanWidth {
					t.Errorf("%v:\n%s\n%s", x, lines[0], lines[1])
				}
			}
		}
	}
}

// Steps have lines between the epochs', under the same heading. The epoch's line takes the place of the last step's.
func TestStepLines(t *testing.T) {
	step := func(i int) *loop.Iteration {
		it := fashion.iteration(2, i)
		it.Epochs, it.Rates = 12, epoch.Rates
		return it
	}
	want := `
epoch  step    loss  val loss     acc  val acc    time   lr lower
 2/12   573  0.4295            0.9970                   0.0000333
 2/12  1146  0.4109            0.9976                   0.0000333
 2/12  1719  0.6013    0.4571  0.7921   0.8402  0.52 s  0.0000333  best
`
	got := written(t, loop.Start{Validated: true, Rates: epoch.Rates}, 80, 573, &epoch, step(572), step(573), step(574), step(1146), step(1719))
	if diff := cmp.Diff(want[1:], got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The heading is written once, and again when the terminal's width has changed the columns.
func TestHeadingFollowsWidth(t *testing.T) {
	columns := 80
	var got bytes.Buffer
	lines := NewLines(Terminal{Writer: &got, Width: func() int { return columns }}, 0)
	if err := lines.OnStart(fashion.start()); err != nil {
		t.Fatal(err)
	}
	var heads []int
	for _, columns = range []int{80, 80, 79, 60, 60, 80} {
		got.Reset()
		if err := lines.OnEpoch(fashion.epoch(1)); err != nil {
			t.Fatal(err)
		}
		heads = append(heads, strings.Count(got.String(), "val loss"))
	}
	if diff := cmp.Diff([]int{1, 0, 0, 1, 0, 1}, heads); diff != "" {
		t.Errorf("headings (-want +got):\n%s", diff)
	}
}
