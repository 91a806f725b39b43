package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/knadh/koanf/v2"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/model"
)

// Models are the kinds of network that have a name.
var Models = []string{mlp, mlpLN, resMLP}

const (
	mlp    = "mlp"
	mlpLN  = "mlp-ln"
	resMLP = "resmlp"
)

// ofModel are the defaults of each model where they are not those of [Default].
var ofModel = map[string]map[string]any{
	mlp:    {"layernorm-form": string(model.NoLayerNorm)},
	resMLP: {"hidden": []int{100, 100, 100}},
}

// stack is a list of layers; in a file it may be a list too.
func stack() format {
	parse := func(s string) (string, error) {
		if s == "" {
			return "", nil
		}
		items, err := layer.Parse(s, layer.Options{Inputs: dataset.Pixels, Classes: dataset.Classes, Norm: Default().norm()})
		return layer.Text(items, dataset.Pixels), err
	}
	return format{
		noun:    "LAYERS",
		list:    true,
		allowed: "a list of layers, as in 300-ln-relu-dropout:0.2-10 or [300, ln, relu, 10]",
		read: func(s string) (any, bool) {
			text, err := parse(s)
			return text, err == nil
		},
		wrong: func(s string) error {
			_, err := parse(s)
			return err
		},
	}
}

// settleModel resolves what settings mean together, before they become a Config: Layers and Groups take the place of others, and a
// model gives defaults to those that are not set.
func (s *sources) settleModel(k *koanf.Koanf) error {
	if err := s.instead(k, "layers", "", "model", "hidden", "activation"); err != nil {
		return err
	}
	if err := s.instead(k, "groups", "", shortForm...); err != nil {
		return err
	}
	for key, value := range ofModel[k.String("model")] {
		if s.set[key] == "" {
			if err := k.Set(key, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// instead lets a setting that is not none take the place of others. If one of those is set too, a flag goes before a file; in the
// same place, the two are a mistake.
func (s *sources) instead(k *koanf.Koanf, key string, none any, others ...string) error {
	if s.set[key] == "" || textOf(k.Get(key)) == textOf(none) {
		return nil
	}
	defaults := values(Default())
	for _, other := range others {
		where := s.set[other]
		switch atFlag := strings.HasPrefix(where, "--"); {
		case where == "":
			continue
		case atFlag == strings.HasPrefix(s.set[key], "--"):
			s.refuse(where, fmt.Sprintf("expected without %s, which takes its place (%s), found both", key, s.set[key]))
			continue
		case atFlag:
			delete(s.set, key)
			return k.Set(key, none)
		}
		delete(s.set, other)
		if err := k.Set(other, defaults[other]); err != nil {
			return err
		}
	}
	return nil
}

// replaced says whether another of the settings takes a setting's place, so that a written file leaves it out.
func replaced(values map[string]any, key string) bool {
	return values["layers"] != "" && slices.Contains([]string{"model", "hidden", "activation"}, key) ||
		values["groups"] != "" && slices.Contains(shortForm, key)
}

// checkModel refuses what can't be built.
func (s *sources) checkModel(c Config) {
	a, err := c.Architecture()
	if err == nil {
		_, err = model.New(a)
	}
	if err == nil {
		return
	}
	for _, key := range []string{"layers", "hidden"} {
		if s.set[key] != "" {
			s.refuse(s.set[key], err.Error())
			return
		}
	}
	s.refuse("model", err.Error())
}

// at is where a setting was set, or its key.
func (s *sources) at(key string) string {
	if s.set[key] != "" {
		return s.set[key]
	}
	return key
}
