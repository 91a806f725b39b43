package build

import (
	"fmt"

	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
)

// Model is the network of a run, with its training graph.
type Model struct {
	Settings config.Config // with the loss resolved
	Spec     model.Spec
	Weights  model.Weights
	Graph    *model.Graph
	Groups   []config.Group // in the order of the layers, as in the graph
}

// NewModel makes the model that the settings describe. A resumed run has the loss of its checkpoint. A new run may name a checkpoint
// to start from, in its settings. A model that does not fit into memory is a [*MemoryError].
func NewModel(c config.Config, from *run.Saved) (*Model, error) {
	m := &Model{Settings: c, Spec: specOf(c)}
	if err := checkMemory(m.Spec.Memory(c.BatchSize)); err != nil {
		return nil, err
	}
	m.Weights = model.NewWeights(m.Spec, c.Seed)
	if err := c.AssignGroups(m.Weights); err != nil {
		return nil, err
	}
	m.Groups = groupsOf(c, m.Weights)
	saved, err := m.initialise(from)
	if err != nil {
		return nil, err
	}
	if m.Spec.Loss, err = m.Settings.ResolveLoss(saved); err != nil {
		return nil, err
	}
	penalties := model.Penalties{L2: c.L2, Activity: c.ActivityL2}
	if m.Graph, err = model.NewPenalised(m.Spec, penalties, m.Weights, c.BatchSize, frozen(m.Groups)...); err != nil {
		return nil, err
	}
	m.Graph.Draw.Seed = c.Seed
	return m, m.Graph.Use(c.VM)
}

// initialise sets the weights to those of the run or checkpoint that --init names, and returns the loss that the model was trained
// with before, if it was.
func (m *Model) initialise(from *run.Saved) (loss.Named, error) {
	if from != nil {
		return from.Spec.Loss, nil
	}
	if m.Settings.Init == "" {
		return loss.Named{}, nil
	}
	path, err := run.Checkpoint(m.Settings.Init)
	if err != nil {
		return loss.Named{}, fmt.Errorf("--init: %w", err)
	}
	saved, err := run.LoadWeights(path, m.Weights)
	if err != nil {
		return loss.Named{}, fmt.Errorf("--init: %w", err)
	}
	return saved.Spec.Loss, nil
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
