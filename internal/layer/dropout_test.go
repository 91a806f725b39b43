package layer_test

import (
	"math"
	"slices"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
	"pgregory.net/rapid"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
)

// dropped is the problem of a single dropout layer.
func dropped(x *tensor.Dense, dy []float32, name string, rate float64, draw layer.Draw) *gradcheck.Problem {
	return &gradcheck.Problem{
		Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyDropout(n[0], name, rate, &draw) },
		Inputs: []*tensor.Dense{x},
		DY:     dy,
	}
}

func TestDropoutGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch, n := rapid.IntRange(1, 5).Draw(t, "batch"), rapid.IntRange(1, 6).Draw(t, "n")
		rate := rapid.SampledFrom([]float64{0, 0.2, 0.5, 0.8}).Draw(t, "rate")
		seed := rapid.Uint64().Draw(t, "seed")
		draw := layer.Draw{Seed: seed, Step: rapid.Uint64().Draw(t, "step"), Row: rapid.IntRange(0, 100).Draw(t, "row")}
		checkGradients(t, dropped(normal(seed, batch, n), normal(seed+1, batch, n).Float32s(), "d", rate, draw), 1e-2, 2e-3)
	})
}

// ones are a batch of ones, which dropout turns into its mask: 0 or 1/(1−rate).
func ones(shape ...int) *tensor.Dense { return tensor.Ones(tensor.Float32, shape...) }

// The mask is a function of the seed, the step, the layer's name and the row's number in the step. Each of them changes it.
func TestDropoutMask(t *testing.T) {
	mask := func(rows int, name string, draw layer.Draw) []float32 {
		x := ones(rows, 50)
		return static(t, dropped(x, x.Float32s(), name, 0.25, draw)).Y
	}
	of := layer.Draw{Seed: 1, Step: 2}
	whole := mask(8, "lower.0.dropout", of)
	kept := 0
	for _, v := range whole {
		if v != 0 {
			kept++
			if v != float32(1/0.75) {
				t.Fatalf("expected 0 or 1/0.75, found %v", v)
			}
		}
	}
	if kept < 250 || kept > 350 { // 300 ± 8.7
		t.Errorf("expected three quarters of 400 to be kept, found %d", kept)
	}
	if !slices.Equal(whole, mask(8, "lower.0.dropout", of)) {
		t.Error("expected the same mask again")
	}
	of.Row = 5
	if !slices.Equal(whole[5*50:], mask(3, "lower.0.dropout", of)) {
		t.Error("expected the rows from number 5 on to have the masks of the whole step's")
	}
	of.Row = 0
	for what, other := range map[string][]float32{
		"seed":  mask(8, "lower.0.dropout", layer.Draw{Seed: 2, Step: 2}),
		"step":  mask(8, "lower.0.dropout", layer.Draw{Seed: 1, Step: 3}),
		"layer": mask(8, "lower.1.dropout", of),
		"row":   mask(8, "lower.0.dropout", layer.Draw{Seed: 1, Step: 2, Row: 1}),
	} {
		same := 0
		for i, v := range other {
			if v == whole[i] {
				same++
			}
		}
		if want := 400 * (0.75*0.75 + 0.25*0.25); math.Abs(float64(same)-want) > 60 { // 6 deviations
			t.Errorf("another %s: expected about %v of 400 entries in common, found %d", what, want, same)
		}
	}
}

// Stochastic depth keeps or drops whole samples. Its draws are a function of the seed, the step, the layer and the sample's number.
func TestStochasticDepth(t *testing.T) {
	of := func(rows int, draw layer.Draw) []float32 {
		x := ones(rows, 3, 4)
		return static(t, &gradcheck.Problem{
			Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
				return layer.ApplyStochasticDepth(n[0], "lower.0.res", 0.25, &draw)
			},
			Inputs: []*tensor.Dense{x},
			DY:     x.Float32s(),
		}).Y
	}
	whole, kept := of(400, layer.Draw{Seed: 1, Step: 2}), 0
	for i, v := range whole {
		if v != whole[i/12*12] {
			t.Fatalf("sample %d is neither kept nor dropped: %v", i/12, whole[i/12*12:][:12])
		}
		switch v {
		case 0:
		case float32(1 / 0.75):
			kept++
		default:
			t.Fatalf("expected 0 or 1/0.75, found %v", v)
		}
	}
	if kept /= 12; kept < 250 || kept > 350 { // 300 ± 8.7
		t.Errorf("expected three quarters of 400 samples to be kept, found %d", kept)
	}
	if !slices.Equal(whole[12*50:], of(350, layer.Draw{Seed: 1, Step: 2, Row: 50})) {
		t.Error("expected the samples from number 50 on to have the draws of the whole step's")
	}
	for what, draw := range map[string]layer.Draw{"seed": {Seed: 2, Step: 2}, "step": {Seed: 1, Step: 3}} {
		if slices.Equal(whole, of(400, draw)) {
			t.Errorf("another %s has the same draws", what)
		}
	}
}

func TestStochasticDepthGradients(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		batch, n, seed := rapid.IntRange(1, 5).Draw(t, "batch"), rapid.IntRange(1, 6).Draw(t, "n"), rapid.Uint64().Draw(t, "seed")
		draw := layer.Draw{Seed: seed, Row: rapid.IntRange(0, 100).Draw(t, "row")}
		checkGradients(t, &gradcheck.Problem{
			Build: func(in gorgonia.Nodes) (*gorgonia.Node, error) {
				fx, err := layer.ApplyStochasticDepth(in[1], "res", 0.5, &draw)
				if err != nil {
					return nil, err
				}
				return layer.ApplyResidual(in[0], fx)
			},
			Inputs: []*tensor.Dense{normal(seed, batch, n), normal(seed+1, batch, n)},
			DY:     normal(seed+2, batch, n).Float32s(),
		}, 1e-2, 2e-3)
	})
}

func TestDropoutRefuses(t *testing.T) {
	g := gorgonia.NewGraph()
	x := gorgonia.NodeFromAny(g, normal(0, 2, 3), gorgonia.WithName("x"))
	for _, rate := range []float64{-0.1, 1, math.NaN()} {
		_, err := layer.ApplyDropout(x, "d", rate, &layer.Draw{})
		wantError(t, err, "dropout: expected a rate from 0 to below 1, found")
	}
	_, err := layer.ApplyDropout(gorgonia.NodeFromAny(g, normal(0, 3), gorgonia.WithName("v")), "d", 0.5, &layer.Draw{})
	wantError(t, err, "dropout: expected an input [batch, ...], found shape (3)")
}
