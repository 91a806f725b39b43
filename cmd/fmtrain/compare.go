package main

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/config"
	"fmtrain/internal/run"
)

type compareOptions struct {
	each             bool
	json, csv, latex bool
}

func newCompare(s streams) *cobra.Command {
	var o compareOptions
	cmd := &cobra.Command{
		Use:   "compare RUN RUN...",
		Short: "Compare runs: the settings that differ, and the results",
		Long: "Compare runs side by side: only the settings that differ, then the results. Training and validation results are those of the best " +
			"epoch, and test results are there if eval measured them. The first run is the baseline: the numbers in parentheses are the " +
			"differences from it.\n\n" +
			"Runs that differ by the seed alone become one column: mean ± standard deviation (with n − 1). --each keeps them apart. Different training " +
			"data, versions or processors are pointed out.",
		Example: `  fmtrain compare runs/a runs/b
  fmtrain compare runs/seed-* runs/wide-seed-*
  fmtrain compare runs/a runs/b --latex > table.tex`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return &advised{usageError{fmt.Errorf("expected two runs or more, found %d", len(args))}, "List the runs with", "runs"}
			}
			return nil
		},
		ValidArgsFunction: completeRuns(math.MaxInt),
		RunE: func(_ *cobra.Command, args []string) error {
			return runCompare(s, args, o)
		},
	}
	cmd.Flags().BoolVar(&o.each, "each", false, "a column for each run, also if runs differ by the seed alone")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	cmd.Flags().BoolVar(&o.csv, "csv", false, "print a line for each column as comma-separated values, with all digits")
	cmd.Flags().BoolVar(&o.latex, "latex", false, "print a table for LaTeX, with the package booktabs")
	under(cmd, flagHeading, true, "each", "json", "csv", "latex")
	return cmd
}

// runCompare compares runs and prints the comparison.
func runCompare(s streams, paths []string, o compareOptions) error {
	if o.json && o.csv || o.csv && o.latex || o.latex && o.json {
		return usageError{errors.New("--json, --csv, --latex: expected one of them at most")}
	}
	var runs []*comparedRun
	for _, path := range paths {
		r, err := readRun(path)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(runs, func(other *comparedRun) bool { return other.Dir == r.Dir }) {
			return usageError{fmt.Errorf("%s: expected each run once, found it again", path)}
		}
		runs = append(runs, r)
	}
	c := newComparison(runs, o.each)
	switch {
	case o.json:
		return c.writeJSON(s.out)
	case o.csv:
		if err := c.writeCSV(s.out); err != nil {
			return err
		}
	case o.latex:
		if err := c.writeLaTeX(s.out); err != nil {
			return err
		}
	default:
		if err := c.write(s.out); err != nil {
			return err
		}
	}
	for _, warning := range c.warnings {
		warn(s.err, "%s", warning)
	}
	return nil
}

// comparedRun is what a comparison needs of a run.
type comparedRun struct {
	run.Overview
	summary  *run.Summary
	settings []config.RunSetting
}

// readRun reads a run to compare. A damaged one is an error.
func readRun(path string) (*comparedRun, error) {
	dir, err := openRun(path)
	if err != nil {
		return nil, err
	}
	r := &comparedRun{Overview: run.Info{Dir: dir}.Overview()}
	if r.Reason != nil {
		return nil, fmt.Errorf("%s is damaged: %w", dir, r.Reason)
	}
	if r.summary, err = dir.Summary(); err != nil {
		return nil, err
	}
	if r.Settings == nil {
		return nil, fmt.Errorf("%s: expected a run with a checkpoint, found one that has just begun", dir)
	}
	if r.settings, err = config.RunSettings(r.Settings); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return r, nil
}

// text is the value of a setting. A run of an older program may lack it.
func (r *comparedRun) text(key string) string {
	for _, s := range r.settings {
		if s.Key == key {
			return s.Text
		}
	}
	return ""
}

// best is the best epoch; without validation the last one.
func (r *comparedRun) best() *run.Epoch { return cmp.Or(r.summary.Best, r.summary.Last) }

// program is the version that trained the run.
func (r *comparedRun) program() string {
	p := r.summary.Program
	return strings.TrimSpace(p.Version + " " + p.Commit[:min(len(p.Commit), 12)])
}

// data is a short name for the training files.
func (r *comparedRun) data() string {
	for _, name := range slices.Sorted(maps.Keys(r.Data)) {
		if strings.Contains(name, "images") {
			return r.Data[name][:min(len(r.Data[name]), 12)]
		}
	}
	return "unknown"
}

// settingKeys are the settings that a comparison shows if they differ: those that change results, and those that change the speed.
func settingKeys(runs []*comparedRun) (keys []string) {
	for _, r := range runs {
		for _, s := range r.settings {
			if (!s.Neutral || slices.Contains(speedKeys, s.Key)) && !slices.Contains(keys, s.Key) {
				keys = append(keys, s.Key)
			}
		}
	}
	return keys
}

// speedKeys are the neutral settings that a comparison shows if they differ, because they change the speed.
var speedKeys = []string{"threads", "vm"}

// kin says whether two runs differ by the seed alone, or also in settings that change no result.
func kin(a, b *comparedRun, keys []string) bool {
	if !maps.Equal(a.Data, b.Data) || a.summary.Program != b.summary.Program || a.text("seed") == b.text("seed") {
		return false
	}
	for _, key := range keys {
		if key != "seed" && !slices.Contains(speedKeys, key) && a.text(key) != b.text(key) {
			return false
		}
	}
	return true
}

// column is a run, or runs that differ by the seed alone.
type column struct{ runs []*comparedRun }

// name is the name of the first run.
func (c column) name() string { return string(c.runs[0].Dir) }

// values are the values of a measure in the runs that have it.
func (c column) values(m measure) (values []float64) {
	for _, r := range c.runs {
		if x, ok := m.of(r); ok {
			values = append(values, x)
		}
	}
	return values
}

// texts are the different values of a setting, in the order of the runs.
func (c column) texts(of func(*comparedRun) string) (texts []string) {
	for _, r := range c.runs {
		if text := of(r); !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	return texts
}

// comparison is runs side by side. Its first column is the baseline.
type comparison struct {
	columns  []column
	settings []property // that differ
	warnings []string
}

// property is a text of each run: a setting, or where the run was made.
type property struct {
	name string
	of   func(*comparedRun) string
}

// newComparison groups runs into columns, and finds what differs.
func newComparison(runs []*comparedRun, each bool) *comparison {
	c := &comparison{}
	keys := settingKeys(runs)
	for _, r := range runs {
		at := slices.IndexFunc(c.columns, func(col column) bool {
			return !each && !slices.ContainsFunc(col.runs, func(other *comparedRun) bool { return !kin(other, r, keys) })
		})
		if at < 0 {
			c.columns = append(c.columns, column{})
			at = len(c.columns) - 1
		}
		c.columns[at].runs = append(c.columns[at].runs, r)
	}
	properties := []property{
		{"state", func(r *comparedRun) string { return string(r.Status) }},
		{"training data", (*comparedRun).data},
		{"version", (*comparedRun).program},
		{"processor", func(r *comparedRun) string { return r.summary.Program.Processor }},
	}
	for _, key := range keys {
		properties = append(properties, property{key, func(r *comparedRun) string { return r.text(key) }})
	}
	for _, p := range properties {
		if len(column{runs}.texts(p.of)) > 1 {
			c.settings = append(c.settings, p)
		}
	}
	c.warnings = warningsOf(runs)
	return c
}

// warningsOf says what can't be compared.
func warningsOf(runs []*comparedRun) (warnings []string) {
	first := runs[0]
	add := func(format string, args ...any) { warnings = append(warnings, fmt.Sprintf(format, args...)) }
	for _, r := range runs[1:] {
		if !maps.Equal(r.Data, first.Data) {
			add("%s and %s were trained on different data, so their results can't be compared", first.Dir, r.Dir)
		}
	}
	for _, r := range runs[1:] {
		if a, b := first.program(), r.program(); a != b {
			add("%s and %s were trained by different versions, %s and %s: the same settings may give different results", first.Dir, r.Dir,
				cmp.Or(a, "unknown"), cmp.Or(b, "unknown"))
		}
	}
	differ := func(of func(*comparedRun) string) bool { return len(column{runs}.texts(of)) > 1 }
	if differ(func(r *comparedRun) string { return r.summary.Program.Processor }) {
		add("the runs were trained on different processors, so their times can't be compared")
	}
	if differ(func(r *comparedRun) string { return r.text("loss") }) {
		add("the runs minimise different losses, so their losses can't be compared")
	}
	for _, r := range runs {
		if r.Test != nil && r.Progress.BestEpoch > 0 && r.Test.Epoch != r.Progress.BestEpoch {
			add("the test results of %s are from epoch %d, but its best epoch is %d; eval measures it again", r.Dir, r.Test.Epoch, r.Progress.BestEpoch)
		}
		if r.Test != nil && r.Test.EMA {
			add("the test results of %s are those of its averaged weights", r.Dir)
		}
	}
	return warnings
}
