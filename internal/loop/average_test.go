package loop

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/run"
)

// The average is taken over the weights after each step, without the initial weights; later steps weigh more. It is evaluated like the
// weights, and saved. It does not change the training.
func TestAverage(t *testing.T) {
	for _, decay := range []float64{0.5, 0.9, 0.999} {
		s := validated()
		s.decay = decay
		var seen recorder
		trainer := s.trainer(t, &seen)
		trained, average := trainer.Weights, trainer.Average.Weights
		if !same(bits(trained), bits(average)) {
			t.Error("before the first step the average is not the initial weights")
		}
		sums, weight := map[string][]float64{}, 0.0
		seen.onIteration = func(it *Iteration) error {
			weight = decay*weight + 1
			for _, w := range trained {
				values := w.Value.Float32s()
				if sums[w.Name] == nil {
					sums[w.Name] = make([]float64, len(values))
				}
				for i, x := range values {
					sums[w.Name][i] = decay*sums[w.Name][i] + float64(x)
				}
			}
			if it.Epoch == 1 && it.Iteration == 1 && !same(bits(trained), bits(average)) {
				t.Error("after the first step the average is not the weights")
			}
			return nil
		}
		validation := noisyImages(s.validation, 2)
		seen.onEpoch = func(e *Epoch) error {
			loss, correct, _ := newTwin(average, s.spec).measure(validation)
			if want := float64(correct) / float64(s.validation); e.Average.Accuracy != want || math.Abs(e.Average.Loss-loss) > 1e-5*loss {
				t.Errorf("epoch %d: the average's loss and accuracy are %+v, expected %v, %v", e.Epoch, *e.Average, loss, want)
			}
			return nil
		}
		train(t, trainer)
		for _, w := range average {
			for i, x := range w.Value.Float32s() {
				if want := sums[w.Name][i] / weight; math.Abs(float64(x)-want) > 1e-5*(1+math.Abs(want)) {
					t.Fatalf("decay %v: value %d of the average of %s is %v, expected %v", decay, i, w.Name, x, want)
				}
			}
		}

		for _, path := range []string{trainer.Checkpoints.Dir.Last(), trainer.Checkpoints.Dir.Best()} {
			saved, err := run.Load(path)
			must(t, err)
			if len(saved.Average) != len(average) || same(bits(saved.Weights), bits(saved.Average)) {
				t.Errorf("%s: %d averaged weights, or no others than the weights", path, len(saved.Average))
			}
		}
		saved, err := run.Load(trainer.Checkpoints.Dir.Last())
		must(t, err)
		if !same(bits(average), bits(saved.Average)) {
			t.Error("the last checkpoint has another average")
		}

		s.decay = 0
		var without recorder
		plain := s.trainer(t, &without)
		train(t, plain)
		if !same(bits(plain.Weights), bits(trained)) {
			t.Error("the average changes the training")
		}
		for i, e := range seen.epochs {
			e.Average = nil
			if diff := cmp.Diff(without.epochs[i], e); diff != "" {
				t.Errorf("epoch %d (-without an average +with):\n%s", e.Epoch, diff)
			}
		}
	}
}

// Without validation images there is an average, but nothing to measure it on.
func TestAverageWithoutValidation(t *testing.T) {
	s := small()
	s.decay = 0.9
	var seen recorder
	trainer := s.trainer(t, &seen)
	train(t, trainer)
	for _, e := range seen.epochs {
		if e.Average != nil {
			t.Errorf("epoch %d: %+v", e.Epoch, *e.Average)
		}
	}
	if same(bits(trainer.Weights), bits(trainer.Average.Weights)) {
		t.Error("the average is the weights")
	}
}

// The averages in a checkpoint have the names and shapes of the weights. Averages that don't fit the model are refused. A run that
// only starts from the checkpoint ignores them.
func TestAverageInACheckpoint(t *testing.T) {
	s := small()
	s.epochs, s.decay = 1, 0.9
	trainer := s.trainer(t)
	train(t, trainer)
	path := trainer.Checkpoints.Dir.Last()
	file, err := checkpoint.Load(path)
	must(t, err)
	shapes := map[string]string{}
	for _, tensor := range file.Tensors {
		shapes[tensor.Name] = fmt.Sprint(tensor.Shape)
	}
	for _, w := range trainer.Weights {
		if shapes["ema."+w.Name] == "" || shapes["ema."+w.Name] != shapes["model."+w.Name] {
			t.Errorf("%s: the average has shape %q, the weight %q", w.Name, shapes["ema."+w.Name], shapes["model."+w.Name])
		}
	}
	_, err = run.LoadWeights(path, trainer.Weights)
	must(t, err)

	kept := file.Tensors
	for want, tensors := range map[string][]checkpoint.Tensor{
		"averaged weights: tensor upper.bias: expected shape (10), found no such tensor": without(kept, "ema.upper.bias"),
		"averaged weights: tensor middle: expected none of this name, found shape (0)": append(kept[:len(kept):len(kept)],
			checkpoint.Tensor{Name: "ema.middle", Shape: []int{0}}),
	} {
		file.Tensors = tensors
		must(t, checkpoint.Save(path, file))
		if _, err := run.Load(path); err == nil || err.Error() != path+": "+want {
			t.Errorf("expected %s\nfound    %v", want, err)
		}
	}
}

func without(tensors []checkpoint.Tensor, name string) (rest []checkpoint.Tensor) {
	for _, t := range tensors {
		if !strings.HasPrefix(t.Name, name) {
			rest = append(rest, t)
		}
	}
	return rest
}
