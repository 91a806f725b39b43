package layernorm_test

import (
	"slices"
	"testing"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/op"
	"fmtrain/internal/vm"
)

func TestNewLayer(t *testing.T) {
	g := gorgonia.NewGraph()
	l, err := layernorm.NewLayer(g, "lower.0.norm", 3, layernorm.Keras, 1e-5)
	if err != nil {
		t.Fatal(err)
	}
	if l.Alpha.Name() != "lower.0.norm.alpha" || l.Beta.Name() != "lower.0.norm.beta" {
		t.Errorf("expected lower.0.norm.alpha and lower.0.norm.beta, found %s and %s", l.Alpha.Name(), l.Beta.Name())
	}
	alpha, beta := l.Alpha.Value().Data().([]float32), l.Beta.Value().Data().([]float32)
	if !slices.Equal(alpha, []float32{1, 1, 1}) || !slices.Equal(beta, []float32{0, 0, 0}) {
		t.Errorf("expected ones and zeros, found %v and %v", alpha, beta)
	}
	_, err = layernorm.NewLayer(g, "lower.0.norm", 0, layernorm.Keras, 1e-5)
	wantError(t, err, "lower.0.norm", "one feature or more, found 0")
}

// Forward is Apply with the layer's own form and epsilon.
func TestForward(t *testing.T) {
	for _, form := range forms {
		p := normalProblem(form, 1, 0, 1, 4, 6)
		want := evaluate(t, p).Y
		p.Build = func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			l := layernorm.Layer{Alpha: n[1], Beta: n[2], Form: form, Epsilon: layernorm.DefaultEpsilon}
			return l.Forward(n[0])
		}
		if got := evaluate(t, p).Y; !sameBits(got, want) {
			t.Errorf("%s: expected %v, found %v", form, want, got)
		}
	}
}

// A layer learns the α and β with which its target was made.
func TestLayerLearns(t *testing.T) {
	const features, rate = 4, 0.5
	for _, form := range forms {
		g := gorgonia.NewGraph()
		l, err := layernorm.NewLayer(g, "norm", features, form, layernorm.DefaultEpsilon)
		if err != nil {
			t.Fatal(err)
		}
		p := normalProblem(form, 2, 0, 1, 16, features)
		x := gorgonia.NodeFromAny(g, p.Inputs[0], gorgonia.WithName("x"))
		target := gorgonia.NodeFromAny(g, normal(0, 0, 0, 16, features), gorgonia.WithName("target"))
		copy(target.Value().Data().([]float32), evaluate(t, p).Y)
		y, err := l.Forward(x)
		if err != nil {
			t.Fatal(err)
		}
		loss := gorgonia.Must(gorgonia.Mean(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(y, target))))))
		gradients, err := gorgonia.Grad(loss, l.Alpha, l.Beta)
		if err != nil {
			t.Fatal(err)
		}
		machine, err := vm.NewStatic(append(gradients, loss)...)
		if err != nil {
			t.Fatal(err)
		}
		var first, last float32
		for step := range 100 {
			if err := machine.RunAll(); err != nil {
				t.Fatal(err)
			}
			if last, err = op.Float(loss.Value()); err != nil {
				t.Fatal(err)
			}
			if step == 0 {
				first = last
			}
			for i, parameter := range []*gorgonia.Node{l.Alpha, l.Beta} {
				weights := parameter.Value().Data().([]float32)
				for j, d := range gradients[i].Value().Data().([]float32) {
					weights[j] -= rate * d
				}
			}
		}
		if !(first > 0.05 && last < 1e-6*first) {
			t.Errorf("%s: expected the loss to vanish, found %v after %v", form, last, first)
		}
	}
}
