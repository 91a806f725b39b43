package layer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/layer"
)

// apart are the values 0, 1/4, 1/2, ... in random order, so that a small step changes no order.
func apart(seed uint64, shape ...int) *tensor.Dense {
	x := normal(seed, shape...)
	for i, at := range rand.New(rand.NewPCG(seed, 3)).Perm(len(x.Float32s())) {
		x.Float32s()[i] = float32(at) / 4
	}
	return x
}

func TestPoolGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SampledFrom([]string{"maxpool", "maxpool:3", "avgpool", "avgpool:3", "globalmax", "globalavg"}).Draw(t, "layer")
		side := rapid.IntRange(3, 7)
		batch, in := rapid.IntRange(1, 3).Draw(t, "batch"), layer.Shape{side.Draw(t, "height"), side.Draw(t, "width"), rapid.IntRange(1, 4).Draw(t, "channels")}
		pool, seed := ofItem(t, l, in[2]), rapid.Uint64().Draw(t, "seed")
		out, err := pool.Output(in)
		if err != nil {
			t.Fatal(err)
		}
		x := apart(seed, append([]int{batch}, in...)...)
		if strings.Contains(l, "avg") { // a mean knows no order, and the differences of large means have few bits
			x = normal(seed+1, append([]int{batch}, in...)...)
		}
		checkGradients(t, overMaps(pool, normal(seed, batch, out.Size()).Float32s(), x), 0x1p-4, 1e-4)
	})
}

// A NaN in a window is its largest value.
func TestPoolsKeepNaN(t *testing.T) {
	for _, item := range []string{"maxpool", "avgpool", "globalmax", "globalavg"} {
		for at := range 4 {
			x := normal(1, 1, 2, 2, 1)
			x.Float32s()[at] = float32(math.NaN())
			r := static(t, overMaps(ofItem(t, item, 1), []float32{2}, x))
			if !math.IsNaN(float64(r.Y[0])) {
				t.Errorf("%s: NaN at %d: expected NaN, found %v", item, at, r.Y[0])
			}
			sum := float32(0)
			for _, d := range r.Gradients[0] {
				sum += d
			}
			if sum != 2 {
				t.Errorf("%s: NaN at %d: expected gradients whose sum is 2, found %v", item, at, r.Gradients[0])
			}
		}
	}
}

func TestPoolRefuses(t *testing.T) {
	g := gorgonia.NewGraph()
	for name, x := range map[string]*tensor.Dense{"vectors": normal(0, 2, 3), "small": normal(0, 2, 3, 1, 5)} {
		_, err := layer.Pool{Size: 2}.Apply(gorgonia.NodeFromAny(g, x, gorgonia.WithName(name)), nil)
		wantError(t, err, "maxpool: expected input", fmt.Sprint(x.Shape()))
	}
}
