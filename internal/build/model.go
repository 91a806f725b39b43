package build

import (
	"fmt"

	"fmtrain/internal/config"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
)

// Model is the network of a run, with its weights and its training graph.
type Model struct {
	*model.Model
	Settings config.Config // with the loss resolved
	Weights  model.Weights
	Graph    *model.Graph
	Groups   []config.Group // in the order of the layers, as in the graph
}

// NewModel makes the model that the settings describe. A resumed run has the loss of its checkpoint. A new run may start from a
// checkpoint that its settings name. A model that does not fit into memory is a [*MemoryError].
func NewModel(c config.Config, from *run.Saved) (*Model, error) {
	placed, err := model.New(c.Network)
	if err != nil {
		return nil, err
	}
	if err := checkMemory(placed.Memory(c.BatchSize)); err != nil {
		return nil, err
	}
	m := &Model{Model: placed, Settings: c, Weights: placed.NewWeights(c.Seed)}
	if err := c.AssignGroups(m.Weights); err != nil {
		return nil, err
	}
	m.Groups = groupsOf(c, m.Weights)
	saved, err := m.initialise(from)
	if err != nil {
		return nil, err
	}
	if m.Loss, err = m.Settings.ResolveLoss(saved); err != nil {
		return nil, err
	}
	m.Graph, err = m.NewTraining(m.Weights, c.BatchSize, model.Training{L2: c.L2, Activity: c.ActivityL2, Frozen: frozen(m.Groups)})
	if err != nil {
		return nil, err
	}
	m.Graph.Draw.Seed = c.Seed
	return m, m.Graph.Use(c.VM)
}

// initialise sets the weights to those of the run or checkpoint that --init names, and returns the loss that the model was trained
// with before, if it was.
func (m *Model) initialise(from *run.Saved) (loss.Named, error) {
	if from != nil {
		return from.Model.Loss, nil
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
	return saved.Model.Loss, nil
}

// groupsOf are the settings of the weights' groups, in the order of the layers.
func groupsOf(c config.Config, weights model.Weights) (groups []config.Group) {
	for _, name := range weights.Groups() {
		for _, g := range c.Groups {
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
