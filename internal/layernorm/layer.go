package layernorm

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/op"
)

// A Layer is a LayerNorm with its trainable α and β, float32 vectors as long as the last axis of its input.
type Layer struct {
	Alpha, Beta *gorgonia.Node
	Form        Form
	Epsilon     float64
}

// NewLayer makes α, all ones, and β, all zeros, in the graph g, named name.alpha and name.beta.
func NewLayer(g *gorgonia.ExprGraph, name string, features int, form Form, epsilon float64) (*Layer, error) {
	if features < 1 {
		return nil, fmt.Errorf("layernorm %s: expected one feature or more, found %d", name, features)
	}
	alpha := op.New(features)
	if err := alpha.Memset(float32(1)); err != nil {
		return nil, err
	}
	return &Layer{
		Alpha:   gorgonia.NodeFromAny(g, alpha, gorgonia.WithName(name+".alpha")),
		Beta:    gorgonia.NodeFromAny(g, op.New(features), gorgonia.WithName(name+".beta")),
		Form:    form,
		Epsilon: epsilon,
	}, nil
}

// Forward adds the layer to the graph of x.
func (l *Layer) Forward(x *gorgonia.Node) (*gorgonia.Node, error) {
	return Apply(x, l.Alpha, l.Beta, l.Form, l.Epsilon)
}
