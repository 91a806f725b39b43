package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
	"fmtrain/internal/loop"
	"fmtrain/internal/run"
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

// kernelVariable is the environment variable that chooses the kernels, for comparisons and debugging.
const kernelVariable = "FMTRAIN_KERNEL"

// errCheckFailed ends a command if one of its checks failed.
var errCheckFailed = errors.New("a check failed")

// usageError is a mistake on the command line.
type usageError struct{ error }

// streams are where a command writes: results to out; progress, warnings and errors to err.
type streams struct{ out, err io.Writer }

// checked is a writer that keeps its first error, so that one check at the end is enough.
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

// Fd is the writer's file descriptor, which shows whether it is a terminal. Without one it is a number that is never open.
func (c *checked) Fd() uintptr {
	if f, ok := c.Writer.(interface{ Fd() uintptr }); ok {
		return f.Fd()
	}
	return ^uintptr(0)
}

// execute runs the program with the arguments and returns the exit code.
func execute(ctx context.Context, args []string, s streams) int {
	out := &checked{Writer: s.out}
	s.out = out
	root := newRoot(s)
	root.SetArgs(joinResume(args))
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
	var parental *run.Parental
	var diverged *loop.Diverged
	var interrupted *loop.Interrupted
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage), errors.As(err, &memory), errors.As(err, &parental), errors.Is(err, config.ErrInvalid), errors.Is(err, run.ErrNotFound),
		errors.Is(err, dataset.ErrNotFound):
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
	var showVersion bool
	root := &cobra.Command{
		Use:   "fmtrain",
		Short: "Train, evaluate and check Fashion-MNIST classifiers built on Gorgonia",
		Long: "fmtrain trains, evaluates and checks classifiers of Fashion-MNIST. It implements two exercises of Géron's Hands-On " +
			"Machine Learning, chapter 12: a hand-written LayerNorm (12), and a custom training loop with different solvers and learning " +
			"rates for the lower and the upper layers (13).",
		Example: `  fmtrain train --lower-lr 1e-4 --upper-lr 1e-3
  fmtrain eval
  fmtrain check-layernorm`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          noArgs,
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if name := os.Getenv(kernelVariable); name != "" {
				if err := kernel.Use(name); err != nil {
					return usageError{fmt.Errorf("%s: %w", kernelVariable, err)}
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return printVersion(s.out)
			}
			return cmd.Help()
		},
	}
	root.Flags().BoolVar(&showVersion, "version", false, "print the version")
	under(root, flagHeading, false, "version")
	root.SetFlagErrorFunc(badFlag)
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		printHelp(s.out, cmd, slices.Contains(args, "-h"), helpWidth(s.out))
	})
	root.SetHelpCommand(newHelp(s))
	root.AddCommand(newTrain(s), newEval(s), newPredict(s), newExport(s), newImport(s), newRuns(s), newCompare(s), newWatch(s), newReport(s), newBench(s), newCheckLayerNorm(s), newDebug(s), newData(s), newCompletion(s), newVersion(s))
	return root
}

// complete makes a shell complete a flag's value from the words.
func complete(cmd *cobra.Command, flag string, words []string) {
	completeBy(cmd, flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveDefault))
}

// completeBy makes a shell complete a flag's value with a function. It panics if the command lacks the flag.
func completeBy(cmd *cobra.Command, flag string, by cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, by); err != nil {
		panic(fmt.Sprintf("completion of --%s: %v", flag, err))
	}
}
