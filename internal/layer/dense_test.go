package layer_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
)

// denseProblem is a dense layer on normal values.
func denseProblem(seed uint64, batch, in, out int) *gradcheck.Problem {
	return &gradcheck.Problem{
		Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyDense(n[0], n[1], n[2]) },
		Inputs: []*tensor.Dense{normal(seed, batch, in), normal(seed+1, in, out), normal(seed+2, out)},
		DY:     normal(seed+3, batch, out).Float32s(),
	}
}

func drawDense(t *rapid.T) (p *gradcheck.Problem, batch, in, out int) {
	size := rapid.IntRange(1, 9)
	batch, in, out = size.Draw(t, "batch"), size.Draw(t, "in"), size.Draw(t, "out")
	return denseProblem(rapid.Uint64().Draw(t, "seed"), batch, in, out), batch, in, out
}

func TestDenseForward(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, batch, in, out := drawDense(t)
		x, w, b := p.Inputs[0].Float32s(), p.Inputs[1].Float32s(), p.Inputs[2].Float32s()
		y := static(t, p).Y
		for r := range batch {
			for j := range out {
				want, size := float64(b[j]), math.Abs(float64(b[j]))
				for k := range in {
					term := float64(x[r*in+k]) * float64(w[k*out+j])
					want += term
					size += math.Abs(term)
				}
				if got := float64(y[r*out+j]); !(math.Abs(got-want) <= float64(in+2)*0x1p-24*size) {
					t.Fatalf("y[%d,%d]: expected %v, found %v", r, j, want, got)
				}
			}
		}
	})
}

// y is linear in each input, so a difference is exact for any step.
func TestDenseGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, _, _, _ := drawDense(t)
		checkGradients(t, p, 0.5, 1e-4)
	})
}

// A map goes into a dense layer as the row of its values.
func TestDenseOverMaps(t *testing.T) {
	rows, maps := denseProblem(1, 3, 24, 5), denseProblem(1, 3, 24, 5)
	maps.Inputs[0] = tensor.New(tensor.WithShape(3, 2, 4, 3), tensor.WithBacking(maps.Inputs[0].Float32s()))
	want, found := static(t, rows), static(t, maps)
	for i := range want.Gradients {
		if !sameBits(want.Y, found.Y) || !sameBits(want.Gradients[i], found.Gradients[i]) {
			t.Errorf("input %d: expected the values and gradients of rows, bit for bit", i)
		}
	}
	checkGradients(t, maps, 0.5, 1e-4)
}

func TestDenseRefuses(t *testing.T) {
	for _, test := range []struct {
		what    string
		x, w, b *tensor.Dense
		parts   []string
	}{
		{"an input of other width", normal(0, 2, 3), normal(0, 4, 5), normal(0, 5), []string{"[batch,in]", "(2, 3), (4, 5) and (5)"}},
		{"a bias of other length", normal(0, 2, 3), normal(0, 3, 5), normal(0, 4), []string{"[out]", "(2, 3), (3, 5) and (4)"}},
		{"a map of other size", normal(0, 2, 3, 1, 2), normal(0, 3, 5), normal(0, 5), []string{"(2, 3, 1, 2)"}},
		{"a vector for an input", normal(0, 3), normal(0, 3, 5), normal(0, 5), []string{"found (3)"}},
		{"a vector for a weight", normal(0, 2, 3), normal(0, 3), normal(0, 3), []string{"weight [in,out]"}},
		{"float64", tensor.New(tensor.Of(tensor.Float64), tensor.WithShape(2, 3)), normal(0, 3, 5), normal(0, 5), []string{"float64"}},
	} {
		t.Run(test.what, func(t *testing.T) {
			g := gorgonia.NewGraph()
			node := func(name string, d *tensor.Dense) *gorgonia.Node {
				return gorgonia.NodeFromAny(g, d, gorgonia.WithName(name))
			}
			_, err := layer.ApplyDense(node("x", test.x), node("w", test.w), node("b", test.b))
			wantError(t, err, test.parts...)
		})
	}
}
