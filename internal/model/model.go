// Package model makes a classifier of an architecture: its weights, in two named groups, and the graphs that train and
// evaluate it.
//
//	images → [dense → LayerNorm → activation]* → dense → logits → loss
//
// The layers near the images are the group "lower", those near the logits the group "upper"; each group is trained by a
// solver of its own, from the gradients of one backward pass.
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
	Inputs      int            `json:"inputs"`        // values of a sample
	Hidden      []int          `json:"hidden"`        // widths of the hidden layers, from the images up
	Classes     int            `json:"classes"`       // logits of a sample
	Activation  string         `json:"activation"`    // of the hidden layers, one of layer.Activations
	LayerNorm   layernorm.Form `json:"layernorm"`     // after each hidden layer's product; NoLayerNorm for none
	Epsilon     float64        `json:"epsilon"`       // of LayerNorm
	UpperLayers int            `json:"upper_layers"`  // dense layers of the upper group, counted from the logits, from 1 to len(Hidden)
	Loss        loss.Named     `json:"loss,omitzero"` // none for the cross-entropy: a checkpoint may be older than the choice
}

// Check is an error if the architecture is not one that can be built: it may come from a file.
func (s Spec) Check() error {
	if len(s.Hidden) == 0 {
		return errors.New("architecture: expected one hidden layer or more, found none")
	}
	for _, n := range append([]int{s.Inputs, s.Classes}, s.Hidden...) {
		if n < 1 {
			return fmt.Errorf("architecture: expected layers of one unit or more, found %d", n)
		}
	}
	if s.UpperLayers < 1 || s.UpperLayers > len(s.Hidden) {
		return fmt.Errorf("architecture: expected from 1 to %d upper layers, found %d", len(s.Hidden), s.UpperLayers)
	}
	if !slices.Contains(layer.Activations(), s.Activation) {
		return fmt.Errorf("architecture: expected an activation of %v, found %.100q", layer.Activations(), s.Activation)
	}
	if !slices.Contains([]layernorm.Form{layernorm.Book, layernorm.Keras, NoLayerNorm}, s.LayerNorm) {
		return fmt.Errorf("architecture: expected a LayerNorm of form book, keras or none, found %.100q", s.LayerNorm)
	}
	if s.LayerNorm != NoLayerNorm && !(s.Epsilon > 0) {
		return fmt.Errorf("architecture: expected a positive epsilon, found %v", s.Epsilon)
	}
	return nil
}

// Layer is one dense layer of a model with what follows it.
type Layer struct {
	Name    string // the prefix of its parameters: lower.0, lower.1, ..., upper.0, ..., and upper for the last
	Group   string
	In, Out int
	Hidden  bool // followed by LayerNorm and the activation
}

// String is the layer as tables show it, such as 784→100.
func (l Layer) String() string { return fmt.Sprintf("%d→%d", l.In, l.Out) }

// Layers are the layers from the images up.
func (s Spec) Layers() []Layer {
	widths := append(append([]int{s.Inputs}, s.Hidden...), s.Classes)
	last := len(s.Hidden)
	firstUpper := last + 1 - s.UpperLayers
	layers := make([]Layer, last+1)
	for i := range layers {
		l := Layer{In: widths[i], Out: widths[i+1], Hidden: i < last}
		switch {
		case i < firstUpper:
			l.Group, l.Name = Lower, fmt.Sprintf("%s.%d", Lower, i)
		case l.Hidden:
			l.Group, l.Name = Upper, fmt.Sprintf("%s.%d", Upper, i-firstUpper)
		default:
			l.Group, l.Name = Upper, Upper
		}
		layers[i] = l
	}
	return layers
}

// loss is that of the graphs.
func (s Spec) loss() loss.Loss {
	if s.Loss.Loss == nil {
		return loss.Default().Loss
	}
	return s.Loss.Loss
}

// norms says whether LayerNorm follows the layer's product.
func (s Spec) norms(l Layer) bool { return l.Hidden && s.LayerNorm != NoLayerNorm }
