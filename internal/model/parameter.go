package model

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
)

// Parameter is a weight in a training graph, as a solver sees it: with its gradient. It is a [gorgonia.ValueGrad] and a
// [gorgonia.Namer].
type Parameter struct {
	weight Weight
	node   *gorgonia.Node // of the graph that ran last; nil before the first run of a graph that is built at each run
}

// Name is the weight's name, such as lower.0.weight.
func (p *Parameter) Name() string { return p.weight.Name }

// Role is what the parameter does in its layer.
func (p *Parameter) Role() layer.Role { return p.weight.Role }

// Decays says whether weight decay shrinks it.
func (p *Parameter) Decays() bool { return p.weight.Role.Decays() }

// Value is the weight's own tensor.
func (p *Parameter) Value() gorgonia.Value { return p.weight.Value }

// Tensor is the same, typed.
func (p *Parameter) Tensor() *tensor.Dense { return p.weight.Value }

// Grad is the gradient of the last run.
func (p *Parameter) Grad() (gorgonia.Value, error) {
	if p.node == nil {
		return nil, fmt.Errorf("model: %s: expected a run before its gradient is asked for", p.Name())
	}
	return p.node.Grad()
}
