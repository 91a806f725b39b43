package loop

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/solver"
)

// With frozen weights, the loss and accuracy of an epoch are those of all samples at once, although the last batch has only 6 of 70.
func TestEpochMeansAreOverSamples(t *testing.T) {
	s := small()
	s.lower.rate, s.upper.rate, s.epochs = 0, 0, 2
	var seen recorder
	trainer := s.trainer(t, &seen)
	train(t, trainer)
	loss, correct, _ := newTwin(trainer.Weights, s.spec).measure(trainer.Train)

	var meanOfMeans float64
	for _, it := range seen.iterations[:3] {
		meanOfMeans += it.BatchLoss / 3
	}
	if math.Abs(meanOfMeans-loss) < 1e-4 {
		t.Fatalf("the mean of the batches' means is %v, that of the samples %v: the test can't tell them apart", meanOfMeans, loss)
	}
	for _, e := range seen.epochs {
		if math.Abs(e.Loss-loss) > 1e-6*loss {
			t.Errorf("epoch %d: loss %v, expected %v", e.Epoch, e.Loss, loss)
		}
		if want := float64(correct) / 70; e.Accuracy != want {
			t.Errorf("epoch %d: accuracy %v, expected %v", e.Epoch, e.Accuracy, want)
		}
	}
}

// The running means of an iteration are over the batches so far, each weighted by its number of samples.
func TestIterationEvents(t *testing.T) {
	s := small()
	s.epochs = 2
	var seen recorder
	train(t, s.trainer(t, &seen))

	sizes := []int{32, 32, 6}
	var sum float64
	for i, it := range seen.iterations {
		k := i % 3
		if k == 0 {
			sum = 0
		}
		sum += it.BatchLoss * float64(sizes[k])
		want := Iteration{
			Epoch: i/3 + 1, Epochs: 2, Iteration: k + 1, Iterations: 3, Seen: []int{32, 64, 70}[k],
			BatchLoss: it.BatchLoss, Loss: sum / float64(it.Seen), Accuracy: it.Accuracy,
			Rates: Rates{{Group: "lower", LearningRate: 1e-3}, {Group: "upper", LearningRate: 1e-2}},
		}
		if math.Abs(it.Loss-want.Loss) > 1e-12*want.Loss {
			t.Errorf("iteration %d: loss %v, the batches' sum gives %v", i, it.Loss, want.Loss)
		}
		want.Loss = it.Loss
		if diff := cmp.Diff(want, it); diff != "" {
			t.Errorf("iteration %d (-want +got):\n%s", i, diff)
		}
		if hits := it.Accuracy * float64(it.Seen); math.Abs(hits-math.Round(hits)) > 1e-9 || hits < 0 || hits > float64(it.Seen) {
			t.Errorf("iteration %d: accuracy %v is no fraction of %d samples", i, it.Accuracy, it.Seen)
		}
	}
	for i, e := range seen.epochs {
		last := seen.iterations[3*i+2]
		if e.Loss != last.Loss || e.Accuracy != last.Accuracy {
			t.Errorf("epoch %d: loss and accuracy %v, %v are not those of its last iteration, %v, %v", i+1, e.Loss, e.Accuracy, last.Loss, last.Accuracy)
		}
	}
}

// The events come in order and hold what their definition says.
func TestEventsInOrder(t *testing.T) {
	s := small()
	s.epochs = 2
	var seen recorder
	trainer := s.trainer(t, &seen)
	trainer.Settings = "the settings"
	done := train(t, trainer)

	var kinds string
	for _, e := range seen.events {
		switch e.(type) {
		case Start:
			kinds += "s"
		case Iteration:
			kinds += "i"
		case Epoch:
			kinds += "e"
		case Done:
			kinds += "d"
		}
	}
	if kinds != "siiieiiied" {
		t.Errorf("events in the order %s", kinds)
	}
	if diff := cmp.Diff(Start{Settings: "the settings", Epochs: 2, Iterations: 3, Samples: 70, Rates: Rates{{Group: "lower", LearningRate: 1e-3}, {Group: "upper", LearningRate: 1e-2}}}, seen.events[0]); diff != "" {
		t.Errorf("start (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(&Done{
		Epochs: 2, Checkpoint: trainer.Checkpoints.Dir.Last(), WeightsSHA256: run.Digest(trainer.Weights), Seconds: done.Seconds, TotalSeconds: done.Seconds,
		BestLoss: math.NaN(), BestAccuracy: math.NaN(),
	}, done, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

// A run is a function of its settings and its data: the same weights, bit for bit, and the same events.
func TestReproducible(t *testing.T) {
	s := small()
	s.spec.Hidden = []int{130} // two blocks of gonum's products wide, so that they run in parallel
	s.images, s.batch, s.validation, s.epochs = 200, 128, 20, 2
	run := func(processors int, seed uint64, observed bool) (map[string][]uint32, []any) {
		defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(processors))
		s := s
		s.seed = seed
		var seen recorder
		var observers []Observer
		if observed {
			observers = []Observer{&seen}
		}
		trainer := s.trainer(t, observers...)
		train(t, trainer)
		return bits(trainer.Weights), seen.events
	}
	weights, events := run(2, 7, true)
	for name, run := range map[string]func() (map[string][]uint32, []any){
		"again":              func() (map[string][]uint32, []any) { return run(2, 7, true) },
		"with one processor": func() (map[string][]uint32, []any) { return run(1, 7, true) },
		"with no observer":   func() (map[string][]uint32, []any) { w, _ := run(2, 7, false); return w, events },
	} {
		w, e := run()
		if !same(weights, w) {
			t.Errorf("%s: other weights", name)
		}
		if diff := cmp.Diff(events, e); diff != "" {
			t.Errorf("%s: other events (-want +got):\n%s", name, diff)
		}
	}
	if w, _ := run(2, 8, true); slices.Equal(weights["lower.0.weight"], w["lower.0.weight"]) {
		t.Error("another seed gives the same weights")
	}
}

// A learning rate of 0 freezes its group, bit for bit and with any solver, while the other group learns.
func TestGroupsHaveRatesOfTheirOwn(t *testing.T) {
	for _, name := range solver.Names() {
		for _, frozen := range []string{model.Lower, model.Upper} {
			s := small()
			s.epochs = 1
			s.lower, s.upper = group{name, 1e-2}, group{name, 1e-2}
			if frozen == model.Lower {
				s.lower.rate = 0
			} else {
				s.upper.rate = 0
			}
			trainer := s.trainer(t)
			before := bits(trainer.Weights)
			train(t, trainer)
			after := bits(trainer.Weights)
			for _, w := range trainer.Weights {
				if unchanged := slices.Equal(before[w.Name], after[w.Name]); unchanged != (w.Group == frozen) {
					t.Errorf("%s, %s frozen: %s unchanged is %v", name, frozen, w.Name, unchanged)
				}
			}
		}
	}
}

// Two equal solvers, one for each group, do the same as one solver for all parameters.
func TestTwoSolversEqualOne(t *testing.T) {
	for _, name := range solver.Names() {
		s := small()
		s.lower, s.upper = group{name, 1e-2}, group{name, 1e-2}
		trainer := s.trainer(t)
		train(t, trainer)

		weights := s.spec.Weights(s.seed)
		graph, err := s.spec.Model().NewTraining(weights, s.batch, model.Training{})
		must(t, err)
		one := newSolver(t, group{name, 1e-2})
		all := append(graph.Groups[0].ValueGrads(), graph.Groups[1].ValueGrads()...)
		for epoch := 1; epoch <= s.epochs; epoch++ {
			for order := trainer.Sampler.Order(epoch); len(order) > 0; {
				rows := order[:min(s.batch, len(order))]
				order = order[len(rows):]
				trainer.Train.Fill(graph.Images, graph.Labels, rows)
				must(t, graph.Run())
				must(t, one.Step(all))
			}
		}
		if !same(bits(weights), bits(trainer.Weights)) {
			t.Errorf("%s: two solvers and one give different weights", name)
		}
	}
}

// failing is an observer that fails at one kind of event.
type failing struct {
	recorder
	at  string
	err error
}

func (f *failing) fail(at string, err error) error {
	if f.at == at {
		return f.err
	}
	return err
}

func (f *failing) OnStart(s *Start) error { return f.fail("start", f.recorder.OnStart(s)) }
func (f *failing) OnIteration(i *Iteration) error {
	return f.fail("iteration", f.recorder.OnIteration(i))
}
func (f *failing) OnEpoch(e *Epoch) error { return f.fail("epoch", f.recorder.OnEpoch(e)) }
func (f *failing) OnDone(d *Done) error   { return f.fail("done", f.recorder.OnDone(d)) }

// An observer's error ends the run and is returned. The other observers still get the event, and the run is saved.
func TestObserverErrorEndsRun(t *testing.T) {
	for at, events := range map[string]int{"start": 1, "iteration": 2, "epoch": 5, "done": 14} {
		first := &failing{at: at, err: errors.New("the disk is full")}
		var second recorder
		trainer := small().trainer(t, first, &second)
		_, err := trainer.Run(context.Background())
		if !errors.Is(err, first.err) {
			t.Errorf("%s: expected the observer's error, found %v", at, err)
		}
		if len(first.events) != events || len(second.events) != events {
			t.Errorf("%s: the observers were told %d and %d events, expected %d", at, len(first.events), len(second.events), events)
		}
		want := map[string]string{"iteration": "epoch 1, iteration 1", "epoch": "epoch 1", "done": "epoch 3"}[at]
		if saved, err := run.Load(trainer.Checkpoints.Dir.Last()); want != "" && (err != nil || saved.Progress.String() != want) {
			t.Errorf("%s: expected the checkpoint of %s, found %v", at, want, err)
		}
	}
}

// An observer that fails at the last iteration of an epoch ends the run after that epoch, which is validated and saved.
func TestObserverFailsAtAnEpochsEnd(t *testing.T) {
	var seen recorder
	broken := errors.New("the pipe is broken")
	s := small()
	s.validation = 10
	trainer := s.trainer(t, &seen)
	seen.onIteration = func(it *Iteration) error {
		if it.Epoch == 2 && it.Iteration == it.Iterations {
			return broken
		}
		return nil
	}
	_, err := trainer.Run(t.Context())
	var interrupted *Interrupted
	if !errors.Is(err, broken) || !errors.As(err, &interrupted) || interrupted.Iteration != interrupted.Iterations {
		t.Errorf("expected an Interrupted by %v, found %v", broken, err)
	}
	saved, err := run.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	if len(seen.epochs) != 2 || saved.Progress.String() != "epoch 2" {
		t.Errorf("%d epochs were shown, and the last checkpoint has %v", len(seen.epochs), saved.Progress)
	}
}
