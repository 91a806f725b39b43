package layernorm

import (
	"math/rand/v2"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
)

func TestTry(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	rnd := func(shape ...int) *tensor.Dense {
		n := tensor.Shape(shape).TotalSize()
		b := make([]float32, n)
		for i := range b {
			b[i] = float32(r.NormFloat64())
		}
		return tensor.New(tensor.WithShape(shape...), tensor.WithBacking(b))
	}
	for _, shape := range [][]int{{3, 4}, {5}, {2, 3, 5}, {2, 2, 3, 4}, {3, 1}, {1}, {1, 1}, {1, 4}} {
		n := shape[len(shape)-1]
		p := gradcheck.Problem{
			Build: func(in gorgonia.Nodes) (*gorgonia.Node, error) {
				return Apply(in[0], in[1], in[2], Book, 1e-3)
			},
			Inputs: []*tensor.Dense{rnd(shape...), rnd(n), rnd(n)},
			DY:     rnd(shape...).Float32s(),
		}
		s, err := p.Static()
		if err != nil {
			t.Error(shape, "static", err)
			continue
		}
		l, err := p.Lisp()
		if err != nil {
			t.Error(shape, "lisp", err)
			continue
		}
		f, err := p.FiniteDifferences(1e-2)
		if err != nil {
			t.Error(shape, err)
			continue
		}
		t.Log(shape, s.Y, l.Y)
		t.Log(s.Gradients[0], l.Gradients[0], f[0])
		t.Log(s.Gradients[1], l.Gradients[1], f[1])
	}
}
