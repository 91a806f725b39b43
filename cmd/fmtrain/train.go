package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"

	"fmtrain/configs"
	"fmtrain/internal/atomicfile"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/lock"
	"fmtrain/internal/loop"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/progress"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
	"fmtrain/internal/team"
)

// runsDir is where runs go that are given no directory.
const runsDir = "runs"

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
	cmd.Flags().BoolVar(&override, "override", false, "with --resume: let the flags change any setting")
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

// runTrain trains a model as the settings say, from where a run was saved or, if that is nil, as a new run.
func runTrain(ctx context.Context, s streams, c config.Config, from *savedRun) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if from == nil {
		if err := checkOut(c.Out); err != nil {
			return err
		}
	}
	data, err := loadData(ctx, s, c.Data)
	if err != nil {
		return err
	}
	held, err := c.ValidationImages(data.Train.Len())
	if err != nil {
		return err
	}
	validation, train, err := dataset.Split(data.Train, held)
	if err != nil {
		return err
	}
	c.Validation = &held
	if c.Data, err = dataset.Absolute(data.Origin); err != nil {
		return err
	}

	spec, weights, graph, err := newModel(&c, from)
	if err != nil {
		return err
	}
	groups := groupsOf(c, weights)
	solvers, err := newSolvers(groups, c.WeightDecayAll)
	if err != nil {
		return err
	}
	members := newTeam(c.Threads)
	defer members.Close()
	trainer := &loop.Trainer{
		Team:    members,
		Graph:   graph,
		Solvers: solvers,
		Train:   train,
		Sampler: dataset.NewSampler(train.Len(), c.Seed, c.Shuffle),
		Epochs:  c.Epochs,

		Accumulate: c.Accumulate,
		ClipNorm:   c.ClipNorm,
		MaxNorm:    c.MaxNorm,
		Patience:   c.Patience,
	}
	trainer.Every.Iterations, trainer.Every.Time = c.SaveEvery()
	if trainer.Schedules, err = newSchedules(groups); err != nil {
		return err
	}
	if held > 0 {
		if trainer.Validation, err = loop.NewEvaluator(spec, weights, validation); err != nil {
			return err
		}
		if trainer.Validation.Metrics, err = newMetrics(c.Metrics); err != nil {
			return err
		}
	}
	each, err := newMetrics(c.Metrics)
	if err != nil {
		return err
	}
	trainer.Metrics = each.PerSample()

	var averages model.Weights
	if c.EMA > 0 {
		if trainer.Average, err = loop.NewAverage(spec, weights, c.EMA, validation); err != nil {
			return err
		}
		averages = trainer.Average.Weights
	}

	if from == nil {
		var held *lock.Lock
		if c.Out, held, err = makeRun(c.Out); err != nil {
			return err
		}
		defer held.Close()
	}
	trainer.Settings = c
	trainer.Checkpoints = &loop.Checkpoints{Run: c.Out, Spec: spec, Weights: weights, Average: averages, Groups: graph.Groups, Solvers: solvers, Settings: c, Data: data.TrainSHA256}
	if from != nil {
		if err := trainer.Resume(from.Saved, from.override); err != nil {
			return err
		}
	}
	err = atomicfile.Write(filepath.Join(c.Out, loop.ConfigName), 0o644, func(w io.Writer) error { return config.WriteYAML(w, c) })
	if err != nil {
		return err
	}

	metrics := openMetrics(s.err, filepath.Join(c.Out, loop.MetricsName), from)
	defer metrics.Close()
	show := newDisplay(s, c, metrics)
	if c.Progress != "none" {
		printSettings(show.text, c, spec, weights, data, train.Len())
		if from != nil {
			fmt.Fprintf(show.text, "Goes on after %v\n\n", from.Progress)
		}
	}
	trainer.Observers = show.observers
	done, err := trainer.Run(ctx)
	if err := errors.Join(err, show.close()); err != nil {
		return withResume(err, c.Out)
	}
	if c.Progress != "none" && done.Epochs > 0 {
		fmt.Fprintln(show.text)
	}
	printDone(show.text, c, done)
	return nil
}

// startFrom sets the weights to those of the run or checkpoint that --init names, and gives the loss that it was trained by; both
// are left alone if it names none.
func startFrom(init string, weights model.Weights) (loss.Named, error) {
	if init == "" {
		return loss.Named{}, nil
	}
	path, err := checkpointOf(init)
	if err != nil {
		return loss.Named{}, err
	}
	if err := loop.LoadWeights(path, weights); err != nil {
		return loss.Named{}, err
	}
	saved, err := loop.Load(path)
	if err != nil {
		return loss.Named{}, err
	}
	return saved.Spec.Loss, nil
}

// newModel makes the model that the settings describe, and its training graph, and resolves the loss: that of the run that is taken
// up, if there is one, or of --init.
func newModel(c *config.Config, run *savedRun) (spec model.Spec, weights model.Weights, graph *model.Graph, err error) {
	spec = specOf(*c)
	weights = model.NewWeights(spec, c.Seed)
	if err := c.AssignGroups(weights); err != nil {
		return spec, nil, nil, err
	}
	var saved loss.Named
	if run != nil {
		saved = run.Spec.Loss
	} else if saved, err = startFrom(c.Init, weights); err != nil {
		return spec, nil, nil, fmt.Errorf("--init: %w", err)
	}
	if spec.Loss, err = c.ResolveLoss(saved); err != nil {
		return spec, nil, nil, err
	}
	penalties := model.Penalties{L2: c.L2, Activity: c.ActivityL2}
	if graph, err = model.NewPenalised(spec, penalties, weights, c.BatchSize, frozen(groupsOf(*c, weights))...); err != nil {
		return spec, nil, nil, err
	}
	graph.Draw.Seed = c.Seed
	return spec, weights, graph, graph.Use(c.VM)
}

// specOf is the architecture that the settings describe. Its loss is found once --init has been read.
func specOf(c config.Config) model.Spec {
	spec := model.Spec{
		Inputs:      dataset.Pixels,
		Classes:     dataset.Classes,
		Stack:       c.Stack(),
		LayerNorm:   layernorm.Form(c.LayerNormForm),
		Epsilon:     c.LayerNormEpsilon,
		UpperLayers: c.UpperLayers,
	}
	if spec.Stack == "" {
		spec.Hidden, spec.Activation = c.Hidden, c.Activation
	}
	return spec
}

// groupsOf are the settings of the weights' groups, in the order of the layers.
func groupsOf(c config.Config, weights model.Weights) (groups []config.Group) {
	for _, name := range weights.Groups() {
		for _, g := range c.ParameterGroups() {
			if g.Name == name {
				groups = append(groups, g)
			}
		}
	}
	return groups
}

// frozen are the groups that no step changes.
func frozen(groups []config.Group) (names []string) {
	for _, g := range groups {
		if g.LR == 0 {
			names = append(names, g.Name)
		}
	}
	return names
}

// newTeam makes the team that trains or evaluates: of so many threads, or of all physical cores.
func newTeam(threads *int) *team.Team {
	n := team.Cores()
	if threads != nil {
		n = *threads
	}
	return team.New(n)
}

// newSolvers makes the solvers of the groups.
func newSolvers(groups []config.Group, decayAll bool) ([]solver.Solver, error) {
	var solvers []solver.Solver
	for _, g := range groups {
		options, err := solver.Defaults(g.Solver)
		if err != nil {
			return nil, err
		}
		options.WeightDecay, options.DecayAll = g.WeightDecay, decayAll
		s, err := solver.New(g.Solver, g.LR, options)
		if err != nil {
			return nil, err
		}
		solvers = append(solvers, s)
	}
	return solvers, nil
}

// newSchedules makes the schedules of the groups, nil for a constant rate.
func newSchedules(groups []config.Group) ([]schedule.Schedule, error) {
	var schedules []schedule.Schedule
	for _, g := range groups {
		var s schedule.Schedule
		if g.Schedule != constant {
			var err error
			if s, err = schedule.Parse(g.Schedule); err != nil {
				return nil, err
			}
		}
		schedules = append(schedules, s)
	}
	return schedules, nil
}

// checkOut refuses a run directory that holds anything: a run in it would lose its checkpoints.
func checkOut(dir string) error {
	if dir == "" {
		return nil
	}
	info, err := os.Stat(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if !info.IsDir() {
		return usageError{fmt.Errorf("--out %s: expected a new or an empty directory, found a file", dir)}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	for _, e := range entries {
		if e.Name() != lock.Name {
			return usageError{fmt.Errorf("--out %s: expected a new or an empty directory, found %s in it; --resume %s goes on with a run", dir, e.Name(), quoted(dir))}
		}
	}
	return nil
}

// makeRun makes the run directory, a new one below runs if none is named, and locks it.
func makeRun(dir string) (string, *lock.Lock, error) {
	if dir == "" {
		var err error
		if dir, err = makeNumbered(filepath.Join(runsDir, time.Now().Format("2006-01-02T15-04-05"))); err != nil {
			return "", nil, err
		}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, fmt.Errorf("run directory: %w", err)
	}
	held, err := lock.Acquire(dir)
	if err != nil {
		return "", nil, err
	}
	// Another process may have begun a run here since the first look.
	if err = checkOut(dir); err == nil {
		err = os.Mkdir(filepath.Dir(loop.LastPath(dir)), 0o755)
	}
	if err != nil {
		held.Close()
		return "", nil, err
	}
	return dir, held, nil
}

// makeNumbered makes a directory of that name, or with -2, -3, ... after it if there is one already.
func makeNumbered(name string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return "", err
	}
	dir := name
	for n := 2; ; n++ {
		err := os.Mkdir(dir, 0o755)
		if err == nil || !errors.Is(err, os.ErrExist) {
			return dir, err
		}
		dir = fmt.Sprintf("%s-%d", name, n)
	}
}

// display is what shows a run: on the terminal, on a pipe, in metrics.jsonl.
type display struct {
	text      io.Writer // for what a person reads before and after
	observers []loop.Observer
	closers   []func() error
}

// newDisplay chooses the observers. With JSON on stdout, what a person reads goes to stderr.
func newDisplay(s streams, c config.Config, metrics *metricsFile) *display {
	d := &display{text: s.out}
	if c.JSON {
		d.text = s.err
		d.add(progress.NewJSON(bufio.NewWriter(s.out), c.LogEvery))
	}
	lasting := progress.NewJSON(metrics, c.LogEvery)
	d.closers = append(d.closers, lasting.Flush)
	if metrics.begun {
		d.observers = append(d.observers, continued{lasting})
	} else {
		d.observers = append(d.observers, lasting)
	}

	mode := c.Progress
	if mode == "auto" {
		mode = "lines"
		if progress.IsTerminal(s.err) && os.Getenv("TERM") != "dumb" {
			mode = "bar"
		}
	}
	lines := progress.NewLines(d.text, progress.ColorEnabled(progress.IsTerminal(d.text), os.Getenv))
	switch mode {
	case "bar":
		bar := progress.NewBar(terminal(s), lines)
		d.observers = append(d.observers, bar)
		d.closers = append(d.closers, func() error { bar.Clear(); return nil })
	case "lines":
		d.observers = append(d.observers, lines)
	}
	return d
}

func (d *display) add(j *progress.JSON) {
	d.observers = append(d.observers, j)
	d.closers = append(d.closers, j.Flush)
}

// close takes the bar away and flushes what was buffered.
func (d *display) close() error {
	var errs []error
	for _, c := range d.closers {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// terminal is stderr as a place for a bar.
func terminal(s streams) progress.Terminal {
	return progress.Terminal{
		Writer: s.err,
		Width:  progress.Width(s.err),
		Color:  progress.ColorEnabled(progress.IsTerminal(s.err), os.Getenv),
	}
}
