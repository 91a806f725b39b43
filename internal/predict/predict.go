// Package predict classifies single images, and says whether an image is like those that a model was trained on. It works on any model
// over the images' pixels.
package predict

import (
	"errors"

	"fmtrain/internal/kernel"
	"fmtrain/internal/layer"
	"fmtrain/internal/model"
)

// Classifier runs a model on one image at a time.
type Classifier struct {
	graph *model.Graph
	exps  []float64
}

// New makes the classifier of a model with these weights.
func New(m *model.Model, weights model.Weights) (*Classifier, error) {
	graph, err := m.NewInference(weights, 1)
	if err != nil {
		return nil, err
	}
	graph.Labels[0] = layer.Ignored // a picture has no label
	return &Classifier{graph: graph, exps: make([]float64, m.Classes)}, nil
}

// errNotFinite means that a model gives no probabilities.
var errNotFinite = errors.New("expected finite logits, found NaN or infinity: the weights are those of a run that diverged")

// Probabilities are those of the classes for an image, the softmax of the logits. The image is dataset.Pixels bytes.
func (c *Classifier) Probabilities(pixels []uint8) ([]float32, error) {
	kernel.Intensities(c.graph.Images, pixels)
	if err := c.graph.Run(); err != nil {
		return nil, err
	}
	logits := c.graph.Loss.Logits
	if !kernel.AllFinite(logits) {
		return nil, errNotFinite
	}
	p := make([]float32, len(logits))
	kernel.CrossEntropyRow(p, c.exps, logits, 0)
	return p, nil
}

// Unsure is the probability of the most likely class below which a prediction is a guess between several classes.
const Unsure = 0.4
