package config

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
)

const threeGroups = `groups:
- {name: norms, parameters: "*.norm.*", solver: sgd, lr: 0.01, weight-decay: 0}
- {name: body, parameters: "lower.*", solver: adamw, lr: 1e-4, schedule: "step:epochs=2"}
- {name: head, parameters: "upper.*", frozen: true}
`

// A list of groups says all about each, in a file as at a flag, and the first that matches a parameter has it.
func TestGroups(t *testing.T) {
	want := []Group{
		{"norms", "*.norm.*", "sgd", 0.01, "constant", 0},
		{"body", "lower.*", "adamw", 1e-4, "step:epochs=2,factor=0.1", 0.004},
		{"head", "upper.*", "sgd", 0, "constant", 0},
	}
	for text, args := range map[string][]string{
		threeGroups:   nil,
		"epochs: 1":   {"--groups=" + threeGroups[len("groups:\n"):]},
		"lower-lr: 7": {"--groups=" + threeGroups[len("groups:\n"):]}, // a flag goes before a file
	} {
		c, err := resolve("f.yaml", []byte(text), flags(t, args...))
		if err != nil {
			t.Errorf("%q %q: %v", text, args, err)
			continue
		}
		if diff := cmp.Diff(want, c.ParameterGroups()); diff != "" {
			t.Errorf("%q %q (-want +got):\n%s", text, args, diff)
		}
		weights := modeltest.Spec{Inputs: dataset.Pixels, Stack: "784-5-ln-relu-10", Classes: 10, LayerNorm: "book", Epsilon: 1e-3, UpperLayers: 1}.Weights(1)
		if err := c.AssignGroups(weights); err != nil {
			t.Fatal(err)
		}
		var found []string
		for _, w := range weights {
			found = append(found, w.Name+" "+w.Group)
		}
		if diff := cmp.Diff([]string{"lower.0.weight body", "lower.0.bias body", "lower.0.norm.alpha norms", "lower.0.norm.beta norms", "upper.weight head", "upper.bias head"}, found); diff != "" {
			t.Errorf("groups of the parameters (-want +got):\n%s", diff)
		}
	}
}

func TestRefusedGroups(t *testing.T) {
	for text, want := range map[string]string{
		"groups: [5]":                    "f.yaml:1: groups: group 1: expected its settings, found 5",
		"groups: [{name: a}]":            `f.yaml:1: groups: group 1: parameters: expected a pattern of parameters' names, as in "lower.*" or "*.norm.*", found none`,
		"groups: [{nam: a}]":             `f.yaml:1: groups: group 1: expected settings of name, parameters, solver, lr, schedule, weight-decay and frozen, found "nam"`,
		"groups: [{name: a b}]":          `f.yaml:1: groups: group 1: name: expected a name of letters, digits, - and _, found the text "a b"`,
		"groups: [{parameters: '['}]":    `f.yaml:1: groups: group 1: parameters: expected a pattern of parameters' names, as in "lower.*" or "*.norm.*", found the text "["`,
		"groups: [{lr: -1}]":             "f.yaml:1: groups: group 1: lr: expected a finite number of at least 0, found -1",
		"groups: [{schedule: step:x=1}]": `f.yaml:1: groups: group 1: schedule: step: expected options of epochs, factor as in step:epochs=10,factor=0.1, found "x=1"`,
		"groups: [{frozen: 1}]":          "f.yaml:1: groups: group 1: frozen: expected true or false, found 1",
		"lower-lr: 1\n" + threeGroups:    "f.yaml:1: lower-lr: expected without groups, which takes its place (f.yaml:2: groups), found both",
		"groups: [{name: a, parameters: '*', frozen: true}, {name: a, parameters: b, frozen: true}]": `f.yaml:1: groups: group 2: name: expected each once, found "a" again`,
	} {
		_, err := resolve("f.yaml", []byte(text), nil)
		if message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found\n%v\nwanted\n%s", err, want)
		}
	}
	weights := model.Weights{{Name: "lower.0.weight", Group: "lower"}, {Name: "head.weight", Group: "head"}}
	for groups, want := range map[string]string{
		"": "groups: expected a group for every parameter, found none whose pattern matches head.weight; the patterns are lower.*, upper.*",
		`[{"name":"a","parameters":"*","frozen":true},{"name":"b","parameters":"h*","frozen":true}]`: "groups: expected parameters for each group, found none for b: all that h* matches, if any, belong to groups before it",
	} {
		c := Default()
		c.Groups = groups
		if err := c.AssignGroups(weights); message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found\n%v\nwanted\n%s", err, want)
		}
	}
}
