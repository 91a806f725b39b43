package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/spf13/cobra"

	"fmtrain/configs"
	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/loop"
	"fmtrain/internal/run"
)

func newTrain(s streams) *cobra.Command {
	var file, resume string
	var override bool
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a classifier",
		Long: fmt.Sprintf(`Train a classifier on Fashion-MNIST: dense layers with LayerNorm, the lower ones
under one solver and learning rate, the upper ones under another, from one backward
pass.

Settings come from the defaults, over them a config file, over them the flags.
The built-in configs are %s.

The run directory receives config.yaml, metrics.jsonl and, below checkpoints,
last.safetensors, previous.safetensors (the last before it) and best.safetensors.

--resume takes up a run that was ended before its last epoch, by whatever, and
comes to the same weights and metrics, to the bit, as if it had not been. It has
the settings that it was begun with; --epochs and what does not change the
results may be others.`, list(configs.Names())),
		Example: `  fmtrain train
  fmtrain train --lower-lr 1e-4 --upper-lr 1e-3
  fmtrain train --config book-13b --epochs 10 --out runs/book
  fmtrain train --epochs 20 --upper-schedule cosine:warmup=500 --ema 0.999 --patience 4
  fmtrain train --layers 300-ln-relu-dropout:0.2-100-ln-relu-10
  fmtrain train --init runs/book --epochs 2
  fmtrain train --resume runs/book
  fmtrain train --loss focal --focal-gamma 1 --metrics top3,ece,precision:ankle-boot
  fmtrain train --json --log-every 100 | jq .loss`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("resume") {
				return resumeTrain(cmd.Context(), s, resume, file, cmd.Flags(), override)
			}
			if override {
				return usageError{errors.New("--override: expected together with --resume only")}
			}
			c, err := config.Resolve(file, cmd.Flags())
			if err != nil {
				return err
			}
			return runTrain(cmd.Context(), s, c, nil)
		},
	}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVar(&resume, "resume", "", "take up this `RUN` from its last checkpoint")
	cmd.Flags().BoolVar(&override, "override", false, "with --resume: let the flags change any setting, and the data be others")
	addSettings(cmd, &file)
	return cmd
}

// addSettings gives a command the settings of a run as flags, and --config, whose value goes to file.
func addSettings(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "config", "", "settings `FILE`, or the name of a built-in config")
	config.AddFlags(cmd.Flags())
	for flag, words := range map[string][]string{
		"config":         configs.Names(),
		"activation":     config.Activations,
		"model":          config.Models,
		"lower-schedule": config.Schedules,
		"upper-schedule": config.Schedules,
		"lower-solver":   config.Solvers,
		"upper-solver":   config.Solvers,
		"layernorm-form": config.LayerNormForms,
		"loss":           config.Losses,
		"metrics":        config.Metrics,
		"progress":       config.ProgressModes,
		"vm":             config.Machines,
	} {
		complete(cmd, flag, words)
	}
}

// garbagePercent is how much garbage may lie about, in percent of the memory in use. The images and the buffers stay for the whole run,
// and a step makes no garbage. Without this, the little garbage of each save and epoch would add up, over minutes, to as much again.
const garbagePercent = 10

// runTrain trains a new model or, with a resumption, goes on with one. If the reader of its output has exited, writing fails and the
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
			return createError(c.Out, err)
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

// begin makes the trainer, and writes its settings into the run directory.
func begin(m *build.Model, r build.Run) (*loop.Trainer, error) {
	trainer, err := m.Trainer(r)
	if err != nil {
		return nil, err
	}
	settings := trainer.Settings.(config.Config)
	err = r.Checkpoints.Dir.WriteConfig(func(w io.Writer) error { return config.WriteYAML(w, settings) })
	if err != nil {
		trainer.Team.Close()
		return nil, err
	}
	return trainer, nil
}

// watch trains, and shows it.
func watch(ctx context.Context, s streams, m *build.Model, trainer *loop.Trainer, r build.Run) error {
	c := trainer.Settings.(config.Config)
	var from *run.Progress
	before := 0 // epochs
	if r.From != nil {
		from, before = &r.From.Progress, r.From.Progress.Epoch
	}
	metrics := r.Checkpoints.Dir.OpenMetrics(func(err error) {
		warn(s.err, "training goes on, but metrics are lost: %v", err)
	}, from)
	defer metrics.Close()
	show := newDisplay(s, c, metrics, trainer.Schedules)
	if c.Progress != "none" {
		printSettings(show.text, c, m, r.Data)
		if from != nil {
			printFrom(show.text, *from, trainer.Finished())
		}
	}
	done, err := trainer.Run(ctx, show.observers...)
	if closed := show.close(); err == nil {
		err = closed
	}
	if err != nil {
		return withResume(err, c.Out)
	}
	if done.BestLost && (r.From == nil || !r.From.BestLost) {
		warn(s.err, "the checkpoint of the best epoch, %d, is not in %s any more", done.BestEpoch, r.Checkpoints.Dir.Best())
	}
	if c.Progress != "none" && done.Epochs > before {
		fmt.Fprintln(show.text)
	}
	printDone(show.text, c, done)
	return nil
}
