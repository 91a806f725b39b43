package loop

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
)

// gradientsOf are the gradients of a step on these rows, in the order of the weights, and the step's counts.
func gradientsOf(t *testing.T, s setup, rows []int32) ([][]float32, metric.Tally) {
	t.Helper()
	trainer := s.trainer(t)
	trainer.share()
	counted, err := trainer.gradients.compute(1, 1, rows, nil)
	must(t, err)
	return trainer.gradients.values(), counted
}

// apart is the largest difference, relative to the largest value.
func apart(a, b []float32) float64 {
	var difference, largest float64
	for i, x := range a {
		difference = max(difference, math.Abs(float64(x)-float64(b[i])))
		largest = max(largest, math.Abs(float64(x)))
	}
	return difference / largest
}

// accumulationTolerance is the tolerance for a step's gradients, relative to the largest. A gradient is a sum over samples in
// float32. Several sums round differently from one, by about 2⁻²⁴. A short batch with the weight of a full one would be off by 1e-2.
const accumulationTolerance = 2e-6

// The gradients of several batches are those of one batch with all their rows, whether the last batch is short or not.
func TestAccumulatedGradients(t *testing.T) {
	s := small()
	rows := dataset.NewSampler(s.images, 3, true).Order(1)
	for _, c := range []struct{ batch, accumulate, rows int }{{5, 7, 35}, {5, 7, 23}, {5, 7, 31}, {1, 8, 8}, {20, 3, 43}, {16, 2, 32}} {
		s.batch, s.accumulate = c.batch, c.accumulate
		got, counted := gradientsOf(t, s, rows[:c.rows])
		s.batch, s.accumulate = c.batch*c.accumulate, 1
		want, whole := gradientsOf(t, s, rows[:c.rows])
		for i, g := range got {
			if e := apart(want[i], g); !(e <= accumulationTolerance) {
				t.Errorf("%+v: gradient %d is off by %.2g, tolerance %.2g", c, i, e, accumulationTolerance)
			}
		}
		if counted.Seen != whole.Seen || counted.Correct != whole.Correct || math.Abs(counted.LossSum-whole.LossSum) > 1e-6*whole.LossSum {
			t.Errorf("%+v: counted %+v, one batch %+v", c, counted, whole)
		}
	}
}

// A step of one batch has the same bits as without accumulation, although other steps of the run have several batches.
func TestAccumulatedStepOfOneBatch(t *testing.T) {
	s := small()
	s.batch = 16
	rows := dataset.NewSampler(s.images, 3, true).Order(1)[:11]
	want, _ := gradientsOf(t, s, rows)
	s.accumulate = 4
	got, _ := gradientsOf(t, s, rows)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-without +with):\n%s", diff)
	}
}

// A run of accumulated small batches equals a run of large batches: the same number of steps and samples, and the same losses. The
// solver is SGD, because the adaptive solvers divide by gradients that are close to 0.
func TestAccumulationIsALargerBatch(t *testing.T) {
	s := small()
	s.images, s.batch, s.epochs = 93, 35, 10
	s.lower, s.upper = group{"sgd", 0.05}, group{"sgd", 0.2}
	s.schedules = [2]string{"step:epochs=3", "1cycle:max=2"}
	s.augment = "flip,shift:1,cutout:4"
	run := func(batch, accumulate int) (model.Weights, []Iteration) {
		s.batch, s.accumulate = batch, accumulate
		var seen recorder
		trainer := s.trainer(t, &seen)
		train(t, trainer)
		return trainer.Weights, seen.iterations
	}
	weights, want := run(35, 1)
	accumulated, got := run(5, 7)
	if len(got) != len(want) || len(got) != 30 {
		t.Fatalf("%d steps, expected %d, which are 30", len(got), len(want))
	}
	for i, it := range got {
		if math.Abs(it.BatchLoss-want[i].BatchLoss) > 1e-4*want[i].BatchLoss {
			t.Errorf("step %d: loss %v, expected %v", i, it.BatchLoss, want[i].BatchLoss)
		}
		it.BatchLoss, it.Loss, it.Accuracy = want[i].BatchLoss, want[i].Loss, want[i].Accuracy
		if diff := cmp.Diff(want[i], it); diff != "" {
			t.Errorf("step %d (-one batch +accumulated):\n%s", i, diff)
		}
	}
	for i, w := range weights {
		if e := apart(w.Value.Float32s(), accumulated[i].Value.Float32s()); !(e <= 1e-4) {
			t.Errorf("%s: off by %.2g", w.Name, e)
		}
	}
}

// A value that is not finite, in any batch of a step, ends the run before that step.
func TestDivergedInAnAccumulatedBatch(t *testing.T) {
	s := small()
	s.batch, s.accumulate = 5, 7
	var seen recorder
	trainer := s.trainer(t, &seen)
	weights := trainer.Weights
	var before map[string][]uint32
	seen.onIteration = func(it *Iteration) error {
		fill(values(t, weights, "upper.weight"), 3e38)
		before = bits(weights)
		return nil
	}
	_, err := trainer.Run(context.Background())
	var diverged *Diverged
	if !errors.As(err, &diverged) || diverged.Iteration != 2 || !same(before, bits(weights)) {
		t.Errorf("expected a Diverged in iteration 2 and the weights untouched, found %v", err)
	}
}

// Dropout masks don't depend on how a step is split into batches: two batches of 8 equal one of 16, except for rounding.
func TestAccumulatedDropout(t *testing.T) {
	losses := func(batch, accumulate int) (all []float64) {
		s := stacked("784-20-tanh-dropout:0.5-10")
		s.batch, s.accumulate = batch, accumulate
		s.lower, s.upper = group{"sgd", 0.1}, group{"sgd", 0.1}
		var seen recorder
		train(t, s.trainer(t, &seen))
		for _, it := range seen.iterations {
			all = append(all, it.BatchLoss)
		}
		return all
	}
	large := losses(16, 1)
	for i, found := range losses(8, 2) {
		if math.Abs(found-large[i]) > 1e-5 {
			t.Errorf("step %d: expected the loss %v, found %v", i+1, large[i], found)
		}
	}
}
