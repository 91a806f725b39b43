package loop

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gorgonia.org/tensor"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/checkpoint"
	"fmtrain/internal/dataset"
	"fmtrain/internal/lock"
	"fmtrain/internal/model"
	"fmtrain/internal/solver"
)

// Names in a run directory.
const (
	ConfigName     = "config.yaml"
	MetricsName    = "metrics.jsonl"
	checkpointsDir = "checkpoints"
	lastName       = "last.safetensors"
	previousName   = "previous.safetensors"
	bestName       = "best.safetensors"
	modelPrefix    = "model." // of the weights' names in a checkpoint
	averagePrefix  = "ema."   // of their averages' names
)

// LastPath, PreviousPath and BestPath are where a run directory has its checkpoints: the last, the one that was the last before
// it, and the best.
func LastPath(run string) string     { return filepath.Join(run, checkpointsDir, lastName) }
func PreviousPath(run string) string { return filepath.Join(run, checkpointsDir, previousName) }
func BestPath(run string) string     { return filepath.Join(run, checkpointsDir, bestName) }

// Progress is how far a run has come: all that a checkpoint keeps besides weights, their averages and solvers. A checkpoint is
// only written between two steps, so no gradient is ever half accumulated.
type Progress struct {
	Epoch        int           `json:"epoch"`             // epochs done
	Iteration    int           `json:"iteration"`         // iterations done in the epoch after those
	Running      Mean          `json:"running"`           // what was counted in these iterations
	Metrics      []float64     `json:"metrics,omitempty"` // the sums of the metrics in these iterations, if any are measured
	Elapsed      time.Duration `json:"elapsed,omitempty"` // in the training loop in these iterations
	BestEpoch    int           `json:"best_epoch"`
	BestAccuracy float64       `json:"best_accuracy"`        // on the validation images
	ValLosses    []float64     `json:"val_losses,omitempty"` // of the epochs done, if a schedule looks at them
}

// isBest says whether it is the end of the best epoch.
func (p Progress) isBest() bool { return p.Epoch > 0 && p.Epoch == p.BestEpoch && p.Iteration == 0 }

// String is "epoch 3" for its end, or "epoch 4, iteration 20" for a place within.
func (p Progress) String() string {
	if p.Iteration > 0 {
		return fmt.Sprintf("epoch %d, iteration %d", p.Epoch+1, p.Iteration)
	}
	return fmt.Sprintf("epoch %d", p.Epoch)
}

// Data is what tells one data set from another: the SHA-256 of its training files by their names; nil if that is not known.
type Data map[string]string

// Checkpoints writes a run's checkpoints. Each holds the weights as model.<name>, their averages, if there are any, as
// ema.<name>, the solvers' slots as solver.<group>.<slot>.<parameter>, and in its metadata, as JSON, the architecture and the loss
// under "model", the resolved settings under "settings", the [Progress] under "progress", what tells its data from others under
// "data" and what a solver counts under "solver.<group>".
type Checkpoints struct {
	Run      string // the run directory
	Model    *model.Model
	Weights  model.Weights
	Average  model.Weights // of the weights; nil for none
	Groups   []model.Group
	Solvers  []solver.Solver // one for each group
	Settings any             // the resolved settings
	Data     Data            // what is trained on
	Lock     *lock.Lock      // of the run directory; nil for none

	image checkpoint.Image // of the last save, whose memory the next one takes
}

// SaveLast writes last.safetensors; what was there before is previous.safetensors from then on. If the run directory is no longer
// the one that was locked, nothing is written.
func (c *Checkpoints) SaveLast(image checkpoint.Image) error {
	if err := c.checkLock(); err != nil {
		return err
	}
	if err := atomicfile.Link(c.Last(), PreviousPath(c.Run)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return image.Save(c.Last())
}

// SaveBest makes the last checkpoint the best one too, which costs no writing: best.safetensors.
func (c *Checkpoints) SaveBest() error { return atomicfile.Link(c.Last(), BestPath(c.Run)) }

// left is the progress of the last checkpoint that is whole, and its path, empty if there is none. It asks the file, which may be
// that of a save of which something else has failed, or gone with its directory.
func (c *Checkpoints) left() (Progress, string) {
	if c.checkLock() != nil { // the file is another run's
		return Progress{}, ""
	}
	last, err := Load(c.Last())
	if err != nil {
		return Progress{}, ""
	}
	return last.Progress, c.Last()
}

// checkLock is an error if the run directory is no longer the one that was locked.
func (c *Checkpoints) checkLock() error {
	if c.Lock == nil {
		return nil
	}
	return c.Lock.Check()
}

// Last is the path of the last checkpoint.
func (c *Checkpoints) Last() string { return LastPath(c.Run) }

// solverCounts is the part of a solver's state that is not a tensor.
type solverCounts struct {
	Solver  string             `json:"solver"`
	Steps   uint64             `json:"steps"`
	Scalars map[string]float64 `json:"scalars,omitempty"`
}

// Image is the checkpoint of this moment. It is a copy, and good until the next.
func (c *Checkpoints) Image(p Progress) (checkpoint.Image, error) {
	file := &checkpoint.Checkpoint{}
	metadata := map[string]any{"model": c.Model.Architecture, "settings": c.Settings, "progress": p, "data": c.Data}
	for _, w := range c.Weights {
		file.Tensors = append(file.Tensors, checkpoint.Tensor{Name: modelPrefix + w.Name, Shape: w.Value.Shape(), Data: w.Value.Float32s()})
	}
	for _, w := range c.Average {
		file.Tensors = append(file.Tensors, checkpoint.Tensor{Name: averagePrefix + w.Name, Shape: w.Value.Shape(), Data: w.Value.Float32s()})
	}
	for i, group := range c.Groups {
		s := c.Solvers[i]
		state := s.State()
		metadata["solver."+group.Name] = solverCounts{s.Name(), state.Steps, state.Scalars}
		for _, slot := range slices.Sorted(maps.Keys(state.Slots)) {
			for _, w := range c.Weights {
				if values, ok := state.Slots[slot][w.Name]; ok {
					name := strings.Join([]string{"solver", group.Name, slot, w.Name}, ".")
					file.Tensors = append(file.Tensors, checkpoint.Tensor{Name: name, Shape: w.Value.Shape(), Data: values})
				}
			}
		}
	}
	file.Metadata = make(map[string]string, len(metadata))
	for key, value := range metadata {
		text, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("checkpoint: %s: %w", key, err)
		}
		file.Metadata[key] = string(text)
	}
	image, err := checkpoint.Encode(file, c.image)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	c.image = image
	return image, nil
}

// Saved is what a checkpoint tells of its run.
type Saved struct {
	Model    *model.Model
	Weights  model.Weights
	Average  model.Weights // of the weights; nil if there is none
	Progress Progress
	Settings json.RawMessage
	Data     Data

	path    string
	lost    bool                   // the best checkpoint
	solvers map[string]savedSolver // by group
}

// savedSolver is a solver's name and state.
type savedSolver struct {
	name  string
	state solver.State
}

// Load reads a checkpoint's architecture and weights, and the settings and the progress of its run.
func Load(path string) (*Saved, error) {
	_, s, err := load(path)
	return s, err
}

// load gives the file as it is, too.
func load(path string) (*checkpoint.Checkpoint, *Saved, error) {
	file, err := checkpoint.Load(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := interpret(file)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	s.path = path
	return file, s, nil
}

// interpret makes sense of an intact checkpoint, whoever wrote it: a checksum is no signature. It takes what it knows and passes
// over other metadata and other tensors.
func interpret(file *checkpoint.Checkpoint) (*Saved, error) {
	s := &Saved{Settings: json.RawMessage(file.Metadata["settings"])}
	var architecture model.Architecture
	known := map[string]any{"model": &architecture, "progress": &s.Progress}
	if _, ok := file.Metadata["data"]; ok { // it came later than the others
		known["data"] = &s.Data
	}
	for key, value := range known {
		if err := json.Unmarshal([]byte(file.Metadata[key]), value); err != nil {
			return nil, fmt.Errorf("expected JSON under %q in the metadata, found %.100q: %w", key, file.Metadata[key], err)
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
	if s.solvers, err = solversOf(file); err != nil {
		return nil, err
	}
	return s, nil
}

// solversOf finds the solvers' states, by group. Their slots are the file's own values.
func solversOf(file *checkpoint.Checkpoint) (map[string]savedSolver, error) {
	solvers := map[string]savedSolver{}
	for key, text := range file.Metadata {
		group, ok := strings.CutPrefix(key, "solver.")
		if !ok {
			continue
		}
		var counts solverCounts
		if err := json.Unmarshal([]byte(text), &counts); err != nil {
			return nil, fmt.Errorf("expected JSON under %q in the metadata, found %q: %w", key, text, err)
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
		solvers[group] = savedSolver{counts.Solver, state}
	}
	return solvers, nil
}

// checkModel is an error if a file's model can't take the images, or has a parameter that the file lacks. So no memory is taken for
// weights that are not there.
func checkModel(m *model.Model, file *checkpoint.Checkpoint) error {
	if m.Inputs != dataset.Pixels || m.Classes != dataset.Classes {
		return fmt.Errorf("architecture: expected %d inputs and %d classes, found %d and %d", dataset.Pixels, dataset.Classes, m.Inputs, m.Classes)
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

// LoadWeights is [Load], and copies the checkpoint's weights into those of a model. A tensor that is missing, of another shape or not
// of this model is an error that names it, and then nothing is copied.
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
