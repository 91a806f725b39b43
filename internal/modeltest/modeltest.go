// Package modeltest makes small models for tests.
package modeltest

import (
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
)

// Spec is an architecture whose parts a test changes one by one.
type Spec struct {
	Inputs, Classes int
	Hidden          []int
	Activation      string
	LayerNorm       layernorm.Form
	Epsilon         float64
	UpperLayers     int
	Stack           string // replaces Hidden and Activation
	Loss            loss.Named
}

// Architecture is the spec as an architecture, or an error.
func (s Spec) Architecture() (model.Architecture, error) {
	a := model.Architecture{Inputs: s.Inputs, Classes: s.Classes, UpperLayers: s.UpperLayers, Loss: s.Loss}
	if s.LayerNorm != model.NoLayerNorm {
		a.Norm = layer.Norm{Form: s.LayerNorm, Epsilon: s.Epsilon}
	}
	var err error
	if s.Stack != "" {
		a.Items, err = layer.Parse(s.Stack, layer.Options{Inputs: s.Inputs, Classes: s.Classes, Norm: a.Norm})
	} else {
		a.Items, err = model.MLP(model.Hidden{Units: s.Hidden, Activation: s.Activation, Norm: a.Norm}, s.Classes)
	}
	return a, err
}

// Model is the model of a spec. It panics if the spec is wrong.
func (s Spec) Model() *model.Model {
	a, err := s.Architecture()
	if err != nil {
		panic(err)
	}
	m, err := model.New(a)
	if err != nil {
		panic(err)
	}
	return m
}

// Weights are the initial weights of the model.
func (s Spec) Weights(seed uint64) model.Weights { return s.Model().NewWeights(seed) }

// Dense is a dense layer of a spec.
type Dense struct {
	Name, Group string // of the parameters
	In, Out     int
	Hidden      bool // not the last
}

// Layers are the dense layers, from input to output.
func (s Spec) Layers() (layers []Dense) {
	for _, l := range s.Model().Layers() {
		if l.Word() == "dense" {
			layers = append(layers, Dense{l.Before, l.Group, l.In.Size(), l.Out.Size(), true})
		}
	}
	layers[len(layers)-1].Hidden = false
	return layers
}
