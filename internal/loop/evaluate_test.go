package loop

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/kernel"
)

// An evaluation gives the results of the plain twin, however the images are split into the evaluator's batches.
func TestEvaluate(t *testing.T) {
	s := small()
	trainer := s.trainer(t)
	train(t, trainer)
	weights := trainer.Weights
	m := newTwin(weights, s.spec)
	all := noisyImages(2*evaluationBatch+3, 3)
	for _, n := range []int{1, 2, evaluationBatch - 1, evaluationBatch, evaluationBatch + 1, 2 * evaluationBatch, 2*evaluationBatch + 3} {
		set := all.Slice(0, n)
		evaluator, err := NewEvaluator(s.spec.Model(), weights, set)
		must(t, err)
		got, err := evaluator.Evaluate()
		must(t, err)
		loss, correct, confusion := m.measure(set)
		if math.Abs(got.Loss-loss) > 1e-6*loss {
			t.Errorf("%d images: loss %v, expected %v", n, got.Loss, loss)
		}
		if want := float64(correct) / float64(n); got.Accuracy != want || got.Count != n {
			t.Errorf("%d images: accuracy %v of %d, expected %v", n, got.Accuracy, got.Count, want)
		}
		if diff := cmp.Diff(confusion, got.Confusion); diff != "" {
			t.Errorf("%d images: confusion (-want +got):\n%s", n, diff)
		}
		again, err := evaluator.Evaluate()
		must(t, err)
		if diff := cmp.Diff(got, again); diff != "" {
			t.Errorf("%d images: the second time (-first +second):\n%s", n, diff)
		}
	}
}

// Each gets every row once, in order, with the prediction of its own logits.
func TestEvaluatorShowsEachRow(t *testing.T) {
	s := small()
	set := noisyImages(evaluationBatch+7, 3)
	evaluator, err := NewEvaluator(s.spec.Model(), s.spec.Weights(1), set)
	must(t, err)
	next, correct := 0, 0
	evaluator.Each = func(row, label, prediction int32, logits []float32) {
		if int(row) != next || label != int32(set.Labels[row]) || len(logits) != s.spec.Classes || kernel.ArgMax(logits) != int(prediction) {
			t.Fatalf("call %d: row %d, label %d, prediction %d, logits %v", next, row, label, prediction, logits)
		}
		next++
		if label == prediction {
			correct++
		}
	}
	got, err := evaluator.Evaluate()
	must(t, err)
	if next != set.Len() || float64(correct)/float64(next) != got.Accuracy {
		t.Errorf("%d rows, %d right; expected %d and an accuracy of %g", next, correct, set.Len(), got.Accuracy)
	}
}

// Each call of an evaluator uses the current weights.
func TestEvaluatorFollowsWeights(t *testing.T) {
	s := small()
	weights, set := s.spec.Weights(1), noisyImages(30, 3)
	evaluator, err := NewEvaluator(s.spec.Model(), weights, set)
	must(t, err)
	first, err := evaluator.Evaluate()
	must(t, err)
	values(t, weights, "upper.bias")[4] += 100
	second, err := evaluator.Evaluate()
	must(t, err)
	for label, row := range second.Confusion {
		if row[4] != set.Stats().PerClass[label] {
			t.Errorf("class %d: %v, expected all of it taken for class 4", label, row)
		}
	}
	if cmp.Equal(first.Confusion, second.Confusion) {
		t.Error("the same evaluation after the weights have changed")
	}
}

// A network over maps is evaluated in smaller batches, the smaller the larger the maps. The result is that of any other batch.
func TestEvaluateMaps(t *testing.T) {
	for stack, want := range map[string]int{
		"784-100-10":             250,
		"784-conv:1-10":          250,
		"784-conv:32-ln-relu-10": (4 << 20) / (3*28*28*32 + 10),
		"784-conv:2000-10":       8,
	} {
		if found := batchFor(stacked(stack).spec.Model()); found != want {
			t.Errorf("%s: expected batches of %d images, found %d", stack, want, found)
		}
	}
	spec, set := stacked("784-maxpool-conv:60-ln-relu-conv:90-10").spec, noisyImages(121, 3)
	weights := spec.Weights(1)
	evaluator, err := NewEvaluator(spec.Model(), weights, set)
	must(t, err)
	found, err := evaluator.Evaluate()
	must(t, err)
	loss, correct := 0., 0
	for i := range set.Len() {
		one, err := NewEvaluator(spec.Model(), weights, set.Slice(i, i+1))
		must(t, err)
		e, err := one.Evaluate()
		must(t, err)
		loss += e.Loss / float64(set.Len())
		correct += int(e.Accuracy)
	}
	if math.Abs(found.Loss-loss) > 1e-12*loss || found.Accuracy != float64(correct)/float64(set.Len()) {
		t.Errorf("expected the loss %v and %d correct, found %v and %v", loss, correct, found.Loss, found.Accuracy)
	}
}
