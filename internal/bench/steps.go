package bench

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/loop"
	"fmtrain/internal/model"
)

// stepKind is a network, a batch and the solvers of the lower and the upper group.
type stepKind struct {
	batch        int
	hidden       []int
	lower, upper string

	short, layers string // a convolutional network instead of hidden, and its name
}

// stepKinds are the steps that are measured. The dense networks have LayerNorm and ReLU after each hidden layer.
var stepKinds = []stepKind{
	{batch: 32, hidden: []int{100}, lower: "sgd", upper: "nadam"},
	{batch: 32, hidden: []int{100}, lower: "adam", upper: "nadam"},
	{batch: 64, hidden: []int{200, 80}, lower: "momentum", upper: "rmsprop"},
	{batch: 128, hidden: []int{300, 100}, lower: "adam", upper: "nadam"},
	{batch: 512, hidden: []int{512, 512}, lower: "adamw", upper: "adamw"},
	{batch: 64, lower: "adam", upper: "nadam", short: "cnn",
		layers: "conv:32-ln-relu-maxpool-conv:64-ln-relu-maxpool-128-ln-relu-10"},
	{batch: 128, lower: "adam", upper: "nadam", short: "rescnn",
		layers: "conv:32-ln-gelu-maxpool-conv:64-ln-gelu-res(conv:64-ln-gelu)-maxpool-conv:128-ln-gelu-res(conv:128-ln-gelu)-globalmax-10"},
}

// name is such as 32x100 sgd/nadam.
func (k stepKind) name() string {
	network := k.short
	if k.layers == "" {
		network = k.units()
	}
	return fmt.Sprintf("%dx%s %s/%s", k.batch, network, k.lower, k.upper)
}

// units is the text of the hidden layers.
func (k stepKind) units() string {
	return strings.Trim(strings.ReplaceAll(fmt.Sprint(k.hidden), " ", ","), "[]")
}

// inputs are the inputs of each hidden layer and of the last layer.
func (k stepKind) inputs() []int { return append([]int{dataset.Pixels}, k.hidden...) }

// step is a kind under measurement.
type step struct {
	stepKind
	trainer *loop.Trainer
	stepper *loop.Stepper
	threads []int
	speeds  []*measurement // by the number of threads
	work    float64        // 10⁹ operations of the products
	apart   *measurement   // of the step in parts
	took    map[string]time.Duration
	whole   time.Duration // of the steps in parts
}

type steps []*step

// images is the number of images that the steps go through. They take 25 MB, more than most second caches.
const images = 1 << 15

func newSteps() (all steps, err error) {
	data := &build.Data{Data: &dataset.Data{}, Training: noise(images), Validation: &dataset.Set{}}
	for _, kind := range stepKinds {
		s, err := newStep(kind, data)
		if err != nil {
			all.close()
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (s steps) close() {
	for _, step := range s {
		step.trainer.Team.Close()
	}
}

// noise are n images of nothing: the time of a step doesn't depend on the values.
func noise(n int) *dataset.Set {
	random := rand.New(rand.NewPCG(1, 2))
	s := &dataset.Set{Images: make([]uint8, n*dataset.Pixels), Labels: make([]uint8, n)}
	for i := range s.Images {
		s.Images[i] = uint8(random.Uint32())
	}
	for i := range s.Labels {
		s.Labels[i] = uint8(random.IntN(dataset.Classes))
	}
	return s
}

// newStep builds the run as fmtrain train would.
func newStep(kind stepKind, data *build.Data) (*step, error) {
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	config.AddFlags(flags)
	network := []string{"--hidden", kind.units()}
	if kind.layers != "" {
		network = []string{"--layers", kind.layers, "--layernorm-form", "keras"}
	}
	err := flags.Parse(append(network, "--batch-size", fmt.Sprint(kind.batch),
		"--lower-solver", kind.lower, "--upper-solver", kind.upper, "--lower-lr", "1e-4", "--upper-lr", "1e-4"))
	if err != nil {
		return nil, err
	}
	settings, err := config.Resolve("", flags)
	if err != nil {
		return nil, err
	}
	m, err := build.NewModel(settings, nil)
	if err != nil {
		return nil, err
	}
	s := &step{stepKind: kind, took: map[string]time.Duration{}}
	if s.trainer, err = m.Trainer(build.Run{Data: data}); err != nil {
		return nil, err
	}
	s.work = float64(kind.batch) * operations(m.Model) / 1e9
	s.stepper = loop.NewStepper(s.trainer)
	for members := 1; members < s.trainer.Team.Max(); members *= 2 {
		s.threads = append(s.threads, members)
	}
	s.threads = append(s.threads, s.trainer.Team.Max())
	for _, members := range s.threads {
		s.speeds = append(s.speeds, &measurement{begin: func() { s.trainer.Team.Resize(members) }, do: s.steps})
	}
	s.apart = &measurement{begin: func() { s.trainer.Team.Resize(1) }, do: s.inParts}
	return s, nil
}

// operations are those of the products of a step, for an image: each weight is used forward, for dX and for dW at each place of a map.
// The images have no gradient.
func operations(m *model.Model) (n float64) {
	directions := 2.0
	for _, l := range m.Layers() {
		for _, p := range l.Parameters {
			if p.Role != layer.Weight {
				continue
			}
			places := l.Out.Size() / l.Out[len(l.Out)-1]
			n += 2 * directions * float64(places*p.Shape.TotalSize())
			directions = 3
		}
	}
	return n
}

func (s *step) steps(n int) error {
	for range n {
		if err := s.stepper.Step(); err != nil {
			return err
		}
	}
	return nil
}

// The parts of a step, in the order of the report.
const (
	partProducts    = "products"
	partNorm        = "layernorm"
	partActivations = "activations"
	partLoss        = "loss"
	partUpdates     = "updates"
	partFilling     = "filling"
	partRest        = "rest"
)

var partNames = []string{partProducts, partNorm, partActivations, partLoss, partUpdates, partFilling, partRest}

// partOf is the part that an op belongs to.
func partOf(op string) string {
	switch {
	case op == "DenseDB", op == "ConvDB": // sums over the rows
		return partRest
	case strings.HasPrefix(op, "Dense"), strings.HasPrefix(op, "Conv"):
		return partProducts
	case strings.HasPrefix(op, "LayerNorm"):
		return partNorm
	case strings.HasPrefix(op, "relu"), strings.HasPrefix(op, "gelu"):
		return partActivations
	case strings.HasPrefix(op, "Loss"), strings.HasPrefix(op, "Mean"):
		return partLoss
	}
	return partRest
}

// inParts makes steps on one thread, with a clock between the parts.
func (s *step) inParts(n int) error {
	graph := s.trainer.Graph
	graph.Watch(func(op string, t time.Duration) { s.took[partOf(op)] += t })
	defer graph.Watch(nil)
	for range n {
		rows, next := s.stepper.Rows()
		began := time.Now()
		clock := began
		lap := func(part string) {
			now := time.Now()
			s.took[part] += now.Sub(clock)
			clock = now
		}
		s.trainer.Train.Fill(graph.Images, graph.Labels, rows)
		if len(next) <= loop.MaxPrefetched {
			s.trainer.Train.Prefetch(next)
		}
		lap(partFilling)
		if err := graph.Run(); err != nil {
			return err
		}
		clock = time.Now()
		for i, g := range graph.Groups {
			if err := s.trainer.Solvers[i].Step(g.ValueGrads()); err != nil {
				return err
			}
		}
		lap(partUpdates)
		s.whole += clock.Sub(began)
	}
	return nil
}

func (s steps) measurements() (all []*measurement) {
	for _, step := range s {
		all = append(append(all, step.speeds...), step.apart)
	}
	return all
}

func (s steps) report(r *Report) {
	for _, step := range s {
		for i, threads := range step.threads {
			seconds := step.speeds[i].best()
			speed := step.work / seconds
			r.Steps = append(r.Steps, Step{
				step.name(), threads, float64(step.batch) / seconds, speed, speed / r.Peak.of(threads, r.Cores),
			})
		}
		r.Parts = append(r.Parts, step.shares())
	}
}

// shares are the parts' shares of all steps in parts; the rest is what no clock was for.
func (s *step) shares() Parts {
	p := Parts{Name: s.name()}
	rest := s.whole
	for _, part := range partNames[:len(partNames)-1] {
		rest -= s.took[part]
		p.Shares = append(p.Shares, PartShare{part, s.took[part].Seconds() / s.whole.Seconds()})
	}
	p.Shares = append(p.Shares, PartShare{partRest, rest.Seconds() / s.whole.Seconds()})
	return p
}
