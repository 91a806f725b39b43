package main

import (
	"fmt"

	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
	"fmtrain/internal/team"
)

// newTrainer makes what trains a model on these images as the settings say, and resolves the loss. The run directory with its lock,
// the resolved settings, what tells the data from others, the team and the observers are for the caller to add.
func newTrainer(c *config.Config, from *savedRun, validation, train *dataset.Set) (*loop.Trainer, error) {
	m, weights, graph, err := newModel(c, from)
	if err != nil {
		return nil, err
	}
	groups := groupsOf(*c, weights)
	solvers, err := newSolvers(groups, c.WeightDecayAll)
	if err != nil {
		return nil, err
	}
	schedules, err := newSchedules(groups)
	if err != nil {
		return nil, err
	}
	metrics, err := newMetrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	t := &loop.Trainer{
		Graph:       graph,
		Solvers:     solvers,
		Train:       train,
		Sampler:     dataset.NewSampler(train.Len(), c.Seed, c.Shuffle),
		Metrics:     metrics.PerSample(),
		Epochs:      c.Epochs,
		Checkpoints: &loop.Checkpoints{Model: m, Weights: weights, Groups: graph.Groups, Solvers: solvers},

		Schedules:  schedules,
		Accumulate: c.Accumulate,
		ClipNorm:   c.ClipNorm,
		MaxNorm:    c.MaxNorm,
		Patience:   c.Patience,
	}
	t.Every.Iterations, t.Every.Time = c.SaveEvery()
	if validation.Len() > 0 {
		if t.Validation, err = loop.NewEvaluator(m, weights, validation); err != nil {
			return nil, err
		}
		if t.Validation.Metrics, err = newMetrics(c.Metrics); err != nil {
			return nil, err
		}
	}
	if c.EMA > 0 {
		if t.Average, err = loop.NewAverage(m, weights, c.EMA, validation); err != nil {
			return nil, err
		}
		t.Checkpoints.Average = t.Average.Weights
	}
	return t, nil
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
	saved, err := loop.LoadWeights(path, weights)
	if err != nil {
		return loss.Named{}, err
	}
	return saved.Model.Loss, nil
}

// mostMemory is what training may take, in bytes. A process that the system has no memory for dies without a word of its own.
const mostMemory int64 = 16 << 30

// newModel makes the model that the settings describe, and its training graph, and resolves the loss: that of the resumed run, if
// there is one, or of --init.
func newModel(c *config.Config, run *savedRun) (m *model.Model, weights model.Weights, graph *model.Graph, err error) {
	architecture, err := c.Architecture()
	if err != nil {
		return nil, nil, nil, err
	}
	if m, err = model.New(architecture); err != nil {
		return nil, nil, nil, err
	}
	if need := m.Memory(c.BatchSize); need > mostMemory {
		return nil, nil, nil, usageError{fmt.Errorf("expected a network and batches that take %d GiB to train at the most, found about %d: "+
			"fewer or narrower layers (--hidden, --layers) or a smaller --batch-size take less", mostMemory>>30, need>>30)}
	}
	weights = m.NewWeights(c.Seed)
	if err := c.AssignGroups(weights); err != nil {
		return nil, nil, nil, err
	}
	var saved loss.Named
	if run != nil {
		saved = run.Model.Loss
	} else if saved, err = startFrom(c.Init, weights); err != nil {
		return nil, nil, nil, fmt.Errorf("--init: %w", err)
	}
	if m.Loss, err = c.ResolveLoss(saved); err != nil {
		return nil, nil, nil, err
	}
	graph, err = m.NewTraining(weights, c.BatchSize, model.Training{
		L2: c.L2, Activity: c.ActivityL2, Frozen: frozen(groupsOf(*c, weights)),
	})
	if err != nil {
		return nil, nil, nil, err
	}
	graph.Draw.Seed = c.Seed
	return m, weights, graph, graph.Use(c.VM)
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
