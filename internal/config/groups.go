package config

import (
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"

	"fmtrain/internal/model"
)

// Group is how the parameters of one group are trained.
type Group struct {
	Name        string  `json:"name"`
	Parameters  string  `json:"parameters"` // a pattern of [path.Match] on the parameters' names
	Solver      string  `json:"solver"`
	LR          float64 `json:"lr"` // 0 if it is frozen
	Schedule    string  `json:"schedule"`
	WeightDecay float64 `json:"weight-decay"`
}

// ParameterGroups are the groups in the order in which their patterns are tried: those of Groups, or lower and upper.
func (c Config) ParameterGroups() []Group {
	if c.Groups != "" {
		groups, _ := parseGroups(c.Groups) // it has been read before
		return groups
	}
	return []Group{
		{model.Lower, model.Lower + ".*", c.LowerSolver, c.LowerLR, c.LowerSchedule, c.LowerWeightDecay},
		{model.Upper, model.Upper + ".*", c.UpperSolver, c.UpperLR, c.UpperSchedule, c.UpperWeightDecay},
	}
}

// AssignGroups puts each weight into the first of the groups whose pattern matches its name. A weight that none matches is an error,
// and so is one of Groups that has no weight; it matches [ErrInvalid].
func (c Config) AssignGroups(weights model.Weights) error {
	groups := c.ParameterGroups()
	seen := map[string]bool{}
	for i := range weights {
		w := &weights[i]
		matches := func(g Group) bool { ok, _ := path.Match(g.Parameters, w.Name); return ok }
		found := false
		for _, g := range groups {
			if found = matches(g); found {
				w.Group, seen[g.Name] = g.Name, true
				break
			}
		}
		if !found {
			return &problem{"groups", fmt.Sprintf("expected a group for every parameter, found none whose pattern matches %s; the patterns are %s", w.Name, patterns(groups))}
		}
	}
	for _, g := range groups {
		if c.Groups != "" && !seen[g.Name] {
			return &problem{"groups", fmt.Sprintf("expected parameters for each group, found none for %s: all that %s matches, if any, belong to groups before it", g.Name, g.Parameters)}
		}
	}
	return nil
}

func patterns(groups []Group) string {
	var all []string
	for _, g := range groups {
		all = append(all, g.Parameters)
	}
	return strings.Join(all, ", ")
}

// shortForm are the settings whose place Groups takes.
var shortForm = []string{
	"lower-solver", "lower-lr", "lower-schedule", "lower-weight-decay", "upper-solver", "upper-lr", "upper-schedule", "upper-weight-decay",
}

// groups is a list of groups, in YAML at a flag too. It is kept as JSON with all its settings, which is YAML as well.
func groups() format {
	parse := func(text string) (string, error) {
		if text == "" {
			return "", nil
		}
		groups, err := parseGroups(text)
		if err != nil || len(groups) == 0 {
			return "", err
		}
		canonical, err := json.Marshal(groups)
		return string(canonical), err
	}
	return format{
		noun:    "GROUPS",
		yaml:    true,
		allowed: `a list of groups, as in [{name: norms, parameters: "*.norm.*", solver: sgd, lr: 0.01}, ...]`,
		read: func(text string) (any, bool) {
			v, err := parse(text)
			return v, err == nil
		},
		wrong: func(text string) error {
			_, err := parse(text)
			return err
		},
	}
}

// parseGroups reads a list of groups.
func parseGroups(text string) (groups []Group, err error) {
	var list []yaml.Node
	if err := yaml.Unmarshal([]byte(text), &list); err != nil {
		return nil, errors.New(`expected a list of groups, each as in {name: norms, parameters: "*.norm.*", solver: sgd, lr: 0.01}`)
	}
	names := map[string]bool{}
	for i := range list {
		g, err := parseGroup(target(&list[i]))
		if err != nil {
			return nil, fmt.Errorf("group %d: %w", i+1, err)
		}
		if names[g.Name] {
			return nil, fmt.Errorf("group %d: name: expected each once, found %q again", i+1, g.Name)
		}
		names[g.Name] = true
		groups = append(groups, g)
	}
	return groups, nil
}

// parseGroup reads the settings of one group; those that are left out have the defaults of the short form's.
func parseGroup(n *yaml.Node) (Group, error) {
	g := Group{Schedule: Default().LowerSchedule}
	if n.Kind != yaml.MappingNode {
		return g, errors.New("expected its settings, found " + describe(n))
	}
	formats := map[string]format{
		"name": groupName(), "parameters": pattern(), "solver": oneOf(Solvers), "lr": nonNegative("RATE"),
		"schedule": schedules(), "weight-decay": orAuto(nonNegative("RATE")), "frozen": boolean(),
	}
	given := map[string]any{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i].Value, target(n.Content[i+1])
		f, ok := formats[key]
		if !ok {
			return g, fmt.Errorf("expected settings of name, parameters, solver, lr, schedule, weight-decay and frozen, found %q", key)
		}
		if _, again := given[key]; again {
			return g, fmt.Errorf("%s: expected once, found again", key)
		}
		v, ok := readNode(f, value)
		if !ok {
			return g, fmt.Errorf("%s: %s", key, f.refusal(value.Value, describe(value)))
		}
		given[key] = v
	}
	frozen, _ := given["frozen"].(bool)
	for _, key := range []string{"name", "parameters", "solver", "lr"} {
		if _, ok := given[key]; !ok && !(frozen && (key == "lr" || key == "solver")) {
			return g, fmt.Errorf("%s: expected %s, found none", key, formats[key].allowed)
		}
	}
	g.Name, g.Parameters = given["name"].(string), given["parameters"].(string)
	if g.Solver, _ = given["solver"].(string); g.Solver == "" {
		g.Solver = "sgd" // which keeps nothing of what is frozen
	}
	if rate, ok := given["lr"].(float64); ok && !frozen {
		g.LR = rate
	}
	if text, ok := given["schedule"].(string); ok {
		g.Schedule = text
	}
	g.WeightDecay = ownWeightDecay(g.Solver)
	if decay, ok := given["weight-decay"].(float64); ok {
		g.WeightDecay = decay
	}
	return g, nil
}

// groupName is a name that tells a group in lines and checkpoints.
func groupName() format {
	return format{
		allowed: "a name of letters, digits, - and _",
		read: func(s string) (any, bool) {
			odd := strings.IndexFunc(s, func(c rune) bool {
				return !(c == '-' || c == '_' || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z')
			})
			return s, s != "" && odd < 0
		},
	}
}

// pattern is one of parameters' names.
func pattern() format {
	return format{
		allowed: `a pattern of parameters' names, as in "lower.*" or "*.norm.*"`,
		read: func(s string) (any, bool) {
			_, err := path.Match(s, "")
			return s, s != "" && err == nil
		},
	}
}
