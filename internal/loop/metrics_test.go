package loop

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/dataset"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
	"fmtrain/internal/team"
)

func newMetrics(t testing.TB, names ...string) *metric.Set {
	t.Helper()
	s, err := metric.NewSet(names, dataset.ClassNames[:])
	must(t, err)
	return s
}

// Means over the training samples cover the epoch so far, although the batches have different sizes: the accuracy by its function is
// the accuracy that the loss op counted.
func TestTrainingMetrics(t *testing.T) {
	s := small()
	s.epochs = 2
	iterations := 0
	seen := recorder{onIteration: func(it *Iteration) error {
		iterations++
		if len(it.Metrics) != 2 || it.Metrics[0] != (metric.Value{Name: "accuracy", Value: it.Accuracy}) || !(it.Metrics[1].Value >= it.Accuracy) {
			t.Errorf("epoch %d, iteration %d: accuracy %v, metrics %v", it.Epoch, it.Iteration, it.Accuracy, it.Metrics)
		}
		return nil
	}}
	trainer := s.trainer(t, &seen)
	trainer.Metrics = newMetrics(t, "accuracy", "top3")
	train(t, trainer)
	if iterations != 6 {
		t.Errorf("%d iterations", iterations)
	}
}

// The metrics of an evaluation cover its own samples, not those of earlier evaluations: precision and recall are those of the
// confusion matrix.
func TestEvaluationMetrics(t *testing.T) {
	s := small()
	s.images, s.epochs, s.validation = 700, 8, evaluationBatch+30
	var seen recorder
	trainer := s.trainer(t, &seen)
	trainer.Validation.Metrics = newMetrics(t, "precision:Bag", "recall:Bag", "accuracy", "macro-f1", "ece", "auc")
	train(t, trainer)
	result, err := trainer.Validation.Evaluate()
	must(t, err)
	const bag = 8
	scores := result.Confusion.Scores(dataset.ClassNames[:])
	var f1 float64
	for _, class := range scores {
		f1 += class.F1 / dataset.Classes
	}
	for i, want := range []float64{scores[bag].Precision, scores[bag].Recall, result.Accuracy, f1} {
		if found := result.Metrics[i]; math.Abs(found.Value-want) > 1e-12 {
			t.Errorf("expected %v, found %v", want, found)
		}
	}
	for i, found := range seen.epochs[7].Metrics {
		if found != result.Metrics[i] || !(found.Value > 0 && found.Value < 1) {
			t.Errorf("epoch 8 has %v, an evaluation after it %v", found, result.Metrics[i])
		}
	}
	if seen.epochs[6].Metrics[5] == seen.epochs[7].Metrics[5] {
		t.Error("the last epochs have the same metrics")
	}
}

// A checkpoint keeps the loss with its settings; a checkpoint without a loss means the cross-entropy. An evaluation of the checkpoint
// gives the run's own results.
func TestCheckpointKeepsTheLoss(t *testing.T) {
	for _, l := range []loss.Named{
		{}, // as in checkpoints that name no loss
		loss.Default(),
		{Name: "cross-entropy", Loss: &loss.CrossEntropy{LabelSmoothing: 0.25}},
		{Name: "focal", Loss: &loss.Focal{Gamma: 0.5}},
		{Name: "huber", Loss: &loss.Huber{Delta: 0.125}},
		{Name: "mse", Loss: loss.Func(loss.SquaredError)},
		{Name: "hinge", Loss: loss.Func(loss.Hinge)},
	} {
		s := small()
		s.epochs, s.validation, s.spec.Loss = 1, 20, l
		var seen recorder
		trainer := s.trainer(t, &seen)
		train(t, trainer)
		file, err := checkpoint.Load(trainer.Checkpoints.Dir.Last())
		must(t, err)
		if named := strings.Contains(file.Metadata["model"], `"loss"`); named != (l.Loss != nil) {
			t.Errorf("%s: the metadata has %s", l.Name, file.Metadata["model"])
		}
		saved, err := run.Load(trainer.Checkpoints.Dir.Last())
		must(t, err)
		if l.Loss != nil && saved.Model.Loss.String() != l.String() {
			t.Errorf("expected %v, found %v", l, saved.Model.Loss)
		}
		evaluator, err := NewEvaluator(saved.Model, saved.Weights, trainer.Validation.feed.set)
		must(t, err)
		result, err := evaluator.Evaluate()
		must(t, err)
		if result.Loss != seen.epochs[0].ValLoss {
			t.Errorf("%s: the epoch's loss is %v, that of its checkpoint %v", l.Name, seen.epochs[0].ValLoss, result.Loss)
		}
		if l.Loss == nil { // no name means the cross-entropy
			saved.Model.Loss = loss.Default()
			evaluator, err := NewEvaluator(saved.Model, saved.Weights, trainer.Validation.feed.set)
			must(t, err)
			plain, err := evaluator.Evaluate()
			must(t, err)
			if plain.Loss != result.Loss {
				t.Errorf("a checkpoint without a loss: expected the cross-entropy %v, found %v", plain.Loss, result.Loss)
			}
		}
	}
}

// An unknown loss, as from a later version of the program, is refused by name.
func TestLoadRefusesLosses(t *testing.T) {
	s := small()
	s.epochs = 0
	trainer := s.trainer(t)
	train(t, trainer)
	path := trainer.Checkpoints.Dir.Last()
	file, err := checkpoint.Load(path)
	must(t, err)
	for text, want := range map[string]string{
		`{"name":"triplet"}`:                  "loss: expected one of " + strings.Join(loss.Names(), ", ") + `, found "triplet"`,
		`{"name":"focal","focal_gamma":-2}`:   "loss focal: focal_gamma: expected a finite number of at least 0, found -2",
		`{"name":"hinge","margin":2}`:         "loss hinge has no setting margin",
		`"focal"`:                             "loss: expected an object",
		`{"name":"huber","huber_delta":null}`: "loss huber: huber_delta: expected a finite number above 0, found <nil>",
	} {
		spec, err := json.Marshal(s.spec.Model().Architecture)
		must(t, err)
		file.Metadata["model"] = strings.TrimSuffix(string(spec), "}") + `,"loss":` + text + "}"
		must(t, checkpoint.Save(path, file))
		if _, err := run.Load(path); err == nil || !strings.HasPrefix(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %s, found %v", text, want, err)
		}
	}
}

// The weights have the same bits for any number of threads that compute the loss.
func TestLossesByATeam(t *testing.T) {
	for _, name := range loss.Names() {
		l, err := loss.New(name)
		must(t, err)
		var alone map[string][]uint32
		for members := 1; members <= 2; members++ {
			s := small()
			s.epochs, s.spec.Loss = 1, l
			trainer := s.trainer(t)
			trainer.Team = team.New(members)
			defer trainer.Team.Close()
			train(t, trainer)
			trained := bits(trainer.Weights)
			if members == 1 {
				alone = trained
			} else if !same(alone, trained) {
				t.Errorf("%s: a team gives other weights", name)
			}
		}
	}
}

// Metrics on the training samples allocate nothing in a step.
func TestMetricsAllocateNothing(t *testing.T) {
	s := small()
	s.batch = 4
	epoch := func(images int) float64 {
		s.images = images
		trainer := s.trainer(t, silent{})
		trainer.Metrics = newMetrics(t, "top3")
		return allocations(t, trainer)
	}
	few, many := 2, 602
	if step := (epoch(many*s.batch) - epoch(few*s.batch)) / float64(many-few); step > 0.1 {
		t.Errorf("a step makes %v allocations", step)
	}
}
