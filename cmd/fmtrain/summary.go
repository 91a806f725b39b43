package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/layer"
	"fmtrain/internal/loop"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/schedule"
	"fmtrain/internal/table"
)

// printSettings says what will be trained, and on which data.
func printSettings(w io.Writer, m *build.Model, data *build.Data) {
	c := m.Settings
	say(w, "%s: %s\n", data.Kind, place(data.Data))
	say(w, "%s training, %s validation, %s test images\n\n", thousands(data.Training.Len()), thousands(data.Validation.Len()), thousands(data.Test.Len()))

	printModel(w, layerRows(m.Model, m.Weights, m.Groups))
	say(w, "\nbatch size %d, epochs %d, seed %d\n", c.BatchSize, c.Epochs, c.Seed)
	for _, line := range switchedOn(c, m.Model, m.Groups) {
		say(w, "%s\n", line)
	}
	say(w, "run directory: %s\n\n", c.Out)
}

// layerRow is a line in the table of the model: a layer, or the part of it that belongs to one group.
type layerRow struct {
	name       string
	shape      string // of its output
	parameters int
	group      string
	solver     string
	rate       string
}

// layerRows are the layers of a model. The layers of a block are indented, and come before it.
func layerRows(m *model.Model, weights model.Weights, groups []config.Group) (rows []layerRow) {
	groupOf := map[string]string{} // by parameter
	for _, w := range weights {
		groupOf[w.Name] = w.Group
	}
	layers := m.Layers()
	depth := map[string]int{}
	for _, block := range slices.Backward(layers) {
		for _, l := range block.Within {
			depth[l.Name] = depth[block.Name] + 1
		}
	}
	for _, l := range layers {
		name := strings.Repeat("  ", depth[l.Name]) + l.Name
		if rate, ok := strings.CutPrefix(l.String(), l.Word()+":"); ok {
			name += ":" + rate // of dropout
		}
		row := layerRow{name: name, shape: l.Out.String()}
		for _, p := range l.Parameters {
			if group := groupOf[p.Name]; group != row.group {
				if row.group != "" {
					rows = append(rows, row)
				}
				row = layerRow{name: name, shape: row.shape, group: group}
				row.solver, row.rate = trainedBy(group, groups)
			}
			row.parameters += p.Shape.TotalSize()
		}
		rows = append(rows, row)
	}
	return rows
}

// trainedBy is the solver and the learning rate of a group.
func trainedBy(name string, groups []config.Group) (solver, rate string) {
	for _, g := range groups {
		switch {
		case g.Name == name && g.LR == 0:
			return "frozen", ""
		case g.Name == name:
			return g.Solver, shortest(g.LR)
		}
	}
	return "", ""
}

// hasNorm says whether a layer is LayerNorm.
func hasNorm(m *model.Model) bool {
	return slices.ContainsFunc(m.Layers(), func(l model.Placed) bool {
		_, is := l.Layer.(layer.Norm)
		return is
	})
}

// printModel prints the table of the model.
func printModel(w io.Writer, layers []layerRow) {
	rate := "learning rate"
	if width := widthOf(w); width > 0 && width < 79 {
		rate = "learning\nrate"
	}
	columns := []table.Column{
		{Heading: "layer", Left: true, Keep: 6},
		{Heading: "output", Keep: 2},
		{Heading: "parameters", Keep: 5},
		{Heading: "group", Left: true, Keep: 1},
		{Heading: "solver", Left: true, Keep: 3},
		{Heading: rate, Keep: 4},
	}
	var rows [][]string
	total := 0
	for _, l := range layers {
		parameters := ""
		if l.parameters > 0 {
			parameters = thousands(l.parameters)
		}
		rows = append(rows, []string{l.name, l.shape, parameters, l.group, l.solver, l.rate})
		total += l.parameters
	}
	rows = append(rows, []string{"total", "", thousands(total), "", "", ""})
	_ = writeTable(w, columns, rows) // the writer keeps its error
}

// switchedOn are lines for everything, besides the layers, that is switched on.
func switchedOn(c config.Config, m *model.Model, groups []config.Group) (lines []string) {
	add := func(on bool, format string, args ...any) {
		if on {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	add(hasNorm(m), "LayerNorm: %s, ε %g", m.Norm.Form, m.Norm.Epsilon)
	add(!plain(m.Loss), "loss: %v", m.Loss)
	for _, g := range groups {
		add(!g.Constant() && g.LR > 0, "%s schedule: %s", g.Name, schedule.Text(g.Schedule))
	}
	for _, g := range groups {
		add(g.WeightDecay > 0 && g.LR > 0, "%s weight decay: %s", g.Name, shortest(g.WeightDecay))
	}
	return append(lines, c.Header()...)
}

// printFrom says where a run resumes.
func printFrom(w io.Writer, p run.Progress, finished bool) {
	if !finished {
		say(w, "Resuming after %v\n\n", p)
	} else {
		say(w, "Already finished after %v. To train longer, raise --epochs; after early stopping, add --override --patience N\n\n", p)
	}
}

// plain says whether a loss is the cross-entropy without smoothing, which needs no mention. Old checkpoints name no loss.
func plain(l loss.Named) bool { return l.Loss == nil || l.String() == loss.Default().String() }

// printDone says how a run ended and what to do next.
func printDone(w io.Writer, c config.Config, done *loop.Done) {
	if done.StoppedEarly {
		say(w, "Stopped early after epoch %d of %d: no better validation accuracy since epoch %d\n", done.Epochs, c.Epochs, done.BestEpoch)
	}
	switch {
	case done.Epochs == 0:
		say(w, "Initial weights saved in %s\n", done.Checkpoint)
	case done.BestLost:
		say(w, "Best epoch %d of %d, but its checkpoint is lost. The last is saved in %s\n", done.BestEpoch, done.Epochs, done.Checkpoint)
	case done.BestEpoch > 0:
		say(w, "Best epoch %d of %d, saved in %s\n", done.BestEpoch, done.Epochs, done.Checkpoint)
	default:
		say(w, "Epoch %d, saved in %s\n", done.Epochs, done.Checkpoint)
	}
	digest := done.WeightsSHA256
	if width := widthOf(w); width > 0 && width < len("  ")+len(digest) {
		digest = digest[:32] + "…" // metrics.jsonl has it whole
	}
	say(w, "Last weights: SHA-256 %s\n", digest)
	if done.Epochs == 0 {
		sayCommand(w, "Train from these weights", "train --init "+quoted(c.Out))
	} else {
		sayCommand(w, "Test it", "eval "+quoted(c.Out))
	}
}

// quoted is a path as a shell reads it as one word.
func quoted(path string) string {
	plain := "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+=:,@%"
	if os.PathSeparator == '\\' {
		plain += "\\"
	}
	if strings.HasPrefix(path, "-") { // which would be a flag
		path = "." + string(os.PathSeparator) + path
	}
	if path != "" && strings.Trim(path, plain) == "" {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// shortest writes 0.0001 as 0.0001, not as 1e-04, and 1e30 as 1e+30.
func shortest(x float64) string {
	if x != 0 && (x < 1e-6 || x >= 1e6) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// thousands writes 55000 as 55,000.
func thousands(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// count is "1 epoch" or "3 epochs".
func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

// list writes names as "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
