package layer_test

import (
	"math"
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
)

// A loss with both penalties on a batch with an ignored row: its value is the sum written out, and its gradients match finite
// differences and the LispMachine.
func TestPenaltyGradients(t *testing.T) {
	const l2, activity = 0.3, 0.2
	x, labels, w, b := normal(1, 4, 3), labelsOf(1, layer.Ignored, 4, 0), normal(2, 3, 5), normal(3, 5)
	problem := func(l2, activity float64) *gradcheck.Problem {
		return &gradcheck.Problem{
			Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
				y, err := layer.ApplyDense(n[0], n[2], n[3])
				if err != nil {
					return nil, err
				}
				main, err := layer.NewBatchLoss(loss.Default(), y, n[1])
				if err != nil {
					return nil, err
				}
				ofWeight, err := layer.WeightPenalty(n[2], l2)
				if err != nil {
					return nil, err
				}
				ofOutput, err := layer.ActivityPenalty(y, n[1], activity)
				if err != nil {
					return nil, err
				}
				return layer.AddLosses(main.Node, ofWeight, ofOutput)
			},
			Inputs: []*tensor.Dense{x, labels, w, b},
		}
	}
	checkGradients(t, problem(l2, activity), 2e-3, 1e-2)

	y := static(t, &gradcheck.Problem{
		Build:  func(n gorgonia.Nodes) (*gorgonia.Node, error) { return layer.ApplyDense(n[0], n[1], n[2]) },
		Inputs: []*tensor.Dense{x, w, b},
		DY:     make([]float32, 4*5),
	}).Y
	want := float64(static(t, problem(0, 0)).Y[0])
	for _, v := range w.Float32s() {
		want += l2 * float64(v) * float64(v)
	}
	for i, v := range y {
		if i/5 != 1 { // the ignored row
			want += activity * float64(v) * float64(v) / 3
		}
	}
	if found := float64(static(t, problem(l2, activity)).Y[0]); math.Abs(found-want) > 1e-5*want {
		t.Errorf("expected the loss %v, found %v", want, found)
	}
}

func TestPenaltyRefuses(t *testing.T) {
	g := gorgonia.NewGraph()
	_, err := layer.WeightPenalty(gorgonia.NodeFromAny(g, normal(0, 3), gorgonia.WithName("v")), 1)
	wantError(t, err, "penalty: expected two axes or more, found shape (3)")
	y := gorgonia.NodeFromAny(g, normal(0, 3, 2), gorgonia.WithName("y"))
	for _, labels := range []*tensor.Dense{labelsOf(0, 1), normal(0, 3)} {
		_, err = layer.ActivityPenalty(y, gorgonia.NodeFromAny(g, labels, gorgonia.WithName("labels")), 1)
		wantError(t, err, "penalty: expected int32 labels [batch] for outputs of shape (3, 2), found")
	}
}
