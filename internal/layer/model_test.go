package layer_test

import (
	"testing"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/gradcheck"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
)

// A whole classifier with a short batch has the same bits by symbolic differentiation and on the LispMachine. The weights are scaled
// down as an initialiser does, so that no logit is large.
func TestClassifierGradients(t *testing.T) {
	for _, activation := range layer.Activations() {
		t.Run(activation, func(t *testing.T) {
			inputs := []*tensor.Dense{
				normal(1, 5, 7), labelsOf(2, 0, layer.Ignored, 3, 1),
				normal(2, 7, 6), normal(3, 6), normal(4, 6), normal(5, 6), // the hidden layer and its α and β
				normal(6, 6, 4), normal(7, 4),
			}
			checkGradients(t, &gradcheck.Problem{
				Build: func(n gorgonia.Nodes) (*gorgonia.Node, error) {
					h, err := layer.ApplyDense(n[0], n[2], n[3])
					if err != nil {
						return nil, err
					}
					if h, err = layernorm.Apply(h, n[4], n[5], layernorm.Keras, layernorm.DefaultEpsilon); err != nil {
						return nil, err
					}
					if h, err = layer.ApplyActivation(activation, h); err != nil {
						return nil, err
					}
					logits, err := layer.ApplyDense(h, n[6], n[7])
					if err != nil {
						return nil, err
					}
					loss, err := layer.NewBatchLoss(loss.Default(), logits, n[1])
					if err != nil {
						return nil, err
					}
					return loss.Node, nil
				},
				Inputs: inputs,
			}, 2e-3, 1e-2)
		})
	}
}
