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
	"syscall"

	"github.com/spf13/cobra"

	"fmtrain/configs"
	"fmtrain/internal/atomicfile"
	"fmtrain/internal/config"
	"fmtrain/internal/loop"
)

func newTrain(s streams) *cobra.Command {
	var file, run string
	var override bool
	cmd := &cobra.Command{
		Use:   "train",
		Short: "Train a classifier",
		Long: fmt.Sprintf(`Train a classifier on Fashion-MNIST: dense layers with LayerNorm, the lower ones
under one solver and learn rate, the upper ones under another, from one backward
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
				return resumeTrain(cmd.Context(), s, run, file, cmd.Flags(), override)
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
	cmd.Flags().StringVar(&run, "resume", "", "take up this `RUN` from its last checkpoint")
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

// garbagePercent is how much garbage, in percent of what is in use, is left lying. The images and the buffers stay, a step makes
// none, and a collection looks at nothing of what is large: without this the little of each save and epoch would add up, over
// minutes, to as much again as all that is in use.
const garbagePercent = 10

// runTrain trains a model as the settings say, from where a run was saved or, if that is nil, as a new run. That nobody reads its
// output any more is an error of writing, which ends a run once it is saved, not a signal that kills it.
func runTrain(ctx context.Context, s streams, c config.Config, from *savedRun) error {
	signal.Ignore(syscall.SIGPIPE)
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if from == nil {
		if err := checkOut(c.Out); err != nil {
			return err
		}
	}
	data, validation, train, err := loadSplit(ctx, s, &c)
	if err != nil {
		return err
	}
	trainer, err := newTrainer(&c, from, validation, train)
	if err != nil {
		return err
	}
	trainer.Team = newTeam(c.Threads)
	defer trainer.Team.Close()

	if from == nil {
		if c.Out, trainer.Checkpoints.Lock, err = makeRun(c.Out); err != nil {
			return err
		}
		defer trainer.Checkpoints.Lock.Close()
	} else {
		trainer.Checkpoints.Lock = from.lock
	}
	trainer.Settings = c
	trainer.Checkpoints.Run, trainer.Checkpoints.Settings, trainer.Checkpoints.Data = c.Out, c, data.TrainSHA256
	if from != nil {
		if err := trainer.Resume(from.Saved, from.override); err != nil {
			return err
		}
	}
	err = atomicfile.Write(filepath.Join(c.Out, loop.ConfigName), 0o644, func(w io.Writer) error { return config.WriteYAML(w, c) })
	if err != nil {
		if from == nil {
			_ = os.Remove(filepath.Dir(loop.LastPath(c.Out))) // empty, so that --out may name the directory again
		}
		return err
	}

	metrics := openMetrics(s.err, filepath.Join(c.Out, loop.MetricsName), from)
	defer metrics.Close()
	show := newDisplay(s, c, metrics, trainer.Schedules)
	before := 0 // epochs
	if from != nil {
		before = from.Progress.Epoch
	}
	if c.Progress != "none" {
		printSettings(show.text, c, trainer, data)
		if from != nil {
			printFrom(show.text, from.Progress, trainer.Finished())
		}
	}
	trainer.Observers = show.observers
	done, err := trainer.Run(ctx)
	if closed := show.close(); err == nil {
		err = closed
	}
	if err != nil {
		return withResume(err, c.Out)
	}
	if c.Progress != "none" && done.Epochs > before {
		fmt.Fprintln(show.text)
	}
	printDone(show.text, c, done)
	return nil
}
