package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fmtrain/internal/bench"
	"fmtrain/internal/kernel"
	"fmtrain/internal/progress"
	"fmtrain/internal/table"
	"fmtrain/internal/version"
)

type benchOptions struct {
	time time.Duration
	json bool
}

// The time that a benchmark may be given.
const (
	benchTime    = 20 * time.Second
	maxBenchTime = time.Hour
)

func newBench(s streams) *cobra.Command {
	var o benchOptions
	cmd := &cobra.Command{
		Use:   "bench",
		Short: "Measure the speed of this machine, of the kernels and of training steps",
		Long: "Measure the peak of one core and of all cores, the speed of matrix products and convolutions, and training steps by their number of " +
			"threads. A share is of that peak. Each figure is the best of many short windows. If the windows differ much, bench says what ran beside it.",
		Example: `  fmtrain bench
  fmtrain bench --json > bench.json`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.time <= 0 || o.time > maxBenchTime {
				return usageError{fmt.Errorf("--time: %v is not possible; expected more than 0 and at most %v, such as 20s", o.time, maxBenchTime)}
			}
			return runBench(cmd.Context(), s, o)
		},
	}
	cmd.Flags().DurationVar(&o.time, "time", benchTime, "measure for about this `DURATION`; once each at least")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	under(cmd, flagHeading, true, "time", "json")
	return cmd
}

// runBench measures and prints.
func runBench(ctx context.Context, s streams, o benchOptions) error {
	if progress.IsTerminal(s.err) {
		say(s.err, "measuring for about %v ...\n", o.time)
	}
	r, err := bench.Run(ctx, o.time)
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(s.out).Encode(r)
	}
	printBench(s.out, r)
	return nil
}

// printBench prints a report as tables.
func printBench(w io.Writer, r *bench.Report) {
	processor := version.Read().Processor
	if processor == "" {
		processor = "processor unknown"
	}
	say(w, "%s, cores: %d, kernels: %s\n\n", processor, r.Cores, kernel.Active())
	write := func(columns []table.Column, rows [][]string) {
		_ = writeTable(w, columns, rows) // the writer keeps its error
		fmt.Fprintln(w)
	}
	machine := func(what string, p bench.Peak) []string {
		return []string{what, fmt.Sprintf("%.1f", p.One), fmt.Sprintf("%.1f", p.All)}
	}
	write([]table.Column{{Left: true, Keep: 3}, {Heading: "one core", Keep: 2}, {Heading: "all cores", Keep: 1}}, [][]string{
		machine("peak, GFLOP/s", r.Peak),
		{"product in the first cache, GFLOP/s", fmt.Sprintf("%.1f", r.Tile), ""},
		machine("reading memory, GB/s", r.Memory),
	})

	var products, steps, parts [][]string
	for _, p := range r.Products {
		products = append(products, []string{p.Shape, fmt.Sprintf("%.1f", p.GFLOPS), percent(p.Share)})
	}
	write([]table.Column{
		{Heading: "product, one core", Left: true, Keep: 3}, {Heading: "GFLOP/s", Keep: 1}, {Heading: "of peak", Keep: 2},
	}, products)
	for _, s := range r.Steps {
		steps = append(steps, []string{
			s.Name, fmt.Sprint(s.Threads), fmt.Sprintf("%.0f", s.ImagesPerSecond), fmt.Sprintf("%.1f", s.GFLOPS), percent(s.Share),
		})
	}
	write([]table.Column{
		{Heading: "step", Left: true, Keep: 5}, {Heading: "threads", Keep: 4}, {Heading: "images/s", Keep: 3}, {Heading: "GFLOP/s", Keep: 1},
		{Heading: "of peak", Keep: 2},
	}, steps)

	columns := []table.Column{{Heading: "share of a step, one core", Left: true, Keep: 9}}
	for _, c := range benchParts {
		columns = append(columns, table.Column{Heading: c.heading, Keep: c.keep})
	}
	for _, p := range r.Parts {
		row := []string{p.Name}
		for _, c := range benchParts {
			var share float64
			for _, part := range c.parts {
				share += p.Share(part)
			}
			row = append(row, percent(share))
		}
		parts = append(parts, row)
	}
	write(columns, parts)
	say(w, "%s\n", besideText(r))
}

// benchParts are the columns of the shares of a step.
var benchParts = []struct {
	heading string
	parts   []string
	keep    int
}{
	{"products", []string{"products"}, 8},
	{"norm", []string{"layernorm"}, 5},
	{"loss", []string{"loss", "activations"}, 3},
	{"update", []string{"updates"}, 7},
	{"fill", []string{"filling"}, 4},
	{"NaN", []string{"nan-search"}, 1},
	{"rest", []string{"rest"}, 2},
}

// besideText says how quiet the machine was.
func besideText(r *bench.Report) string {
	if !r.Noisy() {
		return fmt.Sprintf("%.0f s; a quiet machine: a median window took %s longer than the best", r.Seconds, percent(r.Spread))
	}
	var beside []string
	for _, p := range r.Beside.Processes {
		beside = append(beside, fmt.Sprintf("%s (%s)", p.Name, percent(p.Processors)))
	}
	text := fmt.Sprintf("%.0f s; the machine was busy: a median window took %s longer than the best. Beside this program, other programs "+
		"took %s of a processor", r.Seconds, percent(r.Spread), percent(r.Beside.Others))
	if beside != nil {
		text += ", among them " + strings.Join(beside, ", ")
	}
	return text + fmt.Sprintf("; other machines on this hardware %s.", percent(r.Beside.Stolen))
}

// percent is a share, rounded.
func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }
