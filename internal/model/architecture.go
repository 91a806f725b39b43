package model

import (
	"encoding/json"
	"fmt"
	"slices"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
)

// Architecture describes a model: its layers, and the loss that it is trained by.
type Architecture struct {
	Inputs      int          // values of an image
	Classes     int          // logits of an image
	Items       []layer.Item // from input to output; the last is the dense layer of the classes
	Norm        layer.Norm   // what ln stands for in the text of the layers; the zero value for none
	UpperLayers int          // numbered layers of the group upper, counted from the logits, unless Items name groups
	Loss        loss.Named   // none for the cross-entropy
}

// NoLayerNorm is the form of a model without LayerNorm, in texts.
const NoLayerNorm layernorm.Form = "none"

// Text is the layers as --layers reads them.
func (a Architecture) Text() string { return layer.Text(a.Items, a.Inputs) }

// stored is an architecture as a checkpoint has it. Checkpoints of earlier versions have Hidden and Activation instead of
// Layers, and may have no Loss.
type stored struct {
	Inputs      int            `json:"inputs"`
	Layers      string         `json:"layers,omitempty"`
	Hidden      []int          `json:"hidden,omitempty"`
	Classes     int            `json:"classes"`
	Activation  string         `json:"activation,omitempty"`
	LayerNorm   layernorm.Form `json:"layernorm"`
	Epsilon     float64        `json:"epsilon"`
	UpperLayers int            `json:"upper_layers"`
	Loss        loss.Named     `json:"loss,omitzero"`
}

// MarshalJSON writes the architecture as a checkpoint has it.
func (a Architecture) MarshalJSON() ([]byte, error) {
	s := stored{
		Inputs: a.Inputs, Layers: a.Text(), Classes: a.Classes,
		LayerNorm: a.Norm.Form, Epsilon: a.Norm.Epsilon, UpperLayers: a.UpperLayers, Loss: a.Loss,
	}
	if a.Norm == (layer.Norm{}) {
		s.LayerNorm = NoLayerNorm
	}
	return json.Marshal(s)
}

// UnmarshalJSON reads an architecture from a checkpoint, of earlier versions too.
func (a *Architecture) UnmarshalJSON(text []byte) error {
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	*a = Architecture{Inputs: s.Inputs, Classes: s.Classes, UpperLayers: s.UpperLayers, Loss: s.Loss}
	if s.LayerNorm != NoLayerNorm {
		a.Norm = layer.Norm{Form: s.LayerNorm, Epsilon: s.Epsilon}
		if err := a.Norm.Check(); err != nil {
			return fmt.Errorf("architecture: %w, found %.100q and %v", err, s.LayerNorm, s.Epsilon)
		}
	}
	var err error
	if s.Layers != "" {
		a.Items, err = layer.Parse(s.Layers, layer.Options{Inputs: s.Inputs, Classes: s.Classes, Norm: a.Norm})
	} else {
		a.Items, err = MLP(Hidden{Units: s.Hidden, Activation: s.Activation, Norm: a.Norm}, s.Classes)
	}
	if err != nil {
		return fmt.Errorf("architecture: %w", err)
	}
	return nil
}

// Hidden is what the hidden layers of a network have in common.
type Hidden struct {
	Units      []int      // of each hidden layer, from input to output
	Activation string     // after each of them
	Norm       layer.Norm // before the activation; the zero value for none
	Dropout    float64    // after the activation; 0 for none
}

// MLP is the layers of a multilayer perceptron: hidden dense layers, each followed by LayerNorm, the activation and dropout, and the
// dense layer of the classes.
func MLP(h Hidden, classes int) ([]layer.Item, error) {
	after, err := h.after()
	if err != nil {
		return nil, err
	}
	var items []layer.Item
	for _, units := range h.Units {
		items = append(append(items, layer.Item{Layer: layer.Dense{Units: units}}), after...)
	}
	return append(items, layer.Item{Layer: layer.Dense{Units: classes}}), nil
}

// ResMLP is the layers of a residual network whose hidden layers all have one width: a dense layer, a residual block for each
// further hidden layer, and the dense layer of the classes, with LayerNorm, the activation and dropout before each dense layer but
// the first (He et al., "Identity Mappings in Deep Residual Networks", 2016).
func ResMLP(h Hidden, classes int) ([]layer.Item, error) {
	before, err := h.after()
	if err != nil {
		return nil, err
	}
	if slices.Max(h.Units) != slices.Min(h.Units) {
		return nil, fmt.Errorf("a residual block adds its input to its output; expected one width for all hidden layers, found %v", h.Units)
	}
	items := []layer.Item{{Layer: layer.Dense{Units: h.Units[0]}}}
	for _, units := range h.Units[1:] {
		block := append(slices.Clone(before), layer.Item{Layer: layer.Dense{Units: units}})
		items = append(items, layer.Item{Layer: layer.Residual{Items: block}})
	}
	return append(append(items, before...), layer.Item{Layer: layer.Dense{Units: classes}}), nil
}

// CNN is the layers of a convolutional network: for each width of channels a convolution of 3 x 3, LayerNorm, the activation, a pool of
// the largest values of 2 x 2 and dropout, then the layers of [MLP].
func CNN(channels []int, h Hidden, classes int) ([]layer.Item, error) {
	if err := checkWidths("convolutions", "channels", channels); err != nil {
		return nil, err
	}
	dense, err := MLP(h, classes)
	if err != nil {
		return nil, err
	}
	after, _ := h.after() // MLP has checked it
	pool := len(after)
	if h.Dropout > 0 {
		pool--
	}
	after = slices.Insert(after, pool, layer.Item{Layer: layer.Pool{Size: 2}})
	var items []layer.Item
	for _, n := range channels {
		items = append(append(items, layer.Item{Layer: layer.Conv{Channels: n, Size: 3, Stride: 1}}), after...)
	}
	return append(items, dense...), nil
}

// checkWidths is an error unless there are widths, not too many, and each is in range.
func checkWidths(layers, unit string, widths []int) error {
	if n := len(widths); n == 0 || n > layer.MaxLayers/4 || slices.Min(widths) < 1 || slices.Max(widths) > layer.MaxUnits {
		return fmt.Errorf("expected from 1 to %d %s of 1 to %d %s, found %d layers, the first %v",
			layer.MaxLayers/4, layers, layer.MaxUnits, unit, n, widths[:min(n, 10)])
	}
	return nil
}

// after is the layers between two dense ones.
func (h Hidden) after() (items []layer.Item, err error) {
	if err := checkWidths("hidden layers", "units", h.Units); err != nil {
		return nil, err
	}
	if h.Norm != (layer.Norm{}) {
		items = append(items, layer.Item{Layer: h.Norm})
	}
	activation, err := layer.FindActivation(h.Activation)
	if err != nil {
		return nil, err
	}
	items = append(items, layer.Item{Layer: activation})
	if h.Dropout > 0 {
		items = append(items, layer.Item{Layer: layer.Dropout{Rate: h.Dropout}})
	}
	return items, nil
}
