package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"fmtrain/internal/layernorm"
	"fmtrain/internal/table"
	"fmtrain/testdata/golden"
)

type checkOptions struct {
	golden []string
	json   bool
}

func newCheckLayerNorm(s streams) *cobra.Command {
	var o checkOptions
	cmd := &cobra.Command{
		Use:   "check-layernorm",
		Short: "Check the LayerNorm against Keras, PyTorch and others",
		Long: "Check the hand-written LayerNorm and its gradient against values of Keras and PyTorch, a float64 reference, Gorgonia's own nodes, " +
			"finite differences and Gorgonia's LispMachine. The exit code is 3 if an error exceeds its tolerance.",
		Example: `  fmtrain check-layernorm
  fmtrain check-layernorm --golden more.json --json`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error { return runCheckLayerNorm(s, o) },
	}
	cmd.Flags().StringArrayVar(&o.golden, "golden", nil, "another `FILE` of reference values, in the format of testdata/golden; may be repeated")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	under(cmd, flagHeading, true, "golden", "json")
	return cmd
}

// runCheckLayerNorm runs the checks on the embedded golden files and those named.
func runCheckLayerNorm(s streams, o checkOptions) error {
	files, err := readGolden(o.golden)
	if err != nil {
		return err
	}
	checks, err := layernorm.CheckAll(files)
	if err != nil {
		return err
	}
	failed := 0
	for _, c := range checks {
		if !c.Passed {
			failed++
		}
	}
	if o.json {
		if err := json.NewEncoder(s.out).Encode(map[string]any{"passed": failed == 0, "checks": checks}); err != nil {
			return err
		}
	} else {
		printChecks(s.out, checks)
		fmt.Fprintf(s.out, "\n%d of %d checks passed\n", len(checks)-failed, len(checks))
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of %d LayerNorm checks exceed their tolerance", errCheckFailed, failed, len(checks))
	}
	return nil
}

// readGolden reads the embedded golden files, then those at the paths.
func readGolden(paths []string) ([]*layernorm.Golden, error) {
	var files []*layernorm.Golden
	read := func(name string, f io.ReadCloser, err error) error {
		if err != nil {
			return err
		}
		defer f.Close()
		g, err := layernorm.ReadGolden(name, f)
		files = append(files, g)
		return err
	}
	names, err := fs.Glob(golden.LayerNorm, "*")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		f, err := golden.LayerNorm.Open(name)
		if err := read(name, f, err); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		f, err := os.Open(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, usageError{fmt.Errorf("--golden: %s: expected a file, found nothing of this name", path)}
		}
		if err := read(path, f, err); err != nil {
			return nil, fmt.Errorf("--golden: %w", err)
		}
	}
	return files, nil
}

// printChecks prints a line for each check, and below the table what the errors measure.
func printChecks(w io.Writer, checks []layernorm.Check) {
	columns := []table.Column{
		{Heading: "check", Left: true, Keep: 6},
		{Heading: "against", Left: true, Keep: 3},
		{Heading: "error", Keep: 4},
		{Heading: "tolerance", Keep: 2},
		{Left: true, Keep: 1},
		{Left: true, Keep: 5},
	}
	var rows [][]string
	var measures []string
	for _, c := range checks {
		note := slices.Index(measures, c.Measure)
		if note < 0 {
			note = len(measures)
			measures = append(measures, c.Measure)
		}
		result := "ok"
		if !c.Passed {
			result = "FAILED"
		}
		rows = append(rows, []string{
			c.Name, c.Against, fmt.Sprintf("%.2g", c.Error), fmt.Sprintf("%.2g", c.Tolerance), fmt.Sprintf("[%d]", note+1), result,
		})
	}
	_ = writeTable(w, columns, rows) // the writer keeps its error
	say(w, "\nEach error shown is the one closest to its tolerance:\n")
	for i, m := range measures {
		say(w, "[%d] %s\n", i+1, m)
	}
}
