package model_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

// The groups hold each weight once, in the order of the weights, and the solvers' view of a parameter is the weight itself.
func TestGroups(t *testing.T) {
	for _, upper := range []int{1, 2, 3} {
		spec := small()
		spec.UpperLayers = upper
		ws := newWeights(spec, 42)
		g := training(t, spec, ws, 2)
		var want, found [][2]string
		for _, w := range ws {
			want = append(want, [2]string{w.Group, w.Name})
		}
		for _, group := range g.Groups {
			for _, p := range group.Parameters {
				found = append(found, [2]string{group.Name, p.Name()})
				values := p.Value().Data().([]float32)
				if &values[0] != &weight(t, ws, p.Name())[0] {
					t.Errorf("%s: expected the parameter to share the weight's values", p.Name())
				}
			}
		}
		if diff := cmp.Diff(want, found); diff != "" {
			t.Errorf("%d upper layers (-expected +found):\n%s", upper, diff)
		}
		if len(g.Groups) != 2 || g.Groups[0].Name != model.Lower || g.Groups[1].Name != model.Upper {
			t.Errorf("%d upper layers: expected the groups lower and upper, found %d", upper, len(g.Groups))
		}
	}
	if g := inference(t, small(), newWeights(small(), 42), 2); g.Groups != nil {
		t.Errorf("expected no groups to train in an inference graph, found %d", len(g.Groups))
	}
}

// A frozen group has no parameters to train, and the gradients of the other have the same bits without it.
func TestFrozenGroups(t *testing.T) {
	spec := small()
	ws := newWeights(spec, 42)
	whole := training(t, spec, ws, 4)
	fill(whole, 1, spec.Classes)
	run(t, whole)
	all := gradients(t, whole)
	lower := len(whole.Groups[0].Parameters)
	for _, test := range []struct {
		frozen []string
		want   [][]float32
	}{
		{[]string{model.Lower}, all[lower:]},
		{[]string{model.Upper}, all[:lower]},
		{[]string{model.Lower, model.Upper}, nil},
	} {
		g, err := spec.Model().NewTraining(ws, 4, model.Training{Frozen: test.frozen})
		if err != nil {
			t.Fatal(err)
		}
		fill(g, 1, spec.Classes)
		run(t, g)
		if g.Loss.LossSum != whole.Loss.LossSum {
			t.Errorf("%v frozen: expected the loss %v, found %v", test.frozen, whole.Loss.LossSum, g.Loss.LossSum)
		}
		if diff := cmp.Diff(test.want, gradients(t, g)); diff != "" {
			t.Errorf("%v frozen: gradients (-expected +found):\n%s", test.frozen, diff)
		}
		if len(g.Groups) != 2 {
			t.Errorf("%v frozen: expected both groups, found %d", test.frozen, len(g.Groups))
		}
	}
}

// One backward pass gives the gradients of both groups. They match the differences of the loss of the inference graph, which shares
// no buffers with the training graph except the weights.
func TestGradientsByDifferences(t *testing.T) {
	const batch = 5
	for _, form := range []layernorm.Form{layernorm.Book, layernorm.Keras, model.NoLayerNorm} {
		for _, activation := range []string{"tanh", "gelu"} {
			t.Run(fmt.Sprint(form, " ", activation), func(t *testing.T) {
				spec := small()
				spec.LayerNorm, spec.Activation = form, activation
				ws := newWeights(spec, 42)
				train, forward := training(t, spec, ws, batch), inference(t, spec, ws, batch)
				fill(train, 1, spec.Classes)
				fill(forward, 1, spec.Classes)
				run(t, train)
				loss := func() float64 {
					run(t, forward)
					return forward.Loss.LossSum / batch
				}
				for i, got := range gradients(t, train) {
					largest := checkDifferences(t, ws[i], got, loss, 1e-4)
					if largest < 1e-3 && (form == model.NoLayerNorm || !strings.HasSuffix(ws[i].Name, ".bias")) {
						t.Errorf("%s: expected a gradient, found none above %v", ws[i].Name, largest)
					}
				}
			})
		}
	}
}

// reference is the loss of a batch in float64, written out layer by layer.
func reference(t *testing.T, spec spec, ws model.Weights, images []float32, labels []int32) (sum float64) {
	activate := map[string]func(float64) float64{"tanh": math.Tanh, "relu": func(x float64) float64 { return max(0, x) }}[spec.Activation]
	x := images
	for _, l := range spec.Layers() {
		w, b := weight(t, ws, l.Name+".weight"), weight(t, ws, l.Name+".bias")
		y := make([]float32, len(labels)*l.Out)
		for i := range y {
			v := float64(b[i%l.Out])
			for k := range l.In {
				v += float64(x[i/l.Out*l.In+k]) * float64(w[k*l.Out+i%l.Out])
			}
			y[i] = float32(v)
		}
		if l.Hidden && spec.LayerNorm != model.NoLayerNorm {
			norm := layernorm.Reference(y, weight(t, ws, l.Name+".norm.alpha"), weight(t, ws, l.Name+".norm.beta"), make([]float32, len(y)), spec.LayerNorm, spec.Epsilon)
			for i, v := range norm.Y {
				y[i] = float32(v)
			}
		}
		if l.Hidden {
			for i, v := range y {
				y[i] = float32(activate(float64(v)))
			}
		}
		x = y
	}
	for r, label := range labels {
		var exps float64
		row := x[r*spec.Classes : (r+1)*spec.Classes]
		for _, v := range row {
			exps += math.Exp(float64(v))
		}
		sum += math.Log(exps) - float64(row[label])
	}
	return sum
}

// The graph computes what the architecture says. A large ε makes the forms of LayerNorm differ.
func TestLossAgainstFloat64(t *testing.T) {
	for _, form := range []layernorm.Form{layernorm.Book, layernorm.Keras, model.NoLayerNorm} {
		for _, activation := range []string{"tanh", "relu"} {
			spec := small()
			spec.LayerNorm, spec.Epsilon, spec.Activation = form, 0.5, activation
			ws := newWeights(spec, 42)
			r := rand.New(rand.NewPCG(1, 1))
			for _, w := range ws {
				for i := range w.Value.Float32s() {
					w.Value.Float32s()[i] += float32(0.3 * r.NormFloat64())
				}
			}
			g := inference(t, spec, ws, 5)
			fill(g, 1, spec.Classes)
			run(t, g)
			if want := reference(t, spec, ws, g.Images, g.Labels); !(math.Abs(g.Loss.LossSum-want) <= 1e-5*want) {
				t.Errorf("%s, %s: expected the loss %v, found %v", form, activation, want, g.Loss.LossSum)
			}
		}
	}
}

// A second run of the same batch computes the same bits. Any number of graphs may share the weights.
func TestRunsRepeat(t *testing.T) {
	spec, ws := small(), newWeights(small(), 42)
	g := training(t, spec, ws, 3)
	fill(g, 1, spec.Classes)
	run(t, g)
	loss, want := g.Loss.LossSum, gradients(t, g)
	other := training(t, spec, ws, 3)
	fill(other, 2, spec.Classes)
	run(t, other)
	if other.Loss.LossSum == loss {
		t.Error("expected another loss of another batch")
	}
	run(t, g)
	if g.Loss.LossSum != loss || !slices.EqualFunc(gradients(t, g), want, sameBits) {
		t.Error("expected a second run to have the bits of the first")
	}
	fill(other, 1, spec.Classes)
	run(t, other)
	if other.Loss.LossSum != loss || !slices.EqualFunc(gradients(t, other), want, sameBits) {
		t.Error("expected a second graph to have the bits of the first")
	}
}

// Every graph sees the changes that a solver makes to a weight.
func TestGraphsShareTheWeights(t *testing.T) {
	spec, ws := small(), newWeights(small(), 42)
	train, forward := training(t, spec, ws, 3), inference(t, spec, ws, 3)
	fill(train, 1, spec.Classes)
	fill(forward, 1, spec.Classes)
	var last float64
	for step := range 3 {
		run(t, train)
		run(t, forward)
		if train.Loss.LossSum != forward.Loss.LossSum {
			t.Errorf("step %d: expected one loss, found %v in training and %v in inference", step, train.Loss.LossSum, forward.Loss.LossSum)
		}
		if !slices.Equal(train.Loss.Predictions, forward.Loss.Predictions) || train.Loss.Correct != forward.Loss.Correct {
			t.Errorf("step %d: expected the same predictions, found %v and %v", step, train.Loss.Predictions, forward.Loss.Predictions)
		}
		if step > 0 && train.Loss.LossSum >= last {
			t.Errorf("step %d: expected a lower loss than %v, found %v", step, last, train.Loss.LossSum)
		}
		last = train.Loss.LossSum
		all := gradients(t, train)
		i := 0
		for _, group := range train.Groups {
			for _, p := range group.Parameters {
				values := p.Value().Data().([]float32)
				for j, d := range all[i] {
					values[j] -= 0.001 * d // small enough for the loss to follow its gradient
				}
				i++
			}
		}
	}
}

// A short batch is filled up with ignored rows, whatever their images are. The loss, the counts and the gradients have the same bits
// as in a graph of the short batch's size.
func TestShortBatch(t *testing.T) {
	for _, batch := range []int{1, 2, 5} {
		spec, ws := small(), newWeights(small(), 42)
		exact, padded := training(t, spec, ws, batch), training(t, spec, ws, 6)
		fill(padded, 3, spec.Classes)
		run(t, padded) // a full batch, of which no value may remain
		for r := batch; r < 6; r++ {
			padded.Labels[r] = layer.Ignored
		}
		copy(exact.Images, padded.Images)
		copy(exact.Labels, padded.Labels)
		run(t, exact)
		run(t, padded)
		if exact.Loss.LossSum != padded.Loss.LossSum || exact.Loss.Count != batch || padded.Loss.Count != batch || exact.Loss.Correct != padded.Loss.Correct {
			t.Errorf("batch %d: expected the same counts, found %+v and %+v", batch, *exact.Loss, *padded.Loss)
		}
		want := gradients(t, exact)
		for i, got := range gradients(t, padded) {
			if !slices.Equal(got, want[i]) { // not bit by bit: adding a row of zeros may turn −0 into 0
				t.Errorf("batch %d: %s: expected the gradient %v, found %v", batch, ws[i].Name, want[i], got)
			}
		}
	}
}

func TestFirstNonFinite(t *testing.T) {
	nan := float32(math.NaN())
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		what    string
		corrupt func(g *model.Graph, ws model.Weights)
		want    string
	}{
		{"nothing", func(*model.Graph, model.Weights) {}, ""},
		{"a NaN among the images", func(g *model.Graph, _ model.Weights) { g.Images[7] = nan }, "images"},
		{"an infinite weight", func(_ *model.Graph, ws model.Weights) { weight(t, ws, "lower.0.weight")[3] = inf }, "lower.0.weight"},
		{"a NaN in an upper bias", func(_ *model.Graph, ws model.Weights) { weight(t, ws, "upper.0.bias")[0] = nan }, "upper.0.bias"},
		{"a NaN in an alpha", func(_ *model.Graph, ws model.Weights) { weight(t, ws, "lower.1.norm.alpha")[0] = nan }, "lower.1.norm.alpha"},
		{"logits that overflow", func(_ *model.Graph, ws model.Weights) {
			for i := range weight(t, ws, "upper.weight") {
				weight(t, ws, "upper.weight")[i] = 3e38
			}
			for i := range weight(t, ws, "upper.0.norm.beta") {
				weight(t, ws, "upper.0.norm.beta")[i] = 10 // tanh(10) is 1
			}
		}, "upper.dense"},
		{"a gradient that overflows", func(_ *model.Graph, ws model.Weights) {
			for i := range weight(t, ws, "upper.weight") {
				weight(t, ws, "upper.weight")[i] *= 1e38
			}
			clear(weight(t, ws, "upper.0.weight")) // constant rows, whose gradient LayerNorm divides by ε
		}, "gradient of upper.0.dense"},
	} {
		t.Run(test.what, func(t *testing.T) {
			spec, ws := small(), newWeights(small(), 42)
			g := training(t, spec, ws, 3)
			fill(g, 1, spec.Classes)
			test.corrupt(g, ws)
			run(t, g)
			if found := g.FirstNonFinite(); found != test.want {
				t.Errorf("expected %q, found %q", test.want, found)
			}
		})
	}
}

func TestGraphRefuses(t *testing.T) {
	spec := small()
	g := inference(t, spec, newWeights(spec, 1), 2)
	fill(g, 1, spec.Classes)
	g.Labels[1] = int32(spec.Classes)
	wantError(t, g.Run(), "loss", "labels from 0 to 3, found 4 in row 1")

	spec.Epsilon = -1
	m := spec.Model()
	_, err := m.NewTraining(m.NewWeights(1), 2, model.Training{})
	wantError(t, err, "model: layer lower.0", "positive, finite epsilon, found -1")
	_, err = m.NewInference(m.NewWeights(1), 2)
	wantError(t, err, "model: layer lower.0", "positive, finite epsilon, found -1")
}

// A training step allocates nothing; with shapes as small as these the products stay on one goroutine.
func TestRunDoesNotAllocate(t *testing.T) {
	for _, form := range []layernorm.Form{layernorm.Book, layernorm.Keras, model.NoLayerNorm} {
		spec := small()
		spec.LayerNorm = form
		g := training(t, spec, newWeights(spec, 42), 8)
		fill(g, 1, spec.Classes)
		if allocations := testing.AllocsPerRun(50, func() { run(t, g) }); allocations != 0 {
			t.Errorf("%s: expected no allocation in a step, found %v", form, allocations)
		}
	}
}
