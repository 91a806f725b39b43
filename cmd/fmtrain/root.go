package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/kernel"
	"fmtrain/internal/loop"
)

// Exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitCheckFailed = 3
	exitDiverged    = 4
	exitInterrupted = 130
)

// kernelVariable is the environment variable that chooses the kernels, to compare or to rule them out.
const kernelVariable = "FMTRAIN_KERNEL"

// errCheckFailed ends a command whose checks ran, and were not all passed.
var errCheckFailed = errors.New("a check failed")

// usageError is a mistake on the command line.
type usageError struct{ error }

// streams are where a command writes: results to out, what only accompanies them to err.
type streams struct{ out, err io.Writer }

// checked is a writer that keeps its first error, which is then looked at once, at the end.
type checked struct {
	io.Writer
	err error
}

func (c *checked) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	if c.err == nil {
		c.err = err
	}
	return n, err
}

// Fd is the writer's descriptor, by which a terminal is told from a pipe; of what has none, one that is never open.
func (c *checked) Fd() uintptr {
	if f, ok := c.Writer.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// execute is the program: it carries out the arguments and gives the exit code.
func execute(ctx context.Context, args []string, s streams) int {
	out := &checked{Writer: s.out}
	s.out = out
	root := newRoot(s)
	root.SetArgs(args)
	root.SetOut(s.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if err == nil && out.err != nil {
		err = fmt.Errorf("output: %w", out.err)
	}
	if err != nil {
		sayError(s.err, err)
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var usage usageError
	var memory *build.MemoryError
	var diverged *loop.Diverged
	var interrupted *loop.Interrupted
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &memory), errors.Is(err, config.ErrInvalid):
		return exitUsage
	case errors.Is(err, errCheckFailed):
		return exitCheckFailed
	case errors.As(err, &diverged):
		return exitDiverged
	case errors.As(err, &interrupted) && interrupted.Err == nil, errors.Is(err, context.Canceled):
		return exitInterrupted
	default:
		return exitFailed
	}
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "fmtrain",
		Short: "Train, evaluate and check Fashion-MNIST classifiers built on Gorgonia",
		Long: `fmtrain carries out two exercises of Géron's Hands-On Machine Learning, chapter
12: a hand-written LayerNorm (12), and a custom training loop on Fashion-MNIST
(13) with a solver and a learning rate of its own for the lower and the upper
layers.`,
		Example: `  fmtrain train --lower-lr 1e-4 --upper-lr 1e-3
  fmtrain eval
  fmtrain check-layernorm`,
		SuggestionsMinimumDistance: 2,
		SilenceErrors:              true,
		SilenceUsage:               true,
		Args:                       noArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if name := os.Getenv(kernelVariable); name != "" {
				if err := kernel.Use(name); err != nil {
					return usageError{fmt.Errorf("%s: %w", kernelVariable, err)}
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetUsageTemplate(strings.ReplaceAll(root.UsageTemplate(), ".FlagUsages", ".FlagUsagesWrapped 80"))
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	root.AddCommand(newTrain(s), newEval(s), newCheckLayerNorm(s), newDebug(s), newData(s), newVersion(s))
	return root
}

// noArgs refuses arguments. Of the program itself an argument is a command that there isn't.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	what := "argument"
	if cmd.HasSubCommands() {
		what = "command"
	}
	hint := fmt.Sprintf("see %s --help", cmd.CommandPath())
	if suggestions := cmd.SuggestionsFor(args[0]); len(suggestions) > 0 {
		hint = fmt.Sprintf("did you mean %s?", suggestions[0])
	}
	return usageError{fmt.Errorf("unknown %s %q; %s", what, args[0], hint)}
}

// complete makes a shell complete a flag's value from the words. That the command lacks the flag is a mistake in the program.
func complete(cmd *cobra.Command, flag string, words []string) {
	err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveDefault))
	if err != nil {
		panic(fmt.Sprintf("completion of --%s: %v", flag, err))
	}
}
