package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
)

func newDebug(s streams) *cobra.Command {
	var file, dot string
	cmd := &cobra.Command{
		Use:   "debug",
		Short: "Run one batch and look at every node of the graph",
		Long: `Run the first batch that fmtrain train would train on, forward and backward,
and print each node of the graph in the order it ran: its op, its shape, the
least, the mean and the greatest of its values, and the first that holds a NaN
or an infinity. No weight is changed and no file is written, but that of --dot.

The settings are those of train; --init takes weights from a checkpoint, --vm
chooses what runs the graph.`,
		Example: `  fmtrain debug
  fmtrain debug --init runs/book --vm tape
  fmtrain debug --hidden 30,20 --dot model.dot && dot -Tsvg model.dot -o model.svg`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := config.Resolve(file, cmd.Flags())
			if err != nil {
				return err
			}
			return runDebug(cmd.Context(), s, c, dot)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&dot, "dot", "", "write the graph to this `FILE`, for Graphviz")
	addSettings(cmd, &file)
	return cmd
}

// runDebug runs one batch and prints the nodes.
func runDebug(ctx context.Context, s streams, c config.Config, dot string) error {
	_, _, train, err := loadSplit(ctx, s, &c)
	if err != nil {
		return err
	}
	_, _, graph, err := newModel(&c, nil)
	if err != nil {
		return err
	}
	order := dataset.NewSampler(train.Len(), c.Seed, c.Shuffle).Order(1)
	train.Fill(graph.Images, graph.Labels, order[:min(c.BatchSize, len(order))])
	if err := graph.Run(); err != nil {
		return err
	}
	if err := printNodes(s.out, graph); err != nil {
		return err
	}
	if dot == "" {
		return nil
	}
	return writeDot(dot, graph)
}

// writeDot writes the graph to a file or, as it is, to what is none: a pipe, /dev/stdout.
func writeDot(path string, graph *model.Graph) error {
	if info, err := os.Stat(path); err != nil || info.Mode().IsRegular() || info.IsDir() {
		return atomicfile.Write(path, 0o644, graph.WriteDot)
	}
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	return errors.Join(graph.WriteDot(f), f.Close())
}

// printNodes prints a line for each node of the graph's last run, and what is not finite.
func printNodes(w io.Writer, graph *model.Graph) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "pass\tnode\top\tshape\tmin\tmean\tmax")
	for _, n := range graph.Nodes() {
		pass := "forward"
		if n.Backward {
			pass = "backward"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%v\t%s\n", pass, n.Name, n.Op, n.Shape, summary(n.Values))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	verdict := "every value is finite"
	if name := graph.FirstNonFinite(); name != "" {
		verdict = "NaN or Inf appears first in " + name
	}
	_, err := fmt.Fprintf(w, "\nloss %.6g, %d of %d right; %s\n", graph.Loss.LossSum/float64(graph.Loss.Count), graph.Loss.Correct,
		graph.Loss.Count, verdict)
	return err
}

// summary is the least, the mean and the greatest of some values, in columns; a NaN among them is each of the three.
func summary(values []float32) string {
	if len(values) == 0 {
		return "\t\t"
	}
	least, greatest, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, v := range values {
		x := float64(v)
		least, greatest, sum = math.Min(least, x), math.Max(greatest, x), sum+x
	}
	return fmt.Sprintf("%.4g\t%.4g\t%.4g", least, sum/float64(len(values)), greatest)
}
