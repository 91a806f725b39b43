package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fmtrain/internal/config"
	"fmtrain/internal/run"
	"fmtrain/internal/table"
)

type runsOptions struct {
	dir, sort string
	json      bool
}

func newRuns(s streams) *cobra.Command {
	o := runsOptions{sort: runOrders[0].name}
	var orders []string
	help := "order of the list: "
	for i, order := range runOrders {
		orders = append(orders, order.name)
		if i > 0 {
			help += ", "
		}
		help += order.name + " (" + order.about + ")"
	}
	cmd := &cobra.Command{
		Use:   "runs [DIR]",
		Short: "List runs and their results",
		Long: "List the runs in a directory, by default runs/: when each was last trained, its state, the epochs done, the best validation accuracy, " +
			"the test accuracy if eval measured it, the training time, the number of parameters, and the settings that differ from the defaults. " +
			"On a narrow terminal the least important columns are left out.\n\n" +
			"The states are running (another process trains it), finished, interrupted, diverged and damaged. Of each checkpoint only the header is " +
			"read, so damage to the weights is not found.",
		Example: `  fmtrain runs
  fmtrain runs --sort val-accuracy
  fmtrain runs --json | jq -r 'select(.state == "finished") | .run'`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atMostOne(args, "directory", "DIR"); err != nil {
				return err
			}
			if !slices.Contains(orders, o.sort) {
				return notOneOf("sort", o.sort, orders, "one of "+strings.Join(orders, ", "))
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.dir = args[0]
			}
			return runRuns(s, o)
		},
	}
	cmd.Flags().VarP(&named{"KEY", &o.sort}, "sort", "", help)
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object a line")
	under(cmd, flagHeading, true, "sort", "json")
	complete(cmd, "sort", orders)
	return cmd
}

// runOrders are the orders of the list. A run without a value comes last.
var runOrders = []struct {
	name, about string
	compare     func(a, b run.Overview) int // nil: as the runs are found
}{
	{"newest", "last trained", nil},
	{"name", "alphabetical", func(a, b run.Overview) int { return cmp.Compare(a.Dir, b.Dir) }},
	{"val-accuracy", "the best first", func(a, b run.Overview) int {
		return cmp.Compare(b.Progress.BestAccuracy, a.Progress.BestAccuracy)
	}},
	{"test-accuracy", "the best first", func(a, b run.Overview) int { return cmp.Compare(testAccuracy(b), testAccuracy(a)) }},
	{"epochs", "the most first", func(a, b run.Overview) int { return cmp.Compare(b.Progress.Epoch, a.Progress.Epoch) }},
	{"time", "the shortest first", func(a, b run.Overview) int { return compareKnown(a.Seconds, b.Seconds) }},
	{"parameters", "the fewest first", func(a, b run.Overview) int { return compareKnown(a.Parameters, b.Parameters) }},
	{"state", "alphabetical", func(a, b run.Overview) int { return cmp.Compare(a.Status, b.Status) }},
}

// compareKnown puts zeros, which stand for what is not known, last.
func compareKnown[T int | float64](a, b T) int {
	if a == 0 || b == 0 {
		return cmp.Compare(b, a)
	}
	return cmp.Compare(a, b)
}

// testAccuracy is −1 if it was not measured.
func testAccuracy(o run.Overview) float64 {
	if o.Test == nil {
		return -1
	}
	return o.Test.Accuracy
}

// runRuns lists the runs of a directory.
func runRuns(s streams, o runsOptions) error {
	runs, err := findRuns(o.dir)
	if err != nil {
		return err
	}
	overviews := run.Overviews(runs)
	for _, order := range runOrders {
		if order.name == o.sort && order.compare != nil {
			slices.SortStableFunc(overviews, order.compare)
		}
	}
	switch {
	case o.json:
		encoder := json.NewEncoder(s.out)
		encoder.SetEscapeHTML(false)
		for _, r := range overviews {
			if err := encoder.Encode(runObject(r)); err != nil {
				return err
			}
		}
		return nil
	case len(overviews) == 0:
		say(s.err, "%s: no runs\n", cmp.Or(o.dir, run.Parent))
		sayCommand(s.err, "Train with", "train")
		return nil
	}
	return printRuns(s, overviews)
}

// findRuns are the runs in a directory; the default one may be missing.
func findRuns(dir string) ([]run.Info, error) {
	parent := cmp.Or(dir, run.Parent)
	info, err := os.Stat(parent)
	switch {
	case errors.Is(err, fs.ErrNotExist) && dir == "":
		return nil, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: expected a directory of runs, %w", parent, run.ErrNotFound)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, usageError{fmt.Errorf("%s: expected a directory of runs, found a file", parent)}
	case run.Dir(parent).IsRun():
		return nil, &advised{usageError{fmt.Errorf("%s: expected a directory of runs, found a run", parent)},
			"See how the run went with", "watch " + quoted(parent)}
	}
	return run.List(parent)
}

// printRuns prints a table of runs, and says why runs are damaged.
func printRuns(s streams, runs []run.Overview) error {
	columns := []table.Column{
		{Heading: "run", Left: true, Keep: 10, Cut: 26},
		{Heading: "last trained", Left: true, Keep: 1},
		{Heading: "state", Left: true, Keep: 8},
		{Heading: "epochs", Keep: 7},
		{Heading: "val acc", Keep: 9},
		{Heading: "test acc", Keep: 5},
		{Heading: "time", Keep: 4},
		{Heading: "parameters", Keep: 3},
		{Heading: "differs in", Left: true, Keep: 6, Cut: 16},
	}
	var rows [][]string
	for _, r := range runs {
		rows = append(rows, runRow(r))
	}
	if err := writeTable(s.out, columns, rows); err != nil {
		return err
	}
	for _, r := range runs {
		if r.Reason != nil {
			warn(s.err, "%s is damaged: %v", r.Dir, r.Reason)
		}
	}
	return nil
}

// runRow is the line of a run. What is not known is empty.
func runRow(r run.Overview) []string {
	row := []string{inCell(quoted(string(r.Dir))), r.Last.Format("2006-01-02 15:04"), string(r.Status), "", "", "", "", "", ""}
	if r.Settings != nil {
		row[3] = fmt.Sprint(r.Progress.Epoch)
		if total := epochsOf(r.Settings); total > 0 {
			row[3] += fmt.Sprintf("/%d", total)
		}
	}
	if r.Progress.BestEpoch > 0 {
		row[4] = fmt.Sprintf("%.4f", r.Progress.BestAccuracy)
	}
	if r.Test != nil {
		row[5] = fmt.Sprintf("%.4f", r.Test.Accuracy)
	}
	if r.Seconds > 0 {
		row[6] = duration(r.Seconds)
	}
	if r.Parameters > 0 {
		row[7] = thousands(r.Parameters)
	}
	if all, err := config.RunSettings(r.Settings); err == nil {
		var words []string
		for _, d := range config.Differing(all) {
			if d.Key != "epochs" { // which has its column
				words = append(words, d.Key+" "+d.Text)
			}
		}
		row[8] = inCell(strings.Join(words, ", "))
	}
	return row
}

// epochsOf is the number of epochs in the settings of a run; 0 if it is not there.
func epochsOf(settings json.RawMessage) int {
	var s struct {
		Epochs int `json:"epochs"`
	}
	_ = json.Unmarshal(settings, &s)
	return s.Epochs
}

// runJSON is a run in the list as JSON. What is not known is null or 0.
type runJSON struct {
	Run          string                     `json:"run"`
	Date         string                     `json:"date"` // of the start or the last resume
	State        run.Status                 `json:"state"`
	Reason       string                     `json:"reason,omitempty"` // of the damage
	Epochs       int                        `json:"epochs"`           // done
	LastEpoch    int                        `json:"last_epoch"`       // to do
	BestEpoch    int                        `json:"best_epoch"`
	BestAccuracy *float64                   `json:"best_accuracy"` // on the validation images
	Test         *run.Tested                `json:"test"`
	Seconds      float64                    `json:"seconds"`
	Parameters   int                        `json:"parameters"`
	Differs      map[string]json.RawMessage `json:"differs"` // from the defaults
}

// runObject is a run as JSON.
func runObject(r run.Overview) runJSON {
	object := runJSON{
		Run: string(r.Dir), Date: r.Last.UTC().Format(time.RFC3339), State: r.Status, Epochs: r.Progress.Epoch, LastEpoch: epochsOf(r.Settings),
		BestEpoch: r.Progress.BestEpoch, Test: r.Test, Seconds: r.Seconds, Parameters: r.Parameters, Differs: map[string]json.RawMessage{},
	}
	if r.Reason != nil {
		object.Reason = r.Reason.Error()
	}
	if r.Progress.BestEpoch > 0 {
		object.BestAccuracy = &r.Progress.BestAccuracy
	}
	all, _ := config.RunSettings(r.Settings) // without settings nothing differs
	for _, s := range all {
		if !s.Default && !s.Neutral && s.JSON != nil {
			object.Differs[s.JSONKey()] = s.JSON
		}
	}
	return object
}
