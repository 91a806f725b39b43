// Package model makes a classifier of an architecture: its weights, in two named groups, and the graphs that train and
// evaluate it.
//
//	images → [dense → LayerNorm → activation]* → dense → logits → loss
//
// or any other stack of layers, see stack.go. The layers near the images are the group "lower", those near the logits the group
// "upper"; each group is trained by a solver of its own, from the gradients of one backward pass.
package model

import (
	"errors"
	"fmt"
	"slices"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
)

// The groups of parameters.
const (
	Lower = "lower"
	Upper = "upper"
)

// NoLayerNorm is the form of a model that has no LayerNorm.
const NoLayerNorm layernorm.Form = "none"

// Spec is an architecture, and the loss that it is trained by.
type Spec struct {
	Inputs      int            `json:"inputs"`           // values of a sample
	Stack       string         `json:"layers,omitempty"` // the layers, as ParseStack gives them; empty for Hidden
	Hidden      []int          `json:"hidden"`           // widths of the hidden layers, from the images up
	Classes     int            `json:"classes"`          // logits of a sample
	Activation  string         `json:"activation"`       // of the hidden layers, one of layer.Activations
	LayerNorm   layernorm.Form `json:"layernorm"`        // after each hidden layer's product; NoLayerNorm for none
	Epsilon     float64        `json:"epsilon"`          // of LayerNorm
	UpperLayers int            `json:"upper_layers"`     // dense layers of the upper group, counted from the logits, unless the stack names groups
	Loss        loss.Named     `json:"loss,omitzero"`    // none for the cross-entropy: a checkpoint may be older than the choice
}

// Penalties are a layer's own losses, added to the main one in a training graph.
type Penalties struct {
	L2       float64 // times the sum of the squares of each dense layer's weights, unless they are frozen
	Activity float64 // times that of each activation's outputs, by the samples of the batch
}

// Check is an error if the architecture is not one that can be built: it may come from a file.
func (s Spec) Check() error {
	if s.Stack == "" && len(s.Hidden) == 0 {
		return errors.New("architecture: expected one hidden layer or more, found none")
	}
	for _, n := range append([]int{s.Inputs, s.Classes}, s.Hidden...) {
		if n < 1 {
			return fmt.Errorf("architecture: expected layers of one unit or more, found %d", n)
		}
	}
	most := len(s.Hidden) // so that the lower group has one
	if s.Stack != "" {
		if _, err := s.items(); err != nil {
			return fmt.Errorf("architecture: layers %w", err)
		}
		most = len(s.Layers())
	}
	if s.UpperLayers < 1 || s.UpperLayers > most {
		return fmt.Errorf("architecture: expected from 1 to %d upper layers, found %d", most, s.UpperLayers)
	}
	if s.Stack == "" && !slices.Contains(layer.Activations(), s.Activation) {
		return fmt.Errorf("architecture: expected an activation of %v, found %.100q", layer.Activations(), s.Activation)
	}
	if !slices.Contains([]layernorm.Form{layernorm.Book, layernorm.Keras, NoLayerNorm}, s.LayerNorm) {
		return fmt.Errorf("architecture: expected a LayerNorm of form book, keras or none, found %.100q", s.LayerNorm)
	}
	if s.LayerNorm == NoLayerNorm && HasNorm(s.Stack) {
		return fmt.Errorf("architecture: expected a LayerNorm of form book or keras for the ln in %s, found none", s.Stack)
	}
	if s.LayerNorm != NoLayerNorm && !(s.Epsilon > 0) {
		return fmt.Errorf("architecture: expected a positive epsilon, found %v", s.Epsilon)
	}
	return nil
}

// Layer is one dense layer of a model.
type Layer struct {
	Name       string // the prefix of its parameters: lower.0, lower.1, ..., upper.0, ..., and upper for the last
	Group      string
	In, Out    int
	Hidden     bool   // not the last
	Activation string // the next one after it, before the next dense layer; empty for none
}

// String is the layer as tables show it, such as 784→100.
func (l Layer) String() string { return fmt.Sprintf("%d→%d", l.In, l.Out) }

// Layers are the dense layers from the images up, those of residual blocks in their places.
func (s Spec) Layers() (layers []Layer) {
	each(s.modules(), func(m module) {
		if m.kind == dense {
			layers = append(layers, m.Layer)
		}
	})
	return layers
}

// Memory is about how many bytes training takes beyond the images: for each parameter its value, its gradient, two moments of the
// solver and two copies to save; for each unit and each image of a batch, what goes through a dense layer, a LayerNorm and an
// activation, forward and backward.
func (s Spec) Memory(batch int) int64 {
	b := int64(batch)
	values := 2 * b * int64(s.Inputs)
	for _, l := range s.Layers() {
		values += 6 * (int64(l.In) + 1 + b) * int64(l.Out)
	}
	return 4 * values
}

// Parametric is the number of layers that have parameters, LayerNorms included.
func (s Spec) Parametric() (n int) {
	each(s.modules(), func(m module) {
		if m.kind == dense || m.kind == norm {
			n++
		}
	})
	return n
}

// loss is that of the graphs.
func (s Spec) loss() loss.Loss {
	if s.Loss.Loss == nil {
		return loss.Default().Loss
	}
	return s.Loss.Loss
}
