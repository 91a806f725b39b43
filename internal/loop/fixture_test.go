package loop

import (
	"context"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
	"fmtrain/internal/run"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)

// noisyImages are n images of noise with a bright band for each class, so that a model can learn, but not perfectly.
func noisyImages(n int, seed uint64) *dataset.Set {
	source := rand.New(rand.NewPCG(seed, 0))
	s := &dataset.Set{Images: make([]uint8, n*dataset.Pixels), Labels: make([]uint8, n)}
	for i := range n {
		label := source.IntN(dataset.Classes)
		s.Labels[i] = uint8(label)
		image := s.Images[i*dataset.Pixels:][:dataset.Pixels]
		for j := range image {
			image[j] = uint8(source.IntN(160))
			if j/(2*dataset.Cols) == label {
				image[j] += uint8(source.IntN(96))
			}
		}
	}
	return s
}

// group is a solver and its learning rate.
type group struct {
	solver string
	rate   float64
}

// setup is a small run: 70 images in batches of 32, 32 and 6.
type setup struct {
	spec         modeltest.Spec
	images       int
	batch        int
	epochs       int
	seed         uint64
	lower, upper group
	validation   int

	schedules  [2]string // of the lower and the upper group; empty: none
	accumulate int
	clipNorm   float64
	decay      float64 // of the average; 0: none
	patience   int
	augment    string // empty: nothing
}

func small() setup {
	return setup{
		spec: modeltest.Spec{
			Inputs: dataset.Pixels, Hidden: []int{12}, Classes: dataset.Classes,
			Activation: "relu", LayerNorm: "book", Epsilon: 1e-3, UpperLayers: 1,
		},
		images: 70, batch: 32, epochs: 3, seed: 7,
		lower: group{"adam", 1e-3}, upper: group{"nadam", 1e-2},
	}
}

// trainer makes the run, with new weights and solvers, in a new directory.
func (s setup) trainer(t testing.TB, observers ...Observer) *Trainer {
	t.Helper()
	weights := s.spec.Weights(s.seed)
	graph, err := s.spec.Model().NewTraining(weights, s.batch, model.Training{})
	must(t, err)
	graph.Draw.Seed = s.seed
	var solvers []solver.Solver
	for _, g := range []group{s.lower, s.upper} {
		solvers = append(solvers, newSolver(t, g))
	}
	dir := run.Dir(t.TempDir())
	must(t, os.Mkdir(dir.Checkpoints(), 0o755))
	trainer := &Trainer{
		Model:       s.spec.Model(),
		Weights:     weights,
		Graph:       graph,
		Solvers:     solvers,
		Train:       noisyImages(s.images, 1),
		Sampler:     dataset.NewSampler(s.images, s.seed, true),
		Epochs:      s.epochs,
		Checkpoints: &run.Checkpoints{Dir: dir},
		observers:   observers,
		Accumulate:  s.accumulate,
		ClipNorm:    s.clipNorm,
		Patience:    s.patience,
	}
	var validation *dataset.Set
	if s.validation > 0 {
		validation = noisyImages(s.validation, 2)
		trainer.Validation, err = NewEvaluator(s.spec.Model(), weights, validation)
		must(t, err)
	}
	if s.augment != "" {
		augmentation, err := dataset.ParseAugmentation(s.augment)
		must(t, err)
		trainer.Augmenter = &dataset.Augmenter{Augmentation: augmentation, Seed: s.seed, First: 1000}
	}
	for _, text := range s.schedules {
		var parsed schedule.Schedule
		if text != "" {
			parsed, err = schedule.Parse(text)
			must(t, err)
		}
		trainer.Schedules = append(trainer.Schedules, parsed)
	}
	if s.decay > 0 {
		trainer.Average, err = NewAverage(s.spec.Model(), weights, s.decay, validation)
		must(t, err)
	}
	return trainer
}

// stacked is small with these layers.
func stacked(layers string) setup {
	s := small()
	s.spec.Hidden, s.spec.Activation, s.spec.Stack = nil, "", layers
	return s
}

func newSolver(t testing.TB, g group) solver.Solver {
	t.Helper()
	options, err := solver.Defaults(g.solver)
	must(t, err)
	s, err := solver.New(g.solver, g.rate, options)
	must(t, err)
	return s
}

// train runs the trainer to its end.
func train(t testing.TB, trainer *Trainer) *Done {
	t.Helper()
	done, err := trainer.Run(context.Background())
	must(t, err)
	return done
}

// recorder keeps every event without its times, and calls hooks.
type recorder struct {
	events      []any // *Start, Iteration, Epoch, Done
	iterations  []Iteration
	epochs      []Epoch
	onIteration func(*Iteration) error
	onEpoch     func(*Epoch) error
	onDone      func()
}

func (r *recorder) OnStart(s *Start) error {
	kept := *s
	kept.Began = time.Time{}
	r.events = append(r.events, kept)
	return nil
}

func (r *recorder) OnIteration(it *Iteration) error {
	kept := *it
	kept.Elapsed = 0
	kept.Rates = slices.Clone(it.Rates)
	kept.Metrics = slices.Clone(it.Metrics)
	r.events = append(r.events, kept)
	r.iterations = append(r.iterations, kept)
	if r.onIteration != nil {
		return r.onIteration(it)
	}
	return nil
}

func (r *recorder) OnEpoch(e *Epoch) error {
	kept := *e
	kept.Seconds, kept.SamplesPerSecond = 0, 0
	r.events = append(r.events, kept)
	r.epochs = append(r.epochs, kept)
	if r.onEpoch != nil {
		return r.onEpoch(e)
	}
	return nil
}

func (r *recorder) OnDone(d *Done) error {
	kept := *d
	kept.Seconds, kept.TotalSeconds, kept.Checkpoint = 0, 0, ""
	r.events = append(r.events, kept)
	if r.onDone != nil {
		r.onDone()
	}
	return nil
}

// bits are a copy of the weights, by name, as bits: a NaN equals itself.
func bits(weights model.Weights) map[string][]uint32 {
	m := map[string][]uint32{}
	for _, w := range weights {
		for _, v := range w.Value.Float32s() {
			m[w.Name] = append(m[w.Name], math.Float32bits(v))
		}
	}
	return m
}

// same says whether two results of [bits] are equal.
func same(a, b map[string][]uint32) bool { return maps.EqualFunc(a, b, slices.Equal[[]uint32]) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
