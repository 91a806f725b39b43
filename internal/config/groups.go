package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"fmtrain/internal/bounds"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)

const aGroup = `{name: norms, parameters: "*.norm.*", solver: sgd, lr: 0.01}`

// OwnGroups says whether the user has listed groups; otherwise they are lower and upper.
func (c Config) OwnGroups() bool {
	return !slices.EqualFunc(c.Groups, lowerAndUpper(), func(a, b Group) bool { return a.Name == b.Name && a.Parameters == b.Parameters })
}

// AssignGroups puts each weight into the first of the groups whose pattern matches its name. It is an error,
// which matches [ErrInvalid], if a weight matches no group or one of the user's groups has no weight.
func (c Config) AssignGroups(weights model.Weights) error {
	seen := map[string]bool{}
	for i := range weights {
		w := &weights[i]
		g := slices.IndexFunc(c.Groups, func(g Group) bool { ok, _ := path.Match(g.Parameters, w.Name); return ok })
		if g < 0 {
			var patterns []string
			for _, g := range c.Groups {
				patterns = append(patterns, g.Parameters)
			}
			return &problem{"groups", fmt.Sprintf("expected a group for every parameter, found none whose pattern matches %s; the patterns are %s",
				w.Name, strings.Join(patterns, ", "))}
		}
		w.Group = c.Groups[g].Name
		seen[w.Group] = true
	}
	for _, g := range c.Groups {
		if c.OwnGroups() && !seen[g.Name] {
			why := fmt.Sprintf("no parameter has a name such as %s", g.Parameters)
			if slices.ContainsFunc(weights, func(w model.Weight) bool { ok, _ := path.Match(g.Parameters, w.Name); return ok }) {
				why = fmt.Sprintf("every parameter that %s matches is in a group before it", g.Parameters)
			}
			return &problem{"groups", fmt.Sprintf("expected parameters for each group, found none for %s: %s", g.Name, why)}
		}
	}
	return nil
}

// groupJSON is a group as a checkpoint and a written file have it.
type groupJSON struct {
	Name        string  `json:"name"`
	Parameters  string  `json:"parameters"`
	Solver      string  `json:"solver"`
	LR          float64 `json:"lr"`
	Schedule    string  `json:"schedule"`
	WeightDecay float64 `json:"weight-decay"`
}

// groupList is a list of groups: YAML in a file and at a flag, and JSON, which is YAML too, when it is written.
func groupList() form[[]Group] {
	return form[[]Group]{
		noun:    "GROUPS",
		allowed: "a list of groups, each as in " + aGroup,
		types:   texts,
		nodes:   true,
		parse:   parseGroups,
		get: func(groups []Group) any {
			if !(Config{Groups: groups}).OwnGroups() {
				return ""
			}
			var list []groupJSON
			for _, g := range groups {
				list = append(list, groupJSON{g.Name, g.Parameters, g.Solver, g.LR, schedule.Text(g.Schedule), g.WeightDecay})
			}
			text, _ := json.Marshal(list) // all numbers are finite
			return string(text)
		},
	}
}

// The values of settings that a group leaves out, until [fillGroups] sets them.
var notGiven = Group{LR: math.NaN(), WeightDecay: math.NaN()}

// parseGroups reads a list of groups. An empty list stands for lower and upper.
func parseGroups(text string) ([]Group, error) {
	var list []yaml.Node
	if text != "" {
		if err := yaml.Unmarshal([]byte(text), &list); err != nil {
			return nil, errNotAllowed
		}
	}
	if len(list) == 0 {
		return Default().Groups, nil
	}
	var groups []Group
	for i := range list {
		g, err := parseGroup(target(&list[i]))
		if err == nil && slices.ContainsFunc(groups, func(other Group) bool { return other.Name == g.Name }) {
			err = fmt.Errorf("name: expected each once, found %q again", g.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("group %d: %w", i+1, err)
		}
		groups = append(groups, g)
	}
	return groups, nil
}

// parseGroup reads the settings of one group.
func parseGroup(n *yaml.Node) (Group, error) {
	g, frozen := notGiven, false
	if n.Kind != yaml.MappingNode {
		return g, errors.New("expected its settings, found " + describe(n))
	}
	table := []*setting{
		{key: "name", kind: groupName().of(&g.Name)},
		{key: "parameters", kind: pattern().of(&g.Parameters)},
		{key: "solver", kind: choice[string](solver.Names()).of(&g.Solver)},
		{key: "lr", kind: number("RATE", bounds.NonNegative).of(&g.LR)},
		{key: "schedule", kind: schedules().of(&g.Schedule)},
		{key: "weight-decay", kind: number("RATE", bounds.NonNegative).of(&g.WeightDecay), auto: true},
		{key: "frozen", kind: boolean().of(&frozen)},
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, raw{node: target(n.Content[i+1])}
		s := find(table, key)
		switch {
		case s == nil:
			return g, fmt.Errorf("%.*q is no setting of a group; expected %s%s", maxText, key, strings.Join(keysOf(table), ", "), didYouMean(key, keysOf(table)))
		case seen[key]:
			return g, fmt.Errorf("%s: expected once, found again", key)
		}
		seen[key] = true
		if s.auto && value.isAuto() {
			continue
		}
		if err := s.read(value); err != nil {
			return g, fmt.Errorf("%s: %w", key, err)
		}
	}
	for _, s := range table[:2] {
		if s.get() == "" {
			return g, fmt.Errorf("%s: expected %s, found none", s.key, s.allowed)
		}
	}
	if frozen {
		g.LR = 0
	}
	return g, nil
}

// fillGroups sets what groups left out: to the setting for all groups if it is given, else to the default. A setting without a default
// must be given.
func fillGroups(groups []Group, all Group) error {
	for i := range groups {
		g := &groups[i]
		if math.IsNaN(g.LR) {
			g.LR = all.LR
		}
		if g.Solver == "" {
			g.Solver = all.Solver
		}
		if g.Solver == "" && g.LR == 0 {
			g.Solver = "sgd" // a solver without slots, because a frozen group needs none
		}
		if g.Schedule == nil {
			g.Schedule = all.Schedule
		}
		if g.Schedule == nil {
			g.Schedule = &schedule.Constant{}
		}
		if math.IsNaN(g.WeightDecay) {
			g.WeightDecay = all.WeightDecay
		}
		switch {
		case math.IsNaN(g.LR):
			return fmt.Errorf("group %d: lr: expected a learning rate, here or for all groups with --lr, found none", i+1)
		case g.Solver == "":
			return fmt.Errorf("group %d: solver: expected one of %s, here or for all groups with --solver, found none", i+1, strings.Join(solver.Names(), ", "))
		}
		if math.IsNaN(g.WeightDecay) {
			g.WeightDecay = ownWeightDecay(g.Solver)
		}
	}
	return nil
}

// groupName is the name of a group in lines and checkpoints.
func groupName() form[string] {
	return form[string]{
		allowed: "a name of letters, digits, - and _",
		types:   texts,
		parse: func(s string) (string, error) {
			odd := strings.IndexFunc(s, func(c rune) bool {
				return !(c == '-' || c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z')
			})
			if s == "" || odd >= 0 {
				return "", errNotAllowed
			}
			return s, nil
		},
	}
}

// pattern is a pattern of parameters' names.
func pattern() form[string] {
	return form[string]{
		allowed: `a pattern of parameters' names, as in "lower.*" or "*.norm.*"`,
		types:   texts,
		parse: func(s string) (string, error) {
			if _, err := path.Match(s, ""); s == "" || err != nil {
				return "", errNotAllowed
			}
			return s, nil
		},
	}
}
