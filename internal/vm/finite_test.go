package vm_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// copied is y = x for a vector of 7 values, in parts unless serial, or shared: then the last part copies all.
func copied(x *gorgonia.Node, serial, shared bool) *gorgonia.Node {
	return gorgonia.Must(op.Apply(op.Definition{
		Name:   "Copied",
		Shape:  tensor.Shape{7},
		Rows:   []int{0},
		Serial: serial,
		Shared: shared,
		Forward: func(r *op.Run, part, parts int) {
			lo, hi := op.Split(7, part, parts)
			if shared {
				lo, hi = 0, 7
				if part < parts-1 {
					return
				}
			}
			copy(r.Y[lo:hi], r.Inputs[0][lo:hi])
		},
	}, x))
}

// A machine finds NaN and infinities in each output that is a tensor, whatever computes it and in whatever part, and only in the outputs.
func TestFinite(t *testing.T) {
	crew := team.New(3)
	defer crew.Close()
	for what, of := range map[string]func(x *gorgonia.Node) *gorgonia.Node{
		"in parts":        func(x *gorgonia.Node) *gorgonia.Node { return copied(x, false, false) },
		"serial":          func(x *gorgonia.Node) *gorgonia.Node { return copied(x, true, false) },
		"shared":          func(x *gorgonia.Node) *gorgonia.Node { return copied(x, false, true) },
		"an op of theirs": func(x *gorgonia.Node) *gorgonia.Node { return gorgonia.Must(gorgonia.Neg(x)) },
	} {
		g := gorgonia.NewGraph()
		x, other := vector(g, "x", 1, 2, 3, 4, 5, 6, 7), vector(g, "other", 1, 2, 3, 4, 5, 6, 7)
		last := copied(x, false, false)
		relu := gorgonia.Must(op.Elementwise("Zero", last, func(y, _ []float32) { clear(y) }, nil)) // hides a NaN
		machine := must[*vm.Static](t)(vm.NewStatic(relu, of(other)))
		machine.UseTeam(crew)
		values := func(n *gorgonia.Node) []float32 { return n.Value().(*tensor.Dense).Float32s() }
		check := func(want bool, where string, bad float64) {
			t.Helper()
			if err := machine.RunAll(); err != nil {
				t.Fatal(err)
			}
			if machine.Finite() != want {
				t.Errorf("%s: %v in %s: found finite = %v", what, bad, where, !want)
			}
		}
		for members := 1; members <= 3; members++ {
			crew.Resize(members)
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				for i := range 7 {
					before := values(other)[i]
					values(other)[i] = float32(bad)
					check(false, "an output", bad)
					values(other)[i], values(x)[i] = before, float32(bad)
					check(true, "a value that is no output", bad)
					values(x)[i] = before
				}
			}
			check(true, "no value", 0)
		}
	}
}
