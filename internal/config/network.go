package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
)

// Models are the kinds of network that have a name.
var Models = []string{mlp, mlpLN, resMLP}

const (
	mlp    = "mlp"
	mlpLN  = "mlp-ln"
	resMLP = "resmlp"
)

// stack is a list of layers; in a file it may be a list too.
func stack() form[string] {
	return form[string]{
		noun:    "LAYERS",
		allowed: "a list of layers, as in 300-ln-relu-dropout:0.2-10 or [300, ln, relu, 10]",
		types:   textOrWhole,
		list:    true,
		parse: func(s string) (string, error) {
			if s == "" {
				return "", nil
			}
			return model.ParseStack(s, dataset.Pixels, dataset.Classes)
		},
	}
}

// setModelDefaults gives the settings of the network that the model has a default for, unless they are given.
func (c *Config) setModelDefaults(given func(key string) bool) {
	if !given("layernorm-form") && c.Model == mlp {
		c.LayerNormForm = model.NoLayerNorm
	}
	if !given("hidden") && c.Model == resMLP {
		c.Hidden = []int{100, 100, 100}
	}
}

// network is the architecture that the settings describe.
func (c Config) network() model.Spec {
	spec := model.Spec{
		Inputs:      dataset.Pixels,
		Classes:     dataset.Classes,
		Stack:       c.Layers,
		LayerNorm:   c.LayerNormForm,
		Epsilon:     c.LayerNormEpsilon,
		UpperLayers: c.UpperLayers,
	}
	if spec.Stack == "" && (c.Model == resMLP || c.Dropout > 0) {
		spec.Stack = c.stack()
	}
	if spec.Stack == "" {
		spec.Hidden, spec.Activation = c.Hidden, c.Activation
	}
	return spec
}

// stack is the list of layers of a built-in model. The residual network has the norm, the activation and dropout before each
// product but the first (He et al., "Identity Mappings in Deep Residual Networks", 2016), the others have them after it.
func (c Config) stack() string {
	var between []string
	if c.LayerNormForm != model.NoLayerNorm {
		between = append(between, "ln")
	}
	between = append(between, c.Activation)
	if c.Dropout > 0 {
		between = append(between, fmt.Sprintf("dropout:%s", strconv.FormatFloat(c.Dropout, 'f', -1, 64)))
	}
	layers := []string{strconv.Itoa(dataset.Pixels), strconv.Itoa(c.Hidden[0])}
	for _, units := range c.Hidden[1:] {
		step := strings.Join(append(slices.Clone(between), strconv.Itoa(units)), "-")
		if c.Model == resMLP {
			step = "res(" + step + ")"
		}
		layers = append(layers, step)
	}
	layers = append(append(layers, between...), strconv.Itoa(dataset.Classes))
	return strings.Join(layers, "-")
}

// checkNetwork refuses what can't be built.
func (s *sources) checkNetwork(c Config) {
	most := len(c.Hidden)
	switch {
	case c.Layers != "":
		most = len(c.Network.Layers())
		if model.HasNorm(c.Layers) && c.LayerNormForm == model.NoLayerNorm {
			s.refuse(s.at("layernorm-form"), fmt.Sprintf("expected book or keras for the ln in %s, found none", c.Layers))
		}
		if c.UpperLayers > most {
			s.refuse(s.at("upper-layers"), fmt.Sprintf("expected at most %d, the dense layers of %s, found %d", most, c.Layers, c.UpperLayers))
		}
	case c.UpperLayers > most:
		where := s.at("upper-layers")
		if !s.given("upper-layers") && s.given("hidden") {
			where = s.at("hidden")
		}
		s.refuse(where, fmt.Sprintf("expected at most as many upper layers as hidden layers, so that the lower group has one; found upper-layers %d, hidden layers %d",
			c.UpperLayers, most))
	case c.Model == resMLP && slices.Max(c.Hidden) != slices.Min(c.Hidden):
		s.refuse(s.at("hidden"), fmt.Sprintf("expected one width for all hidden layers of resmlp, because each block adds its input to its output; found %s", textOf(c.Hidden)))
	}
}
