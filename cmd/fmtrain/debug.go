package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
	"fmtrain/internal/table"
)

func newDebug(s streams) *cobra.Command {
	var file, dot string
	cmd := &cobra.Command{
		Use:   "debug",
		Short: "Run one batch and look at every node of the graph",
		Long: "Run the first batch of train, forward and backward, and print each node of the graph in the order it ran: its op, its shape, " +
			"and the smallest, mean and largest of its values. Then print the first node with a NaN or an infinity. No weight changes, and no " +
			"file is written except that of --dot.\n\n" +
			"The settings are those of train. --init takes weights from a checkpoint, --vm chooses the machine that runs the graph.",
		Example: `  fmtrain debug
  fmtrain debug --init runs/book --vm tape
  fmtrain debug --hidden 30,20 --dot model.dot && dot -Tsvg model.dot -o model.svg`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := noneEmpty(cmd.Flags(), "config", "dot"); err != nil {
				return err
			}
			c, err := config.Resolve(file, cmd.Flags())
			if err != nil {
				return err
			}
			if c.JSON && cmd.Flags().Changed("json") {
				return usageError{errors.New("--json: debug prints a table only")}
			}
			return runDebug(cmd.Context(), s, c, dot)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&dot, "dot", "", "write the graph to a `FILE`, for Graphviz")
	under(cmd, config.HeadingOutput, true, "dot")
	addConfig(cmd, &file)
	addSettings(cmd)
	return cmd
}

// runDebug runs one batch and prints the nodes.
func runDebug(ctx context.Context, s streams, c config.Config, dot string) error {
	data, err := loadSplit(ctx, s, &c)
	if err != nil {
		return err
	}
	m, err := build.NewModel(c, nil)
	if err != nil {
		return err
	}
	graph, train := m.Graph, data.Training
	order := dataset.NewSampler(train.Len(), c.Seed, c.Shuffle).Order(1)
	rows := order[:min(c.BatchSize, len(order))]
	if augmenter := build.Augmenter(c, data); augmenter != nil {
		train.FillChanged(graph.Images, graph.Labels, rows, augmenter, 1, new([dataset.Pixels]uint8))
	} else {
		train.Fill(graph.Images, graph.Labels, rows)
	}
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

// writeDot writes the graph to a file. A pipe or a device, such as /dev/stdout, is written to directly.
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

// printNodes prints a line for each node of the graph's last run, and the first that is not finite.
func printNodes(w io.Writer, graph *model.Graph) error {
	columns := []table.Column{
		{Heading: "pass", Left: true, Keep: 2},
		{Heading: "node", Left: true, Keep: 7},
		{Heading: "op", Left: true, Keep: 1},
		{Heading: "shape", Left: true, Keep: 3},
		{Heading: "min", Left: true, Keep: 5},
		{Heading: "mean", Left: true, Keep: 4},
		{Heading: "max", Left: true, Keep: 6},
	}
	var rows [][]string
	for _, n := range graph.Nodes() {
		pass := "forward"
		if n.Backward {
			pass = "backward"
		}
		least, mean, greatest := summary(n.Values)
		rows = append(rows, []string{pass, n.Name, n.Op, fmt.Sprint(n.Shape), least, mean, greatest})
	}
	if err := writeTable(w, columns, rows); err != nil {
		return err
	}
	verdict := "every value is finite"
	if name := graph.FirstNonFinite(); name != "" {
		verdict = "NaN or Inf appears first in " + name
	}
	say(w, "\nloss %.6g, %d of %d right; %s\n", graph.Loss.LossSum/float64(graph.Loss.Count), graph.Loss.Correct, graph.Loss.Count, verdict)
	return nil
}

// summary is the smallest value, the mean and the largest. If one value is NaN, so are all three.
func summary(values []float32) (smallest, mean, largest string) {
	if len(values) == 0 {
		return "", "", ""
	}
	least, greatest, sum := math.Inf(1), math.Inf(-1), 0.0
	for _, v := range values {
		x := float64(v)
		least, greatest, sum = math.Min(least, x), math.Max(greatest, x), sum+x
	}
	text := func(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }
	return text(least), text(sum / float64(len(values))), text(greatest)
}
