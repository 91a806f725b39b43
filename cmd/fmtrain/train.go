package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fmtrain/configs"
	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/run"
)

// newest is the value of --resume without one.
const newest = "the newest unfinished run"

// trainOptions are the flags of train that are not settings.
type trainOptions struct {
	config, resume, name string
	override             bool
}

func newTrain(s streams) *cobra.Command {
	var o trainOptions
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a classifier",
		Long: "Train a classifier of Fashion-MNIST. One backward pass computes the gradients of all layers. The layers near the input (lower) and " +
			"near the output (upper) each have their own solver and learning rate.\n\n" +
			"Flags override the config, and the config overrides the defaults. The built-in configs are " + list(configs.Names()) + ".\n\n" +
			"The run directory gets config.yaml and metrics.jsonl. Its directory checkpoints gets last.safetensors, previous.safetensors (the " +
			"checkpoint before it) and best.safetensors.\n\n" +
			"--resume continues a stopped run from its last checkpoint, with its original settings. The result is the same, bit for bit, as " +
			"without the stop. You may change --epochs and the settings that don't change the results.",
		Example: `  fmtrain train --epochs 10 --lower-lr 1e-4 --upper-lr 1e-3
  fmtrain train --layers 300-ln-relu-dropout:0.2-100-ln-relu-10
  fmtrain train --resume
  fmtrain train --config book-13b --epochs 10 --name book
  fmtrain train --epochs 20 --schedule cosine:warmup=500 --ema 0.999
  fmtrain train --solver adamw --lr 1e-3 --weight-decay 0.01 --patience 4
  fmtrain train --init runs/book --epochs 2
  fmtrain train --loss focal --focal-gamma 1 --metrics top3,ece,auc
  fmtrain train --json --log-every 100 | jq .loss`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("resume") {
				return resumeTrain(cmd.Context(), s, o, cmd.Flags())
			}
			return beginTrain(cmd.Context(), s, o, cmd.Flags())
		},
	}
	cmd.Flags().SortFlags = false
	addConfig(cmd, &o.config)
	cmd.Flags().StringVar(&o.resume, "resume", "", "continue this `RUN`; without a value, the newest unfinished run")
	cmd.Flags().Lookup("resume").NoOptDefVal = newest
	under(cmd, config.HeadingRun, true, "resume")
	cmd.Flags().BoolVar(&o.override, "override", false, "with --resume: allow changed settings and different data")
	under(cmd, config.HeadingRun, false, "override")
	cmd.Flags().StringVar(&o.name, "name", "", "train in the run directory runs/`NAME`")
	under(cmd, config.HeadingOutput, true, "name")
	addSettings(cmd)
	completeBy(cmd, "resume", completeRuns(1))
	completeBy(cmd, "init", completeRuns(1))
	return cmd
}

// check refuses impossible values.
func (o trainOptions) check(flags *pflag.FlagSet) error {
	if err := noneEmpty(flags, "config", "resume", "name"); err != nil {
		return err
	}
	if o.override && !flags.Changed("resume") {
		return usageError{errors.New("--override: expected only together with --resume")}
	}
	if o.name == "" {
		return nil
	}
	for _, other := range []string{"out", "resume"} {
		if flags.Changed(other) {
			return usageError{fmt.Errorf("--name: conflicts with --%s, which also names a run directory", other)}
		}
	}
	if o.name == "." || o.name == ".." || strings.ContainsAny(o.name, `/\`) {
		return usageError{fmt.Errorf("--name: expected a name below %s, found %q; --out takes any path", run.Parent, o.name)}
	}
	return nil
}

// beginTrain trains a new model.
func beginTrain(ctx context.Context, s streams, o trainOptions, flags *pflag.FlagSet) error {
	if err := o.check(flags); err != nil {
		return err
	}
	c, err := config.Resolve(o.config, flags)
	if err != nil {
		return err
	}
	if o.name != "" {
		c.Out = filepath.Join(run.Parent, o.name)
	}
	return runTrain(ctx, s, c, nil)
}

// addConfig gives a command the flag --config, whose value goes to file.
func addConfig(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "read settings from a `FILE`, run or built-in config; see help configs")
	under(cmd, config.HeadingRun, true, "config")
	complete(cmd, "config", configs.Names())
}

// addSettings gives a command the settings of a run as flags.
func addSettings(cmd *cobra.Command) {
	config.AddFlags(cmd.Flags())
	for flag, words := range config.Words() {
		complete(cmd, flag, words)
	}
}

// garbagePercent is GOGC for training: the garbage allowed, in percent of the memory in use. The images and the buffers stay for the
// whole run, and a step makes no garbage. With Go's default of 100, the little garbage of saves and epochs would slowly double the heap.
const garbagePercent = 10

// runTrain trains a new model or, with a resumption, resumes a run. If the reader of its output has exited, writing fails and the
// run ends after a save; it is not killed by a signal.
func runTrain(ctx context.Context, s streams, c config.Config, from *resumption) error {
	signal.Ignore(syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if from == nil {
		if err := checkOut(c.Out); err != nil {
			return err
		}
	}
	data, err := loadSplit(ctx, s, &c)
	if from != nil && errors.Is(err, dataset.ErrNotFound) {
		err = dataMoved(err)
	}
	if err != nil {
		return err
	}
	r := build.Run{Data: data}
	if from != nil {
		r.Checkpoints, r.From, r.Override = from.checkpoints, from.saved, from.override
	}
	m, err := build.NewModel(c, r.From)
	if err != nil {
		return err
	}
	if from == nil {
		if r.Checkpoints, err = run.Create(c.Out); err != nil {
			return outError(err)
		}
		defer r.Checkpoints.Close()
	}
	trainer, err := begin(m, r)
	if err != nil {
		if from == nil {
			r.Checkpoints.Discard()
		}
		return err
	}
	defer trainer.Team.Close()
	return watch(ctx, s, m, trainer, r)
}

// begin makes the trainer, and writes the settings into the run directory.
func begin(m *build.Model, r build.Run) (*loop.Trainer, error) {
	trainer, err := m.Trainer(r)
	if err != nil {
		return nil, err
	}
	err = r.Checkpoints.Dir.WriteConfig(func(w io.Writer) error { return config.WriteYAML(w, m.Settings) })
	if err != nil {
		trainer.Team.Close()
		return nil, err
	}
	return trainer, nil
}

// watch trains, and shows it.
func watch(ctx context.Context, s streams, m *build.Model, trainer *loop.Trainer, r build.Run) error {
	c := m.Settings
	var from *run.Progress
	before := 0 // epochs
	if r.From != nil {
		from, before = &r.From.Progress, r.From.Progress.Epoch
	}
	metrics := r.Checkpoints.Dir.OpenMetrics(func(err error) {
		warn(s.err, "training continues, but metrics are lost: %v", err)
	}, from)
	defer metrics.Close()
	show := newDisplay(s, c, metrics, trainer.Schedules)
	if c.Progress != "none" {
		printSettings(show.text, m, r.Data)
		if from != nil {
			printFrom(show.text, *from, trainer.Finished())
		}
	}
	done, err := trainer.Run(ctx, show.observers...)
	if closed := errors.Join(show.ended(err), show.close()); err == nil {
		err = closed
	}
	if err != nil {
		return withResume(err, c.Out)
	}
	if done.BestLost && (r.From == nil || !r.From.BestLost) {
		warn(s.err, "the checkpoint of the best epoch, %d, is no longer in %s", done.BestEpoch, r.Checkpoints.Dir.Best())
	}
	if c.Progress != "none" && done.Epochs > before {
		fmt.Fprintln(show.text)
	}
	printDone(show.text, c, done)
	return nil
}
