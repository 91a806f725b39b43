// Package build makes a training run from its settings and its data. Everything that trains goes through it: fmtrain train, debug, and
// whatever will want many runs in one process.
//
//	data, err := build.Split(&c, loaded)           // what to train on, what to validate on
//	m, err := build.NewModel(c, from)              // the network: all that debug needs, and all that a setting can spoil
//	t, err := m.Trainer(build.Run{Data: data})     // the run, complete
//
// The model comes before the run directory is made, so settings that are refused leave no directory behind. The trainer is complete:
// nothing is filled in afterwards. What concerns the whole process, such as signals, is left to the program.
package build

import (
	"slices"

	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/team"
	"fmtrain/internal/version"
)

// Data is the images that a run trains and validates on. Runs in one process may share it, because nothing writes to it.
type Data struct {
	*dataset.Data
	Validation *dataset.Set // may be empty
	Training   *dataset.Set
}

// Split divides the training images into those for validation and the rest. The settings then name the data, and have the number of
// validation images.
func Split(c *config.Config, loaded *dataset.Data) (*Data, error) {
	held, err := c.ValidationImages(loaded.Train.Len())
	if err != nil {
		return nil, err
	}
	data := &Data{Data: loaded}
	if data.Validation, data.Training, err = dataset.Split(loaded.Train, held); err != nil {
		return nil, err
	}
	c.Validation = &held
	c.Data, err = dataset.Absolute(loaded.Origin)
	return data, err
}

// Run is what a trainer needs besides its model.
type Run struct {
	Data        *Data
	Checkpoints *run.Checkpoints // where the run is saved; nil: nowhere
	From        *run.Saved       // the checkpoint to resume from; nil for a new run
	Override    bool             // when resuming, the settings and the data may differ from the checkpoint's
}

// Trainer makes the run of the model, ready for [loop.Trainer.Run]. The settings then name its directory. The caller closes its Team.
func (m *Model) Trainer(r Run) (*loop.Trainer, error) {
	if r.Checkpoints != nil {
		m.Settings.Out = string(r.Checkpoints.Dir)
	}
	c := m.Settings
	parts, err := newParts(m.Groups, c.WeightDecayAll)
	if err != nil {
		return nil, err
	}
	trainMetrics, err := Metrics(c.Metrics)
	if err != nil {
		return nil, err
	}
	t := &loop.Trainer{
		Model:   m.Model,
		Weights: m.Weights,
		Graph:   m.Graph,
		Solvers: parts.solvers,
		Train:   r.Data.Training,
		Sampler: dataset.NewSampler(r.Data.Training.Len(), c.Seed, c.Shuffle),
		Metrics: trainMetrics.PerSample(),
		Epochs:  c.Epochs,

		Checkpoints: r.Checkpoints,
		Settings:    c,
		Data:        r.Data.TrainSHA256,
		Program:     version.Read(),

		Schedules:  parts.schedules,
		Accumulate: c.Accumulate,
		Augmenter:  Augmenter(c, r.Data),
		ClipNorm:   c.ClipNorm,
		MaxNorm:    c.MaxNorm,
		Patience:   c.Patience,
		Every:      loop.Every(c.CheckpointEvery),
	}
	if t.Validation, err = newEvaluator(m.Model, m.Weights, r.Data.Validation, c.Metrics); err != nil {
		return nil, err
	}
	if c.EMA > 0 {
		if t.Average, err = loop.NewAverage(m.Model, m.Weights, c.EMA, r.Data.Validation); err != nil {
			return nil, err
		}
	}
	if r.From != nil {
		if r.Checkpoints != nil {
			t.Before = r.Checkpoints.Dir.Spent(r.From.Progress)
		}
		if err := t.Resume(r.From, r.Override); err != nil {
			return nil, err
		}
	}
	t.Team = Team(c.Threads)
	return t, nil
}

// Augmenter makes what changes the training images; nil if nothing does.
func Augmenter(c config.Config, data *Data) *dataset.Augmenter {
	if c.Augment == (dataset.Augmentation{}) {
		return nil
	}
	return &dataset.Augmenter{Augmentation: c.Augment, Seed: c.Seed, First: data.Validation.Len()}
}

// newEvaluator makes what measures the validation images; nil if there are none.
func newEvaluator(m *model.Model, weights model.Weights, validation *dataset.Set, metrics []string) (*loop.Evaluator, error) {
	if validation.Len() == 0 {
		return nil, nil
	}
	e, err := loop.NewEvaluator(m, weights, validation)
	if err != nil {
		return nil, err
	}
	e.Metrics, err = Metrics(metrics)
	return e, err
}

// Metrics makes the metrics of these names, without the accuracy: the loop and an evaluation count that themselves.
func Metrics(names []string) (*metric.Set, error) {
	names = slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == "accuracy" })
	return metric.NewSet(names, dataset.ClassNames[:])
}

// Team makes the threads of a run: this many, or one for each physical core.
func Team(threads *int) *team.Team {
	if threads != nil {
		return team.New(*threads)
	}
	return team.New(team.Cores())
}
