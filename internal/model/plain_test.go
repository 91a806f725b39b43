package model_test

import (
	"context"
	"fmt"
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/op"
	"fmtrain/internal/solver"
)

// plain is a classifier in plain Gorgonia: its own ops and gradients, run by its tape machine. The values and the speed of this
// project's ops, executor and solvers are compared with it.
type plain struct {
	images, oneHot *tensor.Dense // the batch, [batch, inputs], and its labels, [batch, classes]
	loss           *gorgonia.Node
	parameters     gorgonia.Nodes // in the order of the weights
	machine        gorgonia.VM
}

// newPlain builds the graph over copies of the weights. Gorgonia's SoftMax is wrong (see the defects in package layer), so the loss is
// written as a formula, the mean of log Σ exp(logits) − logit of the label. The maximum is not subtracted first, so logits must stay
// below 88, where exp overflows. In a short training they stay far below.
func newPlain(t testing.TB, spec spec, weights model.Weights, batch int) *plain {
	t.Helper()
	g := gorgonia.NewGraph()
	p := &plain{images: op.New(batch, spec.Inputs), oneHot: op.New(batch, spec.Classes)}
	do := func(n *gorgonia.Node, err error) *gorgonia.Node {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	next := func() *gorgonia.Node {
		w := weights[len(p.parameters)]
		n := gorgonia.NodeFromAny(g, w.Value.Clone().(*tensor.Dense), gorgonia.WithName(w.Name))
		p.parameters = append(p.parameters, n)
		return n
	}
	x := gorgonia.NodeFromAny(g, p.images, gorgonia.WithName("images"))
	for _, l := range spec.Layers() {
		x = do(gorgonia.BroadcastAdd(do(gorgonia.Mul(x, next())), next(), nil, []byte{0}))
		if l.Hidden && spec.LayerNorm != model.NoLayerNorm {
			x = do(layernorm.Composite(spec.LayerNorm, float32(spec.Epsilon))(gorgonia.Nodes{x, next(), next()}))
		}
		if l.Hidden {
			x = do(gorgonia.Rectify(x))
		}
	}
	oneHot := gorgonia.NodeFromAny(g, p.oneHot, gorgonia.WithName("labels"))
	logSum := do(gorgonia.Log(do(gorgonia.Sum(do(gorgonia.Exp(x)), 1))))
	logit := do(gorgonia.Sum(do(gorgonia.HadamardProd(x, oneHot)), 1))
	p.loss = do(gorgonia.Mean(do(gorgonia.Sub(logSum, logit))))
	if _, err := gorgonia.Grad(p.loss, p.parameters...); err != nil {
		t.Fatal(err)
	}
	p.machine = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(p.parameters...))
	t.Cleanup(func() { p.machine.Close() })
	return p
}

// setLabels makes the rows of oneHot those of the labels.
func (p *plain) setLabels(labels []int32) {
	p.oneHot.Zero()
	for row, label := range labels {
		p.oneHot.Float32s()[row*p.oneHot.Shape()[1]+int(label)] = 1
	}
}

// run computes the loss and the gradients. The tape machine adds them to the old gradients, which Gorgonia's solvers set to zero.
func (p *plain) run(t testing.TB) (loss float64) {
	t.Helper()
	p.machine.Reset()
	if err := p.machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	return float64(p.loss.Value().Data().(float32))
}

// mnist is the architecture of the default settings, with a form of LayerNorm or none.
func mnist(form layernorm.Form) spec {
	return spec{
		Inputs: dataset.Pixels, Hidden: []int{100}, Classes: dataset.Classes, Activation: "relu",
		LayerNorm: form, Epsilon: layernorm.DefaultEpsilon, UpperLayers: 1,
	}
}

// images are batches of the embedded sample in the order of an epoch, repeated without end.
type images struct {
	set   *dataset.Set
	order []int32
	next  int
}

func newImages(t testing.TB) *images {
	t.Helper()
	data, err := dataset.Load(context.Background(), dataset.Options{Dir: dataset.SampleName})
	if err != nil {
		t.Fatal(err)
	}
	return &images{set: data.Train, order: dataset.NewSampler(data.Train.Len(), 1, true).Order(1)}
}

// fill fills a batch with the next images.
func (i *images) fill(x []float32, labels []int32) {
	if i.next+len(labels) > len(i.order) {
		i.next = 0
	}
	i.set.Fill(x, labels, i.order[i.next:i.next+len(labels)])
	i.next += len(labels)
}

const plainBatch = 32

// Both compute the same function: on one batch of images the losses differ by no more than 1e-6 of the loss, and each gradient
// by no more than 1e-5 of its largest entry. The rest is the rounding of two orders of float32 sums.
func TestPlainGorgonia(t *testing.T) {
	for _, form := range []layernorm.Form{layernorm.Book, layernorm.Keras, model.NoLayerNorm} {
		t.Run(string(form), func(t *testing.T) {
			weights := newWeights(mnist(form), 42)
			ours, theirs := training(t, mnist(form), weights, plainBatch), newPlain(t, mnist(form), weights, plainBatch)
			newImages(t).fill(ours.Images, ours.Labels)
			copy(theirs.images.Float32s(), ours.Images)
			theirs.setLabels(ours.Labels)
			run(t, ours)
			want, loss := theirs.run(t), ours.Loss.LossSum/plainBatch
			if !(math.Abs(loss-want) <= 1e-6*want) {
				t.Errorf("expected the loss of Gorgonia's own ops, %v, found %v", want, loss)
			}
			for i, got := range gradients(t, ours) {
				grad, err := theirs.parameters[i].Grad()
				if err != nil {
					t.Fatal(err)
				}
				var largest, off float64
				for j, v := range grad.Data().([]float32) {
					largest = max(largest, math.Abs(float64(v)))
					off = max(off, math.Abs(float64(v)-float64(got[j])))
				}
				if !(off <= 1e-5*largest) {
					t.Errorf("%s: expected a gradient within 1e-5 of the largest entry, %v, found %v off", weights[i].Name, largest, off)
				}
			}
		})
	}
}

// Gorgonia's own machine and Adam train the model as well as ours: after one pass over the sample both losses are the same to 2%, and
// far below log 10, the loss of a guess.
func TestPlainGorgoniaTrains(t *testing.T) {
	spec := mnist(layernorm.Book)
	weights := newWeights(spec, 42)
	theirs := newPlain(t, spec, weights, plainBatch)
	ours, step := trainer(t, spec, weights, "adam")
	train, adam := newImages(t), gorgonia.NewAdamSolver(gorgonia.WithLearnRate(1e-3))
	var ourSum, theirSum float64
	steps := len(train.order) / plainBatch
	for i := range steps {
		train.fill(ours.Images, ours.Labels)
		copy(theirs.images.Float32s(), ours.Images)
		theirs.setLabels(ours.Labels)
		step()
		loss := theirs.run(t)
		if err := adam.Step(gorgonia.NodesToValueGrads(theirs.parameters)); err != nil {
			t.Fatal(err)
		}
		if i >= steps/2 {
			ourSum, theirSum = ourSum+ours.Loss.LossSum/plainBatch, theirSum+loss
		}
	}
	if ratio := ourSum / theirSum; !(math.Abs(ratio-1) <= 0.02) {
		t.Errorf("expected the losses of a half pass to agree within 2%%, found a ratio of %v", ratio)
	}
	if mean := theirSum / float64(steps-steps/2); !(mean < 0.7) {
		t.Errorf("expected a mean loss below 0.7 in the second half of a pass, found %v", mean)
	}
}

// trainer is a training graph and a function that makes one step of it, with the named solver at 1e-3 for both groups.
func trainer(t testing.TB, spec spec, weights model.Weights, name string) (*model.Graph, func()) {
	t.Helper()
	g, err := spec.Model().NewTraining(weights, plainBatch, model.Training{})
	if err != nil {
		t.Fatal(err)
	}
	options, err := solver.Defaults(name)
	if err != nil {
		t.Fatal(err)
	}
	var solvers []solver.Solver
	for range g.Groups {
		s, err := solver.New(name, 1e-3, options)
		if err != nil {
			t.Fatal(err)
		}
		solvers = append(solvers, s)
	}
	return g, func() {
		t.Helper()
		if err := g.Run(); err != nil {
			t.Fatal(err)
		}
		for i, group := range g.Groups {
			if err := solvers[i].Step(group.ValueGrads()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The two benchmarks make the same steps: a batch of 32 images of the sample, forward, backward, and Adam for every parameter of
// 784-100-10. Compare their images/s.

func BenchmarkStep(b *testing.B) {
	benchmarkForms(b, func(b *testing.B, spec spec, train *images) func() {
		g, step := trainer(b, spec, newWeights(spec, 42), "adam")
		return func() {
			train.fill(g.Images, g.Labels)
			step()
		}
	})
}

func BenchmarkPlainGorgonia(b *testing.B) {
	benchmarkForms(b, func(b *testing.B, spec spec, train *images) func() {
		p := newPlain(b, spec, newWeights(spec, 42), plainBatch)
		adam, labels := gorgonia.NewAdamSolver(gorgonia.WithLearnRate(1e-3)), make([]int32, plainBatch)
		return func() {
			train.fill(p.images.Float32s(), labels)
			p.setLabels(labels)
			p.run(b)
			if err := adam.Step(gorgonia.NodesToValueGrads(p.parameters)); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// benchmarkForms times a step of the model with and without LayerNorm.
func benchmarkForms(b *testing.B, build func(*testing.B, spec, *images) func()) {
	for _, form := range []layernorm.Form{layernorm.Book, model.NoLayerNorm} {
		b.Run(fmt.Sprintf("layernorm=%s", form), func(b *testing.B) {
			step := build(b, mnist(form), newImages(b))
			for b.Loop() {
				step()
			}
			b.ReportMetric(float64(b.N*plainBatch)/b.Elapsed().Seconds(), "images/s")
		})
	}
}
