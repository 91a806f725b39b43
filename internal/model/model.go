// Package model makes a classifier of an architecture: its weights, in groups, and the graphs that train and evaluate it.
//
//	images → [dense → LayerNorm → activation]* → dense → logits → loss
//
// or any other list of layers. The layers near the images are the group "lower" and those near the logits the group "upper", unless
// the list names groups. Each group is trained by its own solver, from the gradients of one backward pass.
package model

import (
	"errors"
	"fmt"

	"fmtrain/internal/layer"
)

// The groups of a model whose list of layers names none.
const (
	Lower = "lower"
	Upper = "upper"
)

// Model is an architecture whose layers have their places: names, groups and shapes.
type Model struct {
	Architecture
	layers []Placed
}

// Placed is a layer in its place in a model.
type Placed struct {
	layer.Layer
	Name       string      // of its node, such as lower.0.norm
	Before     string      // the name of the numbered layer that it follows, or its own if it is numbered
	Group      string      // of that one
	In, Out    layer.Shape // of one sample
	Parameters []Described
	Within     []Placed // the layers of a block
}

// Described is a parameter in its place in a model, without values.
type Described struct {
	layer.Parameter
	Name string // in the model, such as lower.0.weight
}

// New places the layers of an architecture. The error says why there is no such model.
func New(a Architecture) (*Model, error) {
	m := &Model{Architecture: a}
	var err error
	if err = a.check(); err == nil {
		m.layers, err = place(a)
	}
	if err != nil {
		return nil, fmt.Errorf("architecture: %w", err)
	}
	return m, nil
}

// check is an error for numbers that make no model: they may come from a file.
func (a Architecture) check() error {
	if a.Inputs < 1 || a.Classes < 1 {
		return fmt.Errorf("expected at least one input and one class, found %d and %d", a.Inputs, a.Classes)
	}
	if len(a.Items) == 0 {
		return errors.New("expected at least one layer, found none")
	}
	if numbered := a.numbered(); a.UpperLayers < 1 || a.UpperLayers > numbered {
		return fmt.Errorf("expected from 1 to %d upper layers, found %d", numbered, a.UpperLayers)
	}
	return nil
}

// Layers are the layers in the order in which they compute: those within a block, then the block.
func (m *Model) Layers() []Placed { return flat(m.layers) }

// Stack is the layers from input to output; those within a block are in its Within.
func (m *Model) Stack() []Placed { return m.layers }

func flat(layers []Placed) (all []Placed) {
	for _, l := range layers {
		all = append(append(all, flat(l.Within)...), l)
	}
	return all
}

// Parameters are the parameters in the order of the layers.
func (m *Model) Parameters() (all []Described) {
	for _, l := range m.Layers() {
		all = append(all, l.Parameters...)
	}
	return all
}

// Memory is about how many bytes training takes beyond the images. For each value of a parameter these are the value, its gradient,
// two moments of a solver and two copies to save. For each value between two layers they are the value and its gradient.
func (m *Model) Memory(batch int) int64 {
	values := 2 * int64(batch) * int64(m.Inputs)
	for _, l := range m.Layers() {
		values += 2 * int64(batch) * int64(l.Out.Size())
		for _, p := range l.Parameters {
			values += 6 * int64(p.Shape.TotalSize())
		}
	}
	return 4 * values
}
