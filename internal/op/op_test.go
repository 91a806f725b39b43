package op_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/op"
)

// Gorgonia takes two nodes for one when their ops hash alike. Ours own a buffer each and must not be merged; that Gorgonia
// does merge its own shows that the test would notice.
func TestOpsAreNotMerged(t *testing.T) {
	twins := map[string]func(x, w, v *gorgonia.Node) (*gorgonia.Node, error){
		"gorgonia's tanh": func(x, _, _ *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Tanh(x) },
		"dense":           func(x, w, v *gorgonia.Node) (*gorgonia.Node, error) { return layer.Dense(x, w, v) },
		"activation":      func(x, _, _ *gorgonia.Node) (*gorgonia.Node, error) { return layer.Activation("relu", x) },
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

func TestBase(t *testing.T) {
	b := op.NewBase("Fused", op.Matrix, op.Matrix, op.Vector, op.Scalar)
	if b.Arity() != 3 || b.String() != "Fused" || b.ReturnsPtr() || b.CallsExtern() || b.OverwritesInput() != -1 {
		t.Errorf("expected an op named Fused of 3 inputs that overwrites none, found %v", &b)
	}
	const want = "Matrix float32 → Vector float32 → float32 → Matrix float32"
	// Gorgonia gives a type back to a pool once it has inferred with it, so each call must make another.
	first, second := b.Type(), b.Type()
	if first == second {
		t.Error("expected a new type at each call, found the same")
	}
	if found := first.String(); found != want {
		t.Errorf("expected the type %q, found %q", want, found)
	}
}

func TestPick(t *testing.T) {
	value := op.New(3)
	p := op.NewPick("DAlpha", 2, value)
	shape, err := p.InferShape(tensor.Shape{4, 3})
	if err != nil || !shape.Eq(tensor.Shape{3}) {
		t.Errorf("expected the shape of the picked value, (3), found %v, %v", shape, err)
	}
	found, err := p.Do(op.New(4, 3))
	if err != nil || found != gorgonia.Value(value) {
		t.Errorf("expected the picked value, found %v, %v", found, err)
	}
}

func TestAddGrad(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, tensor.New(tensor.WithBacking([]float32{1, 2})), gorgonia.WithName("x"))
	if err := op.AddGrad(x, []float32{1, 2}); err == nil {
		t.Error("before a run: expected an error, as there is no gradient to add to")
	}
	y, err := layer.Activation("tanh", x)
	if err != nil {
		t.Fatal(err)
	}
	machine := gorgonia.NewLispMachine(g, gorgonia.ExecuteFwdOnly())
	defer machine.Close()
	if err := machine.RunAll(); err != nil {
		t.Fatal(err)
	}
	gradient := must[gorgonia.Value](t)(y.Grad()).Data().([]float32)
	copy(gradient, []float32{10, 20})
	for range 2 {
		if err := op.AddGrad(y, []float32{1, 2}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(gradient, []float32{12, 24}) {
		t.Errorf("expected each call to add to the gradient, [12 24], found %v", gradient)
	}
	sum, ones := op.NewSum(y.Shape()), tensor.New(tensor.WithBacking([]float32{1, 1}))
	if err := op.DoGrad(y, sum, ones, ones); err != nil || !slices.Equal(gradient, []float32{14, 26}) {
		t.Errorf("expected what the op computes to be added to the gradient, [14 26], found %v, %v", gradient, err)
	}
	if err := op.DoGrad(y, sum, ones, tensor.New(tensor.WithBacking([]int32{1, 1}))); err == nil || gradient[0] != 14 {
		t.Errorf("expected the op's error, and nothing added to 14, found %v, %v", err, gradient)
	}
	gorgonia.WithName("hidden")(y)
	wantError(t, op.AddGrad(y, []float32{1, 2, 3}), "gradient of hidden: expected 2 values, found 3")
}
