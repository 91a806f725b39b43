package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/checkpoint"
	"fmtrain/internal/lock"
	"fmtrain/internal/model"
	"fmtrain/internal/solver"
)

// Prefixes of the tensors' names in a checkpoint.
const (
	modelPrefix   = "model." // of weights
	averagePrefix = "ema."   // of averaged weights
	solverPrefix  = "solver."
)

// State is what a checkpoint holds. The tensors are the weights as model.<name>, the averaged weights as ema.<name>, and the
// solvers' slots as solver.<group>.<slot>.<parameter>. The metadata are JSON: "model", "settings", "progress", "data", and a
// solver's counts under "solver.<group>".
type State struct {
	Model    *model.Model
	Settings any // the resolved settings
	Data     Data
	Weights  model.Weights
	Average  model.Weights   // nil for none
	Groups   []model.Group   // of the weights
	Solvers  []solver.Solver // one for each group
	Progress Progress
}

// Checkpoints writes the checkpoints of a run. [Create] and [Dir.Open] make one that holds the run's lock. For a
// run that no other process uses, a Checkpoints with only its Dir is enough.
type Checkpoints struct {
	Dir Dir

	lock  *lock.Lock       // nil for none
	image checkpoint.Image // of the last save; the next save reuses its memory
}

// Close releases the run's lock.
func (c *Checkpoints) Close() error {
	if c.lock == nil {
		return nil
	}
	return c.lock.Close()
}

// SaveLast writes last.safetensors; the one before becomes previous.safetensors. If another directory has taken the place of the
// locked one, nothing is written.
func (c *Checkpoints) SaveLast(image checkpoint.Image) error {
	if err := c.checkLock(); err != nil {
		return err
	}
	if err := atomicfile.Link(c.Dir.Last(), c.Dir.Previous()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return image.Save(c.Dir.Last())
}

// SaveBest makes the last checkpoint the best one too, which costs no writing: best.safetensors.
func (c *Checkpoints) SaveBest() error { return atomicfile.Link(c.Dir.Last(), c.Dir.Best()) }

// LastIntact is the progress and the path of the last checkpoint, if that is whole; otherwise the path is empty. It reads the file,
// because a failed save may have written it, and its directory may be gone.
func (c *Checkpoints) LastIntact() (Progress, string) {
	if c == nil || c.checkLock() != nil { // then the file belongs to another run
		return Progress{}, ""
	}
	last, err := Load(c.Dir.Last())
	if err != nil {
		return Progress{}, ""
	}
	return last.Progress, c.Dir.Last()
}

// checkLock is an error if another directory has taken the place of the locked one.
func (c *Checkpoints) checkLock() error {
	if c.lock == nil {
		return nil
	}
	return c.lock.Check()
}

// solverCounts is the part of a solver's state that is not a tensor.
type solverCounts struct {
	Solver  string             `json:"solver"`
	Steps   uint64             `json:"steps"`
	Scalars map[string]float64 `json:"scalars,omitempty"`
}

// Image is the checkpoint of a state. It is a copy, valid until the next call.
func (c *Checkpoints) Image(s State) (checkpoint.Image, error) {
	file := &checkpoint.Checkpoint{Metadata: map[string]string{}}
	metadata := map[string]any{"model": s.Model.Architecture, "settings": s.Settings, "progress": s.Progress, "data": s.Data}
	for _, w := range s.Weights {
		file.Tensors = append(file.Tensors, tensorOf(modelPrefix+w.Name, w, w.Value.Float32s()))
	}
	for _, w := range s.Average {
		file.Tensors = append(file.Tensors, tensorOf(averagePrefix+w.Name, w, w.Value.Float32s()))
	}
	for i, group := range s.Groups {
		prefix := solverPrefix + group.Name
		state := s.Solvers[i].State()
		metadata[prefix] = solverCounts{s.Solvers[i].Name(), state.Steps, state.Scalars}
		for _, slot := range slices.Sorted(maps.Keys(state.Slots)) {
			for _, w := range s.Weights {
				if values, ok := state.Slots[slot][w.Name]; ok {
					file.Tensors = append(file.Tensors, tensorOf(strings.Join([]string{prefix, slot, w.Name}, "."), w, values))
				}
			}
		}
	}
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

// tensorOf is a tensor of a weight's shape.
func tensorOf(name string, w model.Weight, values []float32) checkpoint.Tensor {
	return checkpoint.Tensor{Name: name, Shape: w.Value.Shape(), Data: values}
}
