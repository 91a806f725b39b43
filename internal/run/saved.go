package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"gorgonia.org/tensor"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/checkpoint"
	"fmtrain/internal/dataset"
	"fmtrain/internal/model"
	"fmtrain/internal/solver"
)

// Saved is a checkpoint that was read.
type Saved struct {
	Path     string
	Model    *model.Model
	Weights  model.Weights
	Average  model.Weights // nil for none
	Progress Progress
	Settings json.RawMessage
	Data     Data
	Solvers  map[string]SavedSolver // by group
	BestLost bool                   // [Dir.Load] has found no checkpoint of the best epoch
}

// SavedSolver is a solver's name and state.
type SavedSolver struct {
	Name  string
	State solver.State
}

// ErrNoCheckpoint means that a run directory has no checkpoint to resume from.
var ErrNoCheckpoint = errors.New("no checkpoint")

func noCheckpoint(d Dir) error {
	return fmt.Errorf("%w: expected a run directory with %s, found none", ErrNoCheckpoint, d.Last())
}

// Load reads a checkpoint.
func Load(path string) (*Saved, error) {
	_, s, err := load(path)
	return s, err
}

// LoadWeights is [Load], and copies the checkpoint's weights into those of a model. A tensor that is missing, has another shape or
// is not in this model is an error that names it, and then nothing is copied.
func LoadWeights(path string, weights model.Weights) (*Saved, error) {
	file, s, err := load(path)
	if err != nil {
		return nil, err
	}
	if err := setWeights(weights, modelPrefix, file); err != nil {
		return nil, fmt.Errorf("%s does not fit the model: %w", path, err)
	}
	return s, nil
}

// Load reads the last checkpoint, to resume the run. If it is damaged or gone, the previous one is read and takes its place. A
// checkpoint in another version of the format is not damaged, and is refused. If the best checkpoint is gone or has another epoch,
// the run can still be resumed. Both give warnings. Without any checkpoint the error is an [ErrNoCheckpoint].
func (d Dir) Load() (saved *Saved, warnings []string, err error) {
	last, previous := d.Last(), d.Previous()
	saved, err = Load(last)
	if errors.Is(err, checkpoint.ErrVersion) {
		return nil, nil, err
	}
	if err != nil {
		before, previousErr := Load(previous)
		switch {
		case errors.Is(err, fs.ErrNotExist) && errors.Is(previousErr, fs.ErrNotExist):
			return nil, nil, noCheckpoint(d)
		case errors.Is(previousErr, fs.ErrNotExist):
			return nil, nil, err
		case previousErr != nil:
			return nil, nil, fmt.Errorf("%w; nor can the one before it be used: %w", err, previousErr)
		}
		if err := atomicfile.Link(previous, last); err != nil {
			return nil, nil, fmt.Errorf("%s can't take the place of a damaged checkpoint: %w", previous, err)
		}
		before.Path, saved = last, before
		warnings = append(warnings, fmt.Sprintf("%v; taking the one before it, of %v", err, saved.Progress))
	}
	if err := d.CheckBest(saved.Progress); err != nil {
		saved.BestLost = true
		warnings = append(warnings, fmt.Sprintf("the checkpoint of the best epoch, %d, is lost: %v", saved.Progress.BestEpoch, err))
	}
	return saved, warnings, nil
}

// CheckBest is an error if a run with this progress has no best checkpoint. At the end of the best epoch it needs none, because the last
// checkpoint is then the best.
func (d Dir) CheckBest(p Progress) error {
	if p.BestEpoch == 0 || p.IsBest() {
		return nil
	}
	best, err := Load(d.Best())
	if err != nil {
		return err
	}
	if best.Progress.Epoch != p.BestEpoch {
		return fmt.Errorf("%s has the weights of %v", d.Best(), best.Progress)
	}
	return nil
}

// load also returns the file itself.
func load(path string) (*checkpoint.Checkpoint, *Saved, error) {
	file, err := checkpoint.Load(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := interpret(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	s.Path = path
	return file, s, nil
}

// interpret reads an intact checkpoint. Anybody may have written it, because a checksum is not a signature. It ignores unknown metadata
// and tensors.
func interpret(file *checkpoint.Checkpoint) (*Saved, error) {
	if _, ok := file.Metadata["progress"]; !ok && file.Metadata["architecture"] != "" {
		return nil, errors.New("expected a checkpoint, found exported weights; fmtrain import makes a run of them")
	}
	s := &Saved{Settings: json.RawMessage(file.Metadata["settings"])}
	var architecture model.Architecture
	known := map[string]any{"model": &architecture, "progress": &s.Progress}
	if _, ok := file.Metadata["data"]; ok { // the oldest checkpoints lack it
		known["data"] = &s.Data
	}
	for key, value := range known {
		if err := readMetadata(file, key, value); err != nil {
			return nil, err
		}
	}
	var err error
	if s.Model, err = model.New(architecture); err != nil {
		return nil, err
	}
	if err := checkModel(s.Model, file); err != nil {
		return nil, err
	}
	s.Weights = s.Model.NewWeights(0)
	if err := setWeights(s.Weights, modelPrefix, file); err != nil {
		return nil, err
	}
	if averaged := func(t checkpoint.Tensor) bool { return strings.HasPrefix(t.Name, averagePrefix) }; slices.ContainsFunc(file.Tensors, averaged) {
		s.Average = s.Model.NewWeights(0)
		if err := setWeights(s.Average, averagePrefix, file); err != nil {
			return nil, fmt.Errorf("averaged weights: %w", err)
		}
	}
	s.Solvers, err = readSolvers(file)
	return s, err
}

// readMetadata reads the JSON under a key. Both the text and the error of the decoder, which quotes it, may be megabytes long.
func readMetadata(file *checkpoint.Checkpoint, key string, value any) error {
	text := file.Metadata[key]
	if err := json.Unmarshal([]byte(text), value); err != nil {
		return fmt.Errorf("expected JSON under %.100q in the metadata, found %.100q: %.300s", key, text, err.Error())
	}
	return nil
}

// readSolvers reads the solvers' states, by group. Their slots are the file's own values.
func readSolvers(file *checkpoint.Checkpoint) (map[string]SavedSolver, error) {
	solvers := map[string]SavedSolver{}
	for key := range file.Metadata {
		group, ok := strings.CutPrefix(key, solverPrefix)
		if !ok {
			continue
		}
		var counts solverCounts
		if err := readMetadata(file, key, &counts); err != nil {
			return nil, err
		}
		state := solver.State{Steps: counts.Steps, Scalars: counts.Scalars, Slots: map[string]map[string][]float32{}}
		for _, t := range file.Tensors {
			name, ok := strings.CutPrefix(t.Name, key+".")
			if !ok {
				continue
			}
			slot, parameter, _ := strings.Cut(name, ".")
			if state.Slots[slot] == nil {
				state.Slots[slot] = map[string][]float32{}
			}
			state.Slots[slot][parameter] = t.Data
		}
		solvers[group] = SavedSolver{counts.Solver, state}
	}
	return solvers, nil
}

// checkModel is an error if a file's model can't take the images, or has a parameter that the file lacks. So no memory is allocated
// for missing weights.
func checkModel(m *model.Model, file *checkpoint.Checkpoint) error {
	if err := CheckSizes(m.Architecture); err != nil {
		return err
	}
	for _, p := range m.Parameters() {
		switch t, ok := file.Tensor(modelPrefix + p.Name); {
		case !ok:
			return fmt.Errorf("tensor %s: expected shape %v, found no such tensor", p.Name, p.Shape)
		case !slices.Equal(t.Shape, p.Shape):
			return fmt.Errorf("tensor %s: expected shape %v, found %v", p.Name, p.Shape, tensor.Shape(t.Shape))
		}
	}
	return nil
}

// CheckSizes is an error if a model of the architecture can't take the images.
func CheckSizes(a model.Architecture) error {
	if a.Inputs != dataset.Pixels || a.Classes != dataset.Classes {
		return fmt.Errorf("architecture: expected %d inputs and %d classes, found %d and %d", dataset.Pixels, dataset.Classes, a.Inputs, a.Classes)
	}
	return nil
}

// setWeights copies the tensors whose names begin with the prefix into the weights, all of them or none.
func setWeights(weights model.Weights, prefix string, file *checkpoint.Checkpoint) error {
	for _, t := range file.Tensors {
		if name, ok := strings.CutPrefix(t.Name, prefix); ok && !weights.Has(name) {
			return fmt.Errorf("tensor %.100s: expected none of this name, found shape %v", name, tensor.Shape(t.Shape))
		}
	}
	return weights.Set(func(name string) ([]int, []float32, bool) {
		t, ok := file.Tensor(prefix + name)
		return t.Shape, t.Data, ok
	})
}
