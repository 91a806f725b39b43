package layer_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/goldentest"
	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
)

// goldenTensor is a tensor of convolutions_torch.json.
type goldenTensor struct {
	Shape  []int
	Values []float32
}

func (g *goldenTensor) dense() *tensor.Dense {
	return tensor.New(tensor.WithShape(g.Shape...), tensor.WithBacking(g.Values))
}

// ofItem is the layer that an item of --layers stands for, over maps of that shape: the network around it is only there to be parsed.
func ofItem(t rapid.TB, item string, channels int) layer.Layer {
	t.Helper()
	items, err := layer.Parse(fmt.Sprintf("conv:%d-%s-10", channels, item), layer.Options{Inputs: 784, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	return items[1].Layer
}

// overMaps is the problem of a layer over maps.
func overMaps(l layer.Layer, dy []float32, inputs ...*tensor.Dense) *gradcheck.Problem {
	return &gradcheck.Problem{
		Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
			return l.Apply(n[0], &layer.Context{Name: "it", Parameters: n[1:]})
		},
		Inputs: inputs,
		DY:     dy,
	}
}

// Convolutions and pools have PyTorch's values and gradients. All but the means are exact, in float32 too.
func TestMapsAsInPyTorch(t *testing.T) {
	for name, file := range goldentest.Read[struct {
		Cases []struct {
			Layer                                      string
			X, Y, DY, DX, Weight, Bias, DWeight, DBias *goldenTensor
		}
	}](t, "convolutions") {
		for _, c := range file.Cases {
			l := ofItem(t, c.Layer, c.X.Shape[3])
			same := func(a, b float32) bool { return a == b }
			if strings.Contains(c.Layer, "avg") {
				same = func(a, b float32) bool { return math.Abs(float64(a-b)) <= 0x1p-22*math.Abs(float64(a)) }
			}
			inputs, gradients := []*tensor.Dense{c.X.dense()}, []*goldenTensor{c.DX}
			if c.Weight != nil {
				inputs, gradients = append(inputs, c.Weight.dense(), c.Bias.dense()), append(gradients, c.DWeight, c.DBias)
			}
			shape, err := l.Output(c.X.Shape[1:])
			if err != nil || !slices.Equal(shape, c.Y.Shape[1:]) {
				t.Errorf("%s: %s of %v: expected shape %v, found %v, %v", name, c.Layer, c.X.Shape, c.Y.Shape[1:], shape, err)
				continue
			}
			r := static(t, overMaps(l, c.DY.Values, inputs...))
			for i, want := range append([]*goldenTensor{c.Y}, gradients...) {
				found := r.Y
				if i > 0 {
					found = r.Gradients[i-1]
				}
				if !slices.EqualFunc(want.Values, found, same) {
					t.Errorf("%s: %s of %v: tensor %d: expected\n%v, found\n%v", name, c.Layer, c.X.Shape, i, want.Values, found)
				}
			}
		}
	}
}

// A convolution is linear in each input, so a difference is exact for any step.
func TestConvGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.IntRange(1, 4)
		c := layer.Conv{Channels: small.Draw(t, "out"), Size: rapid.IntRange(1, 5).Draw(t, "size"), Stride: rapid.IntRange(1, 3).Draw(t, "stride"),
			Valid: rapid.Bool().Draw(t, "valid")}
		side := rapid.IntRange(c.Size, 7)
		in := layer.Shape{side.Draw(t, "height"), side.Draw(t, "width"), small.Draw(t, "in")}
		batch, seed := rapid.IntRange(1, 3).Draw(t, "batch"), rapid.Uint64().Draw(t, "seed")
		out, err := c.Output(in)
		if err != nil {
			t.Fatal(err)
		}
		inputs := []*tensor.Dense{normal(seed, append([]int{batch}, in...)...)}
		for i, p := range c.Parameters(in, nil) {
			inputs = append(inputs, normal(seed+uint64(i)+1, p.Shape...))
		}
		checkGradients(t, overMaps(c, normal(seed+9, batch, out.Size()).Float32s(), inputs...), 0.5, 1e-4)
	})
}

// The initial weights of a convolution are those of a dense layer over the values of a window.
func TestConvInitialWeights(t *testing.T) {
	in := layer.Shape{28, 28, 3}
	relu, err := layer.FindActivation("relu")
	if err != nil {
		t.Fatal(err)
	}
	c := layer.Conv{Channels: 8, Size: 5, Stride: 2}
	for _, next := range []*layer.Activation{nil, relu} {
		parameters := c.Parameters(in, next)
		weight, bias := parameters[0], parameters[1]
		fan := 5. * 5 * 3
		want := math.Sqrt(6 / fan)
		if next == nil {
			want = math.Sqrt(6 / (fan + 5*5*8))
		}
		if weight.Initial.Radius != want || weight.Role != layer.Weight || !slices.Equal(weight.Shape, tensor.Shape{5, 5, 3, 8}) {
			t.Errorf("next %v: expected [5,5,3,8] with the radius %v, found %v with %v", next, want, weight.Shape, weight.Initial.Radius)
		}
		if bias.Role != layer.Bias || !slices.Equal(bias.Shape, tensor.Shape{8}) || bias.Initial != (layer.Initial{}) {
			t.Errorf("next %v: expected a bias of 8 zeros, found %+v", next, bias)
		}
	}
}

func TestConvRefuses(t *testing.T) {
	for _, test := range []struct {
		what        string
		x, w, b     *tensor.Dense
		stride, pad int
	}{
		{"vectors", normal(0, 2, 3), normal(0, 1, 1, 3, 2), normal(0, 2), 1, 0},
		{"other channels", normal(0, 2, 5, 5, 3), normal(0, 3, 3, 2, 2), normal(0, 2), 1, 1},
		{"a window that is no square", normal(0, 2, 5, 5, 3), normal(0, 3, 2, 3, 2), normal(0, 2), 1, 1},
		{"a window larger than the map", normal(0, 2, 5, 4, 3), normal(0, 5, 5, 3, 2), normal(0, 2), 1, 0},
		{"a bias of other length", normal(0, 2, 5, 5, 3), normal(0, 3, 3, 3, 2), normal(0, 3), 1, 1},
		{"stride 0", normal(0, 2, 5, 5, 3), normal(0, 3, 3, 3, 2), normal(0, 2), 0, 1},
	} {
		g := gorgonia.NewGraph()
		node := func(name string, d *tensor.Dense) *gorgonia.Node {
			return gorgonia.NodeFromAny(g, d, gorgonia.WithName(name))
		}
		if _, err := layer.ApplyConv(node("x", test.x), node("w", test.w), node("b", test.b), test.stride, test.pad); err == nil {
			t.Errorf("%s: expected an error, found none", test.what)
		} else {
			wantError(t, err, "conv: expected input [batch,height,width,in]", fmt.Sprint(test.w.Shape()))
		}
	}
}
