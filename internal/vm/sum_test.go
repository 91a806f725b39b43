package vm_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// block adds a dense layer of n units with ReLU, and skips it if residual.
func block(x *gorgonia.Node, name string, n int, residual bool) *gorgonia.Node {
	w, b := op.New(n, n), op.New(n)
	for i := range w.Float32s() {
		w.Float32s()[i] = float32(i%7) - 3
	}
	fx := gorgonia.Must(layer.ApplyDense(x, gorgonia.NodeFromAny(x.Graph(), w, gorgonia.WithName(name+".w")), gorgonia.NodeFromAny(x.Graph(), b, gorgonia.WithName(name+".b"))))
	fx = gorgonia.Must(layer.ApplyActivation("relu", fx))
	if residual {
		return gorgonia.Must(layer.ApplyResidual(x, fx))
	}
	return fx
}

// trained is a machine of three blocks with the gradients of all weights, and those gradients.
func trained(t *testing.T, residual bool) (*vm.Static, gorgonia.Nodes) {
	g := gorgonia.NewGraph()
	x := op.New(5, 4)
	for i := range x.Float32s() {
		x.Float32s()[i] = float32(i%5) - 2
	}
	y := gorgonia.NodeFromAny(g, x, gorgonia.WithName("x"))
	for _, name := range []string{"0", "1", "2"} {
		y = block(y, name, 4, residual)
	}
	labels := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]int32{0, 1, 2, 3, 0})), gorgonia.WithName("labels"))
	cost := must[*layer.BatchLoss](t)(layer.NewBatchLoss(loss.Default(), y, labels)).Node
	var weights gorgonia.Nodes
	for _, n := range g.AllNodes() {
		if n.IsVar() && n.Dtype() == tensor.Float32 && n.Name() != "x" {
			weights = append(weights, n)
		}
	}
	gradients := must[gorgonia.Nodes](t)(gorgonia.Grad(cost, weights...))
	return must[*vm.Static](t)(vm.NewStatic(append(gorgonia.Nodes{cost}, gradients...)...)), gradients
}

// Where a value is used twice, Gorgonia adds its gradients in an op that can't be split. Ours is split into parts: no thread waits for
// it, and any number of threads computes the same bits.
func TestSumsOfGradientsInParts(t *testing.T) {
	plain, _ := trained(t, false)
	alone, want := trained(t, true)
	if plain.Waits() != 2 || alone.Waits() != 2 {
		t.Errorf("expected the members to wait twice, found %d times, and %d with residual blocks", plain.Waits(), alone.Waits())
	}
	if err := alone.RunAll(); err != nil {
		t.Fatal(err)
	}
	for _, members := range []int{2, 3, 7} {
		machine, gradients := trained(t, true)
		crew := team.New(members)
		machine.UseTeam(crew)
		if err := machine.RunAll(); err != nil {
			t.Fatal(err)
		}
		crew.Close()
		for i, g := range gradients {
			if !slices.Equal(want[i].Value().Data().([]float32), g.Value().Data().([]float32)) {
				t.Errorf("team of %d: gradient %d differs", members, i)
			}
		}
	}
	if allocations := testing.AllocsPerRun(20, func() { alone.RunAll() }); allocations != 0 {
		t.Errorf("expected no allocation in a run, found %v", allocations)
	}
}

// A training step waits twice, whatever its layers are: after what is computed row by row, and after the gradients of the parameters.
func TestTrainingStepWaitsTwice(t *testing.T) {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, op.New(shape...), gorgonia.WithName(name))
	}
	labels := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]int32{0, 1, 2})), gorgonia.WithName("labels"))
	w, b, alpha, beta := input("w", 4, 4), input("b", 4), input("alpha", 4), input("beta", 4)
	h := gorgonia.Must(layer.ApplyDense(input("x", 3, 4), w, b))
	h = gorgonia.Must(layer.ApplyDropout(h, "dropout", 0.5, &layer.Draw{}))
	h = gorgonia.Must(layer.ApplyResidual(h, gorgonia.Must(layernorm.Apply(h, alpha, beta, layernorm.Book, layernorm.DefaultEpsilon))))
	h = gorgonia.Must(layer.ApplyActivation("gelu", h))
	penalty := gorgonia.Must(layer.ActivityPenalty(h, labels, 0.1))
	second := input("second", 4, 4)
	cost := must[*layer.BatchLoss](t)(layer.NewBatchLoss(loss.Default(), gorgonia.Must(layer.ApplyDense(h, second, b)), labels)).Node
	cost = gorgonia.Must(layer.AddLosses(cost, penalty, gorgonia.Must(layer.WeightPenalty(w, 0.1))))
	gradients := must[gorgonia.Nodes](t)(gorgonia.Grad(cost, w, b, alpha, beta, second))
	machine := must[*vm.Static](t)(vm.NewStatic(append(gradients, cost)...))
	if found := machine.Waits(); found != 2 {
		t.Errorf("expected 2, found %d", found)
	}
}

// Nor does a network over maps wait more often, with blocks within each other and pools. An op that reads the gradient of a convolution's
// weight waits for all its parts, which are not rows.
func TestMapsWaitTwice(t *testing.T) {
	if found := waitsOverMaps(t, 0); found != 2 {
		t.Errorf("expected 2, found %d", found)
	}
	if found := waitsOverMaps(t, 0.1); found != 3 {
		t.Errorf("with a penalty on a convolution: expected 3, found %d", found)
	}
}

func waitsOverMaps(t *testing.T, l2 float64) int {
	g := gorgonia.NewGraph()
	input := func(name string, shape ...int) *gorgonia.Node {
		return gorgonia.NodeFromAny(g, op.New(shape...), gorgonia.WithName(name))
	}
	labels := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]int32{0, 1, 2})), gorgonia.WithName("labels"))
	first, second, third := input("first", 3, 3, 1, 4), input("second", 3, 3, 4, 4), input("third", 1, 1, 4, 4)
	b, alpha, beta, w := input("b", 4), input("alpha", 4), input("beta", 4), input("w", 36, 4)
	h := gorgonia.Must(layer.ApplyConv(input("x", 3, 6, 6, 1), first, b, 1, 1))
	inner := gorgonia.Must(layernorm.Apply(h, alpha, beta, layernorm.Book, layernorm.DefaultEpsilon))
	inner = gorgonia.Must(layer.ApplyResidual(inner, gorgonia.Must(layer.ApplyConv(inner, second, b, 1, 1))))
	h = gorgonia.Must(layer.ApplyResidual(h, gorgonia.Must(layer.ApplyConv(gorgonia.Must(layer.ApplyActivation("relu", inner)), third, b, 1, 0))))
	h = gorgonia.Must(layer.Pool{Size: 2}.Apply(h, nil))
	cost := must[*layer.BatchLoss](t)(layer.NewBatchLoss(loss.Default(), gorgonia.Must(layer.ApplyDense(h, w, b)), labels)).Node
	if l2 > 0 {
		cost = gorgonia.Must(layer.AddLosses(cost, gorgonia.Must(layer.WeightPenalty(second, l2))))
	}
	gradients := must[gorgonia.Nodes](t)(gorgonia.Grad(cost, first, second, third, alpha, beta, w))
	return must[*vm.Static](t)(vm.NewStatic(append(gradients, cost)...)).Waits()
}
