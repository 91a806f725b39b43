package config

import (
	"fmt"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
)

// models are the kinds of network that have a name.
var models = []string{mlp, mlpLN, resMLP, cnn}

const (
	mlp    = "mlp"
	mlpLN  = "mlp-ln"
	resMLP = "resmlp"
	cnn    = "cnn"
)

// layerList is a list of layers; in a file it may be a list too.
func layerList() form[string] {
	return form[string]{
		noun:    "LAYERS",
		allowed: "a list of layers, as in 300-ln-relu-dropout:0.2-10 or [300, ln, relu, 10]",
		types:   textOrWhole,
		list:    true,
		parse: func(s string) (string, error) {
			if s == "" {
				return "", nil
			}
			any := layer.Norm{Form: layernorm.Book, Epsilon: 1} // any form: another setting says what ln means
			items, err := layer.Parse(s, layer.Options{Inputs: dataset.Pixels, Classes: dataset.Classes, Norm: any})
			if err != nil {
				return "", err
			}
			return layer.Text(items, dataset.Pixels), nil
		},
	}
}

// setModelDefaults sets the settings of the network for which the model has its own default, unless they are given.
func (c *Config) setModelDefaults(given func(key string) bool) {
	if !given("layernorm-form") && c.Model == mlp {
		c.LayerNormForm = model.NoLayerNorm
	}
	if !given("hidden") && c.Model == resMLP {
		c.Hidden = []int{100, 100, 100}
	}
	if !given("channels") && c.Model == cnn {
		c.Channels = []int{32, 64}
	}
}

// network is the architecture that the settings describe, without the loss.
func (c Config) network() (model.Architecture, error) {
	a := model.Architecture{Inputs: dataset.Pixels, Classes: dataset.Classes, UpperLayers: c.UpperLayers}
	if c.LayerNormForm != model.NoLayerNorm {
		a.Norm = layer.Norm{Form: c.LayerNormForm, Epsilon: c.LayerNormEpsilon}
	}
	hidden := model.Hidden{Units: c.Hidden, Activation: c.Activation, Norm: a.Norm, Dropout: c.Dropout}
	var err error
	switch {
	case c.Layers != "":
		a.Items, err = layer.Parse(c.Layers, layer.Options{Inputs: a.Inputs, Classes: a.Classes, Norm: a.Norm})
	case c.Model == resMLP:
		a.Items, err = model.ResMLP(hidden, a.Classes)
	case c.Model == cnn:
		a.Items, err = model.CNN(c.Channels, hidden, a.Classes)
	default:
		a.Items, err = model.MLP(hidden, a.Classes)
	}
	if err == nil {
		_, err = model.New(a)
	}
	return a, err
}

// setNetwork makes the network of the settings, or refuses them at their source.
func (s *sources) setNetwork(c *Config) {
	if hidden := len(c.Channels) + len(c.Hidden); c.Layers == "" && c.UpperLayers > hidden {
		where := s.at("upper-layers")
		if !s.given("upper-layers") && s.given("hidden") {
			where = s.at("hidden")
		}
		s.refuse(where, fmt.Sprintf("expected at most as many upper layers as hidden layers, so that the lower group has one; found upper-layers %d, hidden layers %d",
			c.UpperLayers, hidden))
		return
	}
	var err error
	if c.Network, err = c.network(); err == nil {
		return
	}
	one, book := *c, *c
	one.UpperLayers, book.LayerNormForm = 1, layernorm.Book
	_, errOne := one.network()
	_, errBook := book.network()
	where := s.at("model")
	switch {
	case errOne == nil:
		where = s.at("upper-layers")
	case errBook == nil && s.given("layernorm-form"):
		where = s.at("layernorm-form")
	case c.Layers != "":
		where = s.at("layers")
	case s.given("channels"):
		where = s.at("channels")
	case s.given("hidden"):
		where = s.at("hidden")
	}
	s.refuse(where, err.Error())
}
