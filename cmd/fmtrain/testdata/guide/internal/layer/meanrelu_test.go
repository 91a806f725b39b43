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

func TestMeanReLU(t *testing.T) {
	const step = 1e-3
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(1, 4).Draw(t, "rows"), rapid.IntRange(2, 6).Draw(t, "columns")
		seed := rapid.Uint64().Draw(t, "seed")
		x := normal(seed, rows, columns)
		for r := range rows {
			row := x.Float32s()[r*columns : (r+1)*columns]
			var mean float64
			for _, v := range row {
				mean += float64(v) / float64(columns)
			}
			for _, v := range row {
				if math.Abs(float64(v)-mean) < 2*step {
					t.Skip("at the kink, where a difference means nothing")
				}
			}
		}
		checkGradients(t, &gradcheck.Problem{
			Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyActivation("meanrelu", n[0]) },
			Inputs: []*tensor.Dense{x},
			DY:     normal(seed+1, rows, columns).Float32s(),
		}, step, 2e-3)
	})
}
