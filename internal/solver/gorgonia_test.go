package solver

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// node is a Gorgonia node of the weights 1 and 2, in a graph that Gorgonia has run to give both the gradient 3.
func node(t *testing.T) *gorgonia.Node {
	t.Helper()
	vector := func(g *gorgonia.ExprGraph, name string, values ...float32) *gorgonia.Node {
		return gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(len(values)), gorgonia.WithName(name),
			gorgonia.WithValue(tensor.New(tensor.WithBacking(values))))
	}
	g := gorgonia.NewGraph()
	w, x := vector(g, "w", 1, 2), vector(g, "x", 3, 3)
	cost := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.HadamardProd(w, x))))
	if _, err := gorgonia.Grad(cost, w); err != nil {
		t.Fatal(err)
	}
	machine := gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(w))
	t.Cleanup(func() { _ = machine.Close() })
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestOnGorgoniaNodes(t *testing.T) {
	for _, name := range Names() {
		w := node(t)
		mustStep(t, mustNew(t, name, 0.1, nil), w)
		direct := newParameter("w", 1, 2)
		copy(direct.g, []float32{3, 3})
		mustStep(t, mustNew(t, name, 0.1, nil), direct)
		equalBits(t, name+": w", w.Value().Data().([]float32), direct.w)
		grad, err := w.Grad()
		if err != nil {
			t.Fatal(err)
		}
		equalBits(t, name+": gradient", grad.Data().([]float32), []float32{3, 3})
	}
}

// The tests below show the defects of Gorgonia v0.9.18 for which this package exists. A failure means that an upgrade has fixed
// a defect.

// firstStep is how far one of Gorgonia's own solvers moves the first weight of [node].
func firstStep(t *testing.T, s gorgonia.Solver) float64 {
	t.Helper()
	w := node(t)
	if err := s.Step(gorgonia.NodesToValueGrads(gorgonia.Nodes{w})); err != nil {
		t.Fatal(err)
	}
	return math.Abs(float64(1 - w.Value().Data().([]float32)[0]))
}

func TestGorgoniaAdamWNeverMoves(t *testing.T) {
	if moved := firstStep(t, gorgonia.NewAdamW(gorgonia.WithLearnRate(0.1))); moved != 0 {
		t.Errorf("Gorgonia's AdamW moved the weight by %v", moved)
	}
}

func TestGorgoniaAdaGradIgnoresTheLearningRate(t *testing.T) {
	slow := firstStep(t, gorgonia.NewAdaGradSolver(gorgonia.WithLearnRate(1e-5)))
	fast := firstStep(t, gorgonia.NewAdaGradSolver(gorgonia.WithLearnRate(0.1)))
	if slow != fast || slow == 0 {
		t.Errorf("Gorgonia's AdaGrad moved by %v at the learning rate 1e-5 and by %v at 0.1", slow, fast)
	}
}

func TestGorgoniaRMSPropLeaps(t *testing.T) {
	const rate = 0.01
	if times := firstStep(t, gorgonia.NewRMSPropSolver(gorgonia.WithLearnRate(rate))) / rate; math.Abs(times-31.6) > 0.1 {
		t.Errorf("Gorgonia's RMSProp moved by %v times the learning rate in its first step, not by 31.6", times)
	}
}
