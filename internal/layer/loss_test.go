package layer_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/vm"
)

// crossEntropy is the loss of logits and labels as a problem. Its counts are set once it has been built.
func crossEntropy(logits *tensor.Dense, labels ...int32) (p *gradcheck.Problem, counts **layer.BatchLoss) {
	counts = new(*layer.BatchLoss)
	return &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			c, err := layer.NewBatchLoss(loss.Default(), n[0], n[1])
			if err != nil {
				return nil, err
			}
			*counts = c
			return c.Node, nil
		},
		Inputs: []*tensor.Dense{logits, labelsOf(labels...)},
	}, counts
}

// evaluate is the loss's value, the gradient of the logits, and the counts.
func evaluate(t rapid.TB, logits *tensor.Dense, labels ...int32) (loss float32, gradient []float32, counts *layer.BatchLoss) {
	t.Helper()
	p, c := crossEntropy(logits, labels...)
	r := static(t, p)
	return r.Y[0], r.Gradients[0], *c
}

// drawBatch draws logits and labels, the lowest label being 0 or layer.Ignored.
func drawBatch(t *rapid.T, lowest int32) (logits *tensor.Dense, labels []int32) {
	batch, classes := rapid.IntRange(1, 8).Draw(t, "batch"), rapid.IntRange(1, 10).Draw(t, "classes")
	logits = normal(rapid.Uint64().Draw(t, "seed"), batch, classes)
	return logits, rapid.SliceOfN(rapid.Int32Range(lowest, int32(classes-1)), batch, batch).Draw(t, "labels")
}

func TestCrossEntropyGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, labels := drawBatch(t, layer.Ignored)
		p, _ := crossEntropy(logits, labels...)
		checkGradients(t, p, 1e-2, 2e-3)
	})
}

// The same for all other losses, with some ignored rows. At the kinks of a loss there is no gradient to compare.
func TestLossGradients(t *testing.T) {
	const step = 1e-2
	for _, name := range loss.Names() {
		l, err := loss.New(name)
		if err != nil {
			t.Fatal(err)
		}
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				logits, labels := drawBatch(t, layer.Ignored)
				if nearKink(l, logits, labels, 2*step) {
					t.Skip("at a kink")
				}
				p := &gradcheck.Problem{
					Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
						b, err := layer.NewBatchLoss(l, n[0], n[1])
						if err != nil {
							return nil, err
						}
						return b.Node, nil
					},
					Inputs: []*tensor.Dense{logits, labelsOf(labels...)},
				}
				checkGradients(t, p, step, 1e-2)
			})
		})
	}
}

// nearKink says whether a row's gradient jumps within some distance of its logits.
func nearKink(l loss.Loss, logits *tensor.Dense, labels []int32, distance float32) bool {
	classes := logits.Shape()[1]
	work := make([]float64, classes)
	gradient := func(row []float32, label int32, j int, move float32) []float32 {
		d, moved := make([]float32, classes), slices.Clone(row)
		moved[j] += move
		l.Row(d, work, moved, int(label))
		return d
	}
	for r, label := range labels {
		if label == layer.Ignored {
			continue
		}
		row := logits.Float32s()[r*classes : (r+1)*classes]
		for j := range row {
			before, after := gradient(row, label, j, -distance), gradient(row, label, j, distance)
			for k := range before {
				if math.Abs(float64(after[k]-before[k]))*float64(classes) > 0.5 {
					return true
				}
			}
		}
	}
	return false
}

// The loss may be part of a larger cost, whose gradient it passes on.
func TestCrossEntropyGradientOfATriple(t *testing.T) {
	logits := normal(5, 3, 4)
	_, gradient, _ := evaluate(t, logits, 0, 3, 1)
	p, _ := crossEntropy(logits, 0, 3, 1)
	loss := p.Build
	p.Build = func(n gorgonia.Nodes) (*gorgonia.Node, error) {
		y, err := loss(n)
		if err != nil {
			return nil, err
		}
		return gorgonia.Mul(y, gorgonia.NewConstant(float32(3)))
	}
	for i, v := range static(t, p).Gradients[0] {
		if want := 3 * float64(gradient[i]); !(math.Abs(float64(v)-want) <= 1e-6) {
			t.Errorf("entry %d: expected %v, found %v", i, want, v)
		}
	}
}

func TestCrossEntropyAgainstFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, labels := drawBatch(t, layer.Ignored)
		loss, _, counts := evaluate(t, logits, labels...)
		classes := logits.Shape()[1]
		var sum float64
		var count, correct int
		for r, label := range labels {
			row := logits.Float32s()[r*classes : (r+1)*classes]
			predicted := slices.Index(row, slices.Max(row))
			if found := counts.Predictions[r]; int(found) != predicted {
				t.Errorf("row %d: expected the prediction %d, found %d", r, predicted, found)
			}
			if label == layer.Ignored {
				continue
			}
			var exps float64
			for _, v := range row {
				exps += math.Exp(float64(v))
			}
			sum += math.Log(exps) - float64(row[label])
			count++
			if predicted == int(label) {
				correct++
			}
		}
		if counts.Count != count || counts.Correct != correct {
			t.Errorf("expected %d of %d correct, found %d of %d", correct, count, counts.Correct, counts.Count)
		}
		if !(math.Abs(counts.LossSum-sum) <= 1e-12*(1+sum)) {
			t.Errorf("expected the sum %v, found %v", sum, counts.LossSum)
		}
		if want := sum / float64(max(count, 1)); !(math.Abs(float64(loss)-want) <= 1e-7*want+1e-15) {
			t.Errorf("expected the mean %v, found %v", want, loss)
		}
	})
}

// Ignored rows, whatever their values and places, change no bit of the loss and of the other rows' gradients, and no count.
func TestCrossEntropyLeavesOutIgnoredRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, labels := drawBatch(t, 0)
		loss, gradient, counts := evaluate(t, logits, labels...)
		classes := logits.Shape()[1]

		var paddedLogits, want []float32
		var paddedLabels []int32
		for r := range len(labels) + 1 {
			for range rapid.IntRange(0, 2).Draw(t, "ignored") {
				paddedLabels = append(paddedLabels, layer.Ignored)
				junk := rapid.SampledFrom([]float32{0, 1e30, float32(math.NaN()), float32(math.Inf(1))}).Draw(t, "junk")
				paddedLogits = append(paddedLogits, slices.Repeat([]float32{junk}, classes)...)
				want = append(want, make([]float32, classes)...)
			}
			if r < len(labels) {
				paddedLabels = append(paddedLabels, labels[r])
				paddedLogits = append(paddedLogits, logits.Float32s()[r*classes:(r+1)*classes]...)
				want = append(want, gradient[r*classes:(r+1)*classes]...)
			}
		}
		padded := tensor.New(tensor.WithShape(len(paddedLabels), classes), tensor.WithBacking(paddedLogits))
		paddedLoss, paddedGradient, paddedCounts := evaluate(t, padded, paddedLabels...)
		if paddedLoss != loss || paddedCounts.LossSum != counts.LossSum {
			t.Errorf("expected the loss %v of sum %v, found %v of %v", loss, counts.LossSum, paddedLoss, paddedCounts.LossSum)
		}
		if paddedCounts.Count != counts.Count || paddedCounts.Correct != counts.Correct {
			t.Errorf("expected %d of %d correct, found %d of %d", counts.Correct, counts.Count, paddedCounts.Correct, paddedCounts.Count)
		}
		if !sameBits(paddedGradient, want) {
			t.Errorf("expected the gradient %v, found %v", want, paddedGradient)
		}
	})
}

func TestCrossEntropyOfIgnoredRowsAlone(t *testing.T) {
	loss, gradient, counts := evaluate(t, normal(1, 3, 4), layer.Ignored, layer.Ignored, layer.Ignored)
	if loss != 0 || counts.LossSum != 0 || counts.Count != 0 || counts.Correct != 0 {
		t.Errorf("expected loss 0 of 0 rows, found %v and %+v", loss, *counts)
	}
	if !sameBits(gradient, make([]float32, 12)) {
		t.Errorf("expected a gradient of zeros, found %v", gradient)
	}
}

// A row that had a label in the previous run and has none now has the gradient 0.
func TestCrossEntropyForgetsTheRunBefore(t *testing.T) {
	g := gorgonia.NewGraph()
	labels := labelsOf(0, 1)
	logits := gorgonia.NodeFromAny(g, normal(1, 2, 3), gorgonia.WithName("logits"))
	loss, err := layer.NewBatchLoss(loss.Default(), logits, gorgonia.NodeFromAny(g, labels, gorgonia.WithName("labels")))
	if err != nil {
		t.Fatal(err)
	}
	gradients, err := gorgonia.Grad(loss.Node, logits)
	if err != nil {
		t.Fatal(err)
	}
	machine, err := vm.NewStatic(append(gradients, loss.Node)...)
	if err != nil {
		t.Fatal(err)
	}
	for _, second := range []int32{1, layer.Ignored} {
		labels.Int32s()[1] = second
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	found := gradients[0].Value().Data().([]float32)
	if slices.Max(found[:3]) == 0 || !sameBits(found[3:], make([]float32, 3)) {
		t.Errorf("expected a gradient of the first row only, found %v", found)
	}
	if loss.Count != 1 {
		t.Errorf("expected one row to count, found %d", loss.Count)
	}
}

func TestCrossEntropyOfExtremeLogits(t *testing.T) {
	const huge = 1e30
	logits := tensor.New(tensor.WithShape(4, 3), tensor.WithBacking([]float32{
		huge, -huge, 0, // right with certainty
		88, 89, 0, // exp overflows in float32
		-huge, -huge, -huge,
		3000, 3000, -3000,
	}))
	loss, gradient, counts := evaluate(t, logits, 0, 1, 2, 0)
	want := (math.Log1p(math.Exp(-1)) + math.Log(3) + math.Ln2) / 4
	if !(math.Abs(float64(loss)-want) <= 1e-7) {
		t.Errorf("expected the loss %v, found %v", want, loss)
	}
	q := 1 / (1 + math.E)
	for i, v := range []float64{0, 0, 0, q, -q, 0, 1. / 3, 1. / 3, -2. / 3, -0.5, 0.5, 0} {
		if !(math.Abs(float64(gradient[i])-v/4) <= 1e-7) {
			t.Errorf("gradient %d: expected %v, found %v", i, v/4, gradient[i])
		}
	}
	if diff := cmp.Diff([]int32{0, 1, 0, 0}, counts.Predictions); diff != "" {
		t.Errorf("predictions (-expected +found):\n%s", diff)
	}
}

func TestCrossEntropyRefusesLabels(t *testing.T) {
	for _, label := range []int32{4, 100, -2, math.MinInt32, math.MaxInt32} {
		p, _ := crossEntropy(normal(1, 3, 4), 0, layer.Ignored, label)
		_, err := p.Static()
		wantError(t, err, "expected labels from 0 to 3, found", "in row 2")
	}
}

func TestCrossEntropyRefusesShapes(t *testing.T) {
	for _, test := range []struct {
		what           string
		logits, labels *tensor.Dense
		parts          []string
	}{
		{"labels of another batch", normal(0, 3, 4), labelsOf(0, 1), []string{"labels [batch]", "(3, 4) and (2) of int32"}},
		{"a matrix of labels", normal(0, 3, 4), tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(3, 1)), []string{"(3, 1) of int32"}},
		{"a vector of logits", normal(0, 3), labelsOf(0, 1, 2), []string{"logits [batch,classes]", "(3) and (3)"}},
		{"float32 labels", normal(0, 3, 4), normal(0, 3), []string{"int32 labels", "of float32"}},
		{"float64 logits", tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(1, 2)), labelsOf(0), []string{"float64"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			g := gorgonia.NewGraph()
			_, err := layer.NewBatchLoss(loss.Default(), gorgonia.NodeFromAny(g, test.logits, gorgonia.WithName("logits")),
				gorgonia.NodeFromAny(g, test.labels, gorgonia.WithName("labels")))
			wantError(t, err, test.parts...)
		})
	}
}
