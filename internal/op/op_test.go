package op_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
)

// Gorgonia merges two nodes whose ops have the same hash. Our ops each own a buffer and must not be merged. Gorgonia does merge its own
// ops, which shows that this test works.
func TestOpsAreNotMerged(t *testing.T) {
	twins := map[string]func(x, w, v *gorgonia.Node) (*gorgonia.Node, error){
		"gorgonia's tanh": func(x, _, _ *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Tanh(x) },
		"dense":           func(x, w, v *gorgonia.Node) (*gorgonia.Node, error) { return layer.ApplyDense(x, w, v) },
		"activation":      func(x, _, _ *gorgonia.Node) (*gorgonia.Node, error) { return layer.ApplyActivation("relu", x) },
		"layernorm": func(x, _, v *gorgonia.Node) (*gorgonia.Node, error) {
			return layernorm.Apply(x, v, v, layernorm.Book, layernorm.DefaultEpsilon)
		},
	}
	for name, apply := range twins {
		g := gorgonia.NewGraph()
		x := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(2, 3), gorgonia.WithName("x"))
		w := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(3, 3), gorgonia.WithName("w"))
		v := gorgonia.NewVector(g, tensor.Float32, gorgonia.WithShape(3), gorgonia.WithName("v"))
		first, err := apply(x, w, v)
		if err != nil {
			t.Fatal(err)
		}
		second, err := apply(x, w, v)
		if err != nil {
			t.Fatal(err)
		}
		merged := first == second
		if want := name == "gorgonia's tanh"; merged != want {
			t.Errorf("%s: expected merged = %v, found %v", name, want, merged)
		}
		if !merged && first.Op().Hashcode() == second.Op().Hashcode() {
			t.Errorf("%s: expected two hash codes, found one", name)
		}
	}
}
