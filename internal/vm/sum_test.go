package vm_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
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
	fx := gorgonia.Must(layer.Dense(x, gorgonia.NodeFromAny(x.Graph(), w, gorgonia.WithName(name+".w")), gorgonia.NodeFromAny(x.Graph(), b, gorgonia.WithName(name+".b"))))
	fx = gorgonia.Must(layer.Activation("relu", fx))
	if residual {
		return gorgonia.Must(layer.Residual(x, fx))
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

// Where a value is used twice, Gorgonia adds its gradients by an op that runs whole. Run in parts, it costs no level, and any
// number of members computes the same bits.
func TestSumsOfGradientsInParts(t *testing.T) {
	plain, _ := trained(t, false)
	alone, want := trained(t, true)
	if plain.Levels() != alone.Levels() {
		t.Errorf("expected %d levels as without residual blocks, found %d", plain.Levels(), alone.Levels())
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
