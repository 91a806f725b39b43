package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/loop"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
)

// printSettings says what will be trained, and on what.
func printSettings(w io.Writer, c config.Config, t *loop.Trainer, data *dataset.Data) {
	m, weights := t.Checkpoints.Model, t.Checkpoints.Weights
	fmt.Fprintf(w, "%s: %s\n", data.Kind, place(data))
	fmt.Fprintf(w, "%s training, %s validation, %s test images\n\n", thousands(t.Train.Len()), thousands(*c.Validation), thousands(data.Test.Len()))

	groups, width := groupsOf(c, weights), len("group ")
	for _, g := range groups {
		width = max(width, len(g.Name))
	}
	const row = "%-*s  %-18s%11s  %-9s%11s%14s\n"
	fmt.Fprintf(w, row, width, "group", "layers", "parameters", "solver", "learn rate", "weight decay")
	for _, g := range groups {
		what := g.Parameters
		if !c.OwnGroups() {
			what = layersOf(m, g.Name)
		}
		fmt.Fprintf(w, row, width, g.Name, what, thousands(weights.Count(g.Name)), g.Solver, shortest(g.LR), shortest(g.WeightDecay))
	}

	norm := "no LayerNorm"
	if m.Norm != (layer.Norm{}) && strings.Contains(m.Text(), "ln") {
		norm = fmt.Sprintf("LayerNorm (%s, ε %g)", m.Norm.Form, m.Norm.Epsilon)
	}
	if c.Layers == "" && c.Model != "resmlp" {
		norm += ", " + c.Activation
	} else {
		norm = m.Text() + "\n" + norm
	}
	trained := ""
	if !plain(m.Loss) {
		trained = fmt.Sprintf(", loss %v", m.Loss)
	}
	fmt.Fprintf(w, "\n%s%s, batch %d, epochs %d, seed %d\n", norm, trained, c.BatchSize, c.Epochs, c.Seed)
	for _, g := range groups {
		if !g.Constant() {
			fmt.Fprintf(w, "%s learning rate: %s\n", g.Name, schedule.Text(g.Schedule))
		}
	}
	for _, line := range c.Header() {
		fmt.Fprintln(w, line)
	}
	fmt.Fprintf(w, "%s\n\n", c.Out)
}

// printFrom says from where a run is taken up.
func printFrom(w io.Writer, p loop.Progress, finished bool) {
	if !finished {
		fmt.Fprintf(w, "Goes on after %v\n\n", p)
	} else {
		fmt.Fprintf(w, "Nothing is left to do after %v. More epochs: --epochs N; more patience, if it was stopped early: --override --patience N\n\n", p)
	}
}

// plain says whether a loss is the cross-entropy without smoothing, which needs no mention. A checkpoint from before there was
// a choice names none.
func plain(l loss.Named) bool { return l.Loss == nil || l.String() == loss.Default().String() }

// layersOf lists the dense layers of a group, such as 784→300→100: each begins where the one before ends.
func layersOf(m *model.Model, group string) string {
	var b strings.Builder
	for _, l := range m.Layers() {
		switch {
		case l.Group != group || l.Word() != "dense":
		case b.Len() == 0:
			fmt.Fprintf(&b, "%v→%v", l.In, l.Out)
		default:
			fmt.Fprintf(&b, "→%v", l.Out)
		}
	}
	return b.String()
}

// printDone says what came of a run and what to do with it.
func printDone(w io.Writer, c config.Config, done *loop.Done) {
	if done.StoppedEarly {
		fmt.Fprintf(w, "Stopped early after epoch %d of %d: no better validation accuracy since epoch %d\n", done.Epochs, c.Epochs, done.BestEpoch)
	}
	switch {
	case done.Epochs == 0:
		fmt.Fprintf(w, "Initial weights saved in %s\nTheir SHA-256: %s\nTrain from them: fmtrain train --init %s\n", done.Checkpoint, done.WeightsSHA256, quoted(c.Out))
		return
	case done.BestLost:
		fmt.Fprintf(w, "Best epoch %d of %d, whose checkpoint is lost; the last is ", done.BestEpoch, done.Epochs)
	case done.BestEpoch > 0:
		fmt.Fprintf(w, "Best epoch %d of %d, ", done.BestEpoch, done.Epochs)
	default:
		fmt.Fprintf(w, "Epoch %d, ", done.Epochs)
	}
	fmt.Fprintf(w, "saved in %s\nLast weights: SHA-256 %s\nTest it: fmtrain eval %s\n", done.Checkpoint, done.WeightsSHA256, quoted(c.Out))
}

// quoted is a path as a shell takes it for one word.
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

// list writes names as "a, b and c".
func list(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}
