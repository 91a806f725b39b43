package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
	"fmtrain/internal/schedule"
)

const threeGroups = `groups:
- {name: norms, parameters: "*.norm.*", solver: sgd, lr: 0.01, weight-decay: 0}
- {name: body, parameters: "lower.*", solver: adamw, lr: 1e-4, schedule: "step:epochs=2"}
- {name: head, parameters: "upper.*", frozen: true}
`

// A list of groups, in a file or as a flag, sets everything about each group. A parameter belongs to the first group that matches.
func TestGroups(t *testing.T) {
	constant := parsed(t, "constant")
	want := []Group{
		{"norms", "*.norm.*", "sgd", 0.01, constant, 0},
		{"body", "lower.*", "adamw", 1e-4, parsed(t, "step:epochs=2"), 0.004},
		{"head", "upper.*", "sgd", 0, constant, 0},
	}
	for text, args := range map[string][]string{
		threeGroups:   nil,
		"epochs: 1":   {"--groups=" + threeGroups[len("groups:\n"):]},
		"lower-lr: 7": {"--groups=" + threeGroups[len("groups:\n"):]}, // a flag overrides a file
	} {
		c, err := resolve("f.yaml", []byte(text), flags(t, args...))
		if err != nil {
			t.Errorf("%q %q: %v", text, args, err)
			continue
		}
		if diff := cmp.Diff(want, c.Groups); diff != "" {
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
		"groups: [{nam: a}]":             `f.yaml:1: groups: group 1: "nam" is no setting of a group; expected name, parameters, solver, lr, schedule, weight-decay, frozen; did you mean name?`,
		"groups: [{name: a b}]":          `f.yaml:1: groups: group 1: name: expected a name of letters, digits, - and _, found the text "a b"`,
		"groups: [{parameters: '['}]":    `f.yaml:1: groups: group 1: parameters: expected a pattern of parameters' names, as in "lower.*" or "*.norm.*", found the text "["`,
		"groups: [{lr: -1}]":             "f.yaml:1: groups: group 1: lr: expected a finite number of at least 0, found -1",
		"groups: [{schedule: step:x=1}]": `f.yaml:1: groups: group 1: schedule: step: expected options of epochs, factor as in step:epochs=10,factor=0.1, found "x=1"`,
		"groups: [{frozen: 1}]":          "f.yaml:1: groups: group 1: frozen: expected true or false, found 1",
		"lower-lr: 1\n" + threeGroups:    "f.yaml:1: lower-lr: conflicts with f.yaml:2: groups, which replaces it",
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
		`[{"name":"a","parameters":"*","frozen":true},{"name":"b","parameters":"h*","frozen":true}]`: "groups: expected parameters for each group, found none for b: every parameter that h* matches is in a group before it",
		`[{"name":"a","parameters":"*","frozen":true},{"name":"b","parameters":"x*","frozen":true}]`: "groups: expected parameters for each group, found none for b: no parameter has a name such as x*",
	} {
		c := Default()
		var err error
		if c.Groups, err = parseGroups(groups); err != nil {
			t.Fatal(err)
		}
		if err := c.AssignGroups(weights); message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found\n%v\nwanted\n%s", err, want)
		}
	}
}

// A setting for all groups sets the groups without a value of their own. As a flag, it sets all groups of a file except frozen ones.
func TestSettingsForAllGroups(t *testing.T) {
	type row struct {
		solver   string
		lr       float64
		schedule string
		decay    float64
	}
	const three = `groups:
- {name: a, parameters: "*.norm.*", solver: sgd, lr: 0.01}
- {name: b, parameters: "lower.*", lr: 0.02, schedule: step, weight-decay: 0.5}
- {name: c, parameters: "*", frozen: true}
`
	for _, test := range []struct {
		file string
		args []string
		want []row
	}{
		{"", []string{"--lr=0.1"}, []row{{"adam", 0.1, "constant", 0}, {"nadam", 0.1, "constant", 0}}},
		{"", []string{"--lr=0.1", "--upper-lr=0.2"}, []row{{"adam", 0.1, "constant", 0}, {"nadam", 0.2, "constant", 0}}},
		{"lower-lr: 0.3", []string{"--lr=0.1"}, []row{{"adam", 0.1, "constant", 0}, {"nadam", 0.1, "constant", 0}}},
		{"lr: 0.1\nlower-lr: 0.3", nil, []row{{"adam", 0.3, "constant", 0}, {"nadam", 0.1, "constant", 0}}},
		{"lr: 1e-3", []string{"--upper-lr=0.2"}, []row{{"adam", 1e-3, "constant", 0}, {"nadam", 0.2, "constant", 0}}},
		{"lr: 0.1", []string{"--lr=auto"}, []row{{"adam", 1e-4, "constant", 0}, {"nadam", 1e-3, "constant", 0}}},
		{"", []string{"--solver=AdamW"}, []row{{"adamw", 1e-4, "constant", 0.004}, {"adamw", 1e-3, "constant", 0.004}}},
		{"", []string{"--solver=adamw", "--weight-decay=0.1", "--lower-weight-decay=auto"}, []row{{"adamw", 1e-4, "constant", 0.1}, {"adamw", 1e-3, "constant", 0.1}}},
		{"", []string{"--schedule=cosine"}, []row{{"adam", 1e-4, "cosine:warmup=0,end=0", 0}, {"nadam", 1e-3, "cosine:warmup=0,end=0", 0}}},
		{three, []string{"--solver=adamw"}, []row{{"adamw", 0.01, "constant", 0.004}, {"adamw", 0.02, "step:epochs=10,factor=0.1", 0.5}, {"adamw", 0, "constant", 0.004}}},
		{three + "solver: adam\nschedule: cosine", []string{"--lr=0.1"},
			[]row{{"sgd", 0.1, "cosine:warmup=0,end=0", 0}, {"adam", 0.1, "step:epochs=10,factor=0.1", 0.5}, {"adam", 0, "cosine:warmup=0,end=0", 0}}},
	} {
		c, err := resolve("f.yaml", []byte(test.file), flags(t, test.args...))
		if err != nil {
			t.Errorf("%q %q: %v", test.file, test.args, err)
			continue
		}
		var got []row
		for _, g := range c.Groups {
			got = append(got, row{g.Solver, g.LR, schedule.Text(g.Schedule), g.WeightDecay})
		}
		if diff := cmp.Diff(test.want, got, cmp.AllowUnexported(row{})); diff != "" {
			t.Errorf("%q %q (-want +got):\n%s", test.file, test.args, diff)
		}
	}
	_, err := resolve("f.yaml", []byte(three), nil)
	if want := "f.yaml:1: groups: group 2: solver: expected one of "; !strings.HasPrefix(message(err), want) || !errors.Is(err, ErrInvalid) {
		t.Errorf("found %v, wanted %s...", err, want)
	}
	_, err = resolve("f.yaml", []byte(threeGroups), flags(t, "--upper-lr=5e-3"))
	want := "--upper-lr: conflicts with f.yaml:1: groups, which replaces upper-lr; --lr, --solver, --schedule and --weight-decay set all groups"
	if message(err) != want || !errors.Is(err, ErrInvalid) {
		t.Errorf("found\n%v\nwanted\n%s", err, want)
	}
}
