package layer_test

import (
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// The defects of Gorgonia v0.9.18 that this project's own ops and executor avoid. Each test asserts the defect, so it fails once a
// version fixes it.

const fixed = "Gorgonia has fixed this: see whether this project's workaround is still needed"

// run evaluates a graph by Gorgonia's tape machine.
func run(t *testing.T, g *gorgonia.ExprGraph) {
	t.Helper()
	machine := gorgonia.NewTapeMachine(g, gorgonia.TraceExec())
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
}

// Its softmax starts the search for the largest logit of each row from the first element of the whole tensor. If that element is far
// above a row, all exponentials of the row vanish. If a row's own first logit is far above, it overflows. The result is NaN on amd64,
// and a probability of about -1e-25 for the largest logit on arm64.
func TestGorgoniaSoftMaxOfOrdinaryLogits(t *testing.T) {
	for _, test := range []struct{ logits, want []float32 }{
		{[]float32{120, 0, 0, 1}, []float32{1, 0, 0.26894143, 0.7310586}},
		{[]float32{0, 0, 100, 0}, []float32{0.5, 0.5, 1, 0}},
	} {
		g := gorgonia.NewGraph()
		logits := tensor.New(tensor.WithShape(2, 2), tensor.WithBacking(slices.Clone(test.logits)))
		p := gorgonia.Must(gorgonia.SoftMax(gorgonia.NodeFromAny(g, logits, gorgonia.WithName("logits"))))
		run(t, g)
		found := p.Value().Data().([]float32)
		near := func(v, want float32) bool { return math.Abs(float64(v)-float64(want)) < 1e-3 } // no NaN is
		if slices.EqualFunc(found, test.want, near) {
			t.Errorf("%s: the softmax of %v is right, %v", fixed, test.logits, found)
		}
	}
}

// SoftMax and LogSoftMax of one node have the same hash, so the second becomes the first.
func TestGorgoniaMergesSoftMaxAndLogSoftMax(t *testing.T) {
	g := gorgonia.NewGraph()
	logits := gorgonia.NodeFromAny(g, normal(1, 2, 2), gorgonia.WithName("logits"))
	if gorgonia.Must(gorgonia.SoftMax(logits)) != gorgonia.Must(gorgonia.LogSoftMax(logits)) {
		t.Errorf("%s: SoftMax and LogSoftMax are two nodes", fixed)
	}
}

// Dropout multiplies the values it keeps by 1/(1−p), but their gradients by 1/p.
func TestGorgoniaDropoutGradient(t *testing.T) {
	const p = 0.2
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, tensor.Ones(tensor.Float32, 10, 10), gorgonia.WithName("x"))
	y := gorgonia.Must(gorgonia.Dropout(x, p))
	gradients, err := gorgonia.Grad(gorgonia.Must(gorgonia.Sum(y)), x)
	if err != nil {
		t.Fatal(err)
	}
	run(t, g)
	forward, backward := slices.Max(y.Value().Data().([]float32)), slices.Max(gradients[0].Value().Data().([]float32))
	if forward != float32(1/(1-p)) || backward == forward {
		t.Errorf("%s: with p = %v the output is multiplied by %v, the gradient by %v", fixed, p, forward, backward)
	}
}

// A second RunAll without a Reset runs nothing: the old result stays, without an error.
func TestGorgoniaTapeMachineRepeatsItself(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]float32{3, 3})), gorgonia.WithName("x"))
	square := gorgonia.Must(gorgonia.Square(x))
	machine := gorgonia.NewTapeMachine(g, gorgonia.TraceExec())
	defer machine.Close()
	for _, v := range []float32{3, 5} {
		x.Value().Data().([]float32)[0] = v
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
	}
	if found := square.Value().Data().([]float32)[0]; found != 9 {
		t.Errorf("%s: after 3 the square of 5 is %v", fixed, found)
	}
}
