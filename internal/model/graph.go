package model

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// Graph is a model's graph for batches of one size. Fill Images and Labels, Run, then read Loss and, of a training graph, the
// gradients of the Groups.
type Graph struct {
	Images []float32 // the batch, [batch, inputs]
	Labels []int32   // its labels, [batch], layer.Ignored where a row is not used
	Loss   *layer.BatchLoss
	Groups []Group // of a training graph: lower, then upper

	machine machine
	outputs gorgonia.Nodes // the loss, and the gradients of a training graph
	rebuild func() (*builder, error)
}

// Group is the parameters that one solver trains.
type Group struct {
	Name       string
	Parameters []gorgonia.ValueGrad // each also a gorgonia.Namer
}

// NewTraining makes the graph that computes the loss and its gradients. The weights are shared, not copied: what a solver
// does to a parameter is done to them. Of a frozen group no gradient is computed, nor what only its gradients need; it is
// among the Groups, without parameters.
func NewTraining(spec Spec, weights Weights, batch int, frozen ...string) (*Graph, error) {
	b, err := build(spec, weights, batch)
	if err != nil {
		return nil, err
	}
	var trained gorgonia.Nodes
	for i, w := range weights {
		if i == 0 || weights[i-1].Group != w.Group {
			b.Groups = append(b.Groups, Group{Name: w.Group})
		}
		if slices.Contains(frozen, w.Group) {
			continue
		}
		g := &b.Groups[len(b.Groups)-1]
		g.Parameters = append(g.Parameters, b.parameters[i])
		trained = append(trained, b.parameters[i])
	}
	outputs := gorgonia.Nodes{b.Loss.Node}
	if len(trained) > 0 {
		gradients, err := gorgonia.Grad(b.Loss.Node, trained...)
		if err != nil {
			return nil, fmt.Errorf("model: differentiating the loss: %w", err)
		}
		outputs = append(outputs, gradients...)
	}
	return b.onStatic(outputs)
}

// NewInference makes the graph that computes the loss, and with it the predictions, over the same weights.
func NewInference(spec Spec, weights Weights, batch int) (*Graph, error) {
	b, err := build(spec, weights, batch)
	if err != nil {
		return nil, err
	}
	return b.onStatic(gorgonia.Nodes{b.Loss.Node})
}

// onStatic is the graph with a machine that computes the outputs.
func (b *builder) onStatic(outputs gorgonia.Nodes) (*Graph, error) {
	m, err := vm.NewStatic(outputs...)
	b.outputs, b.machine = outputs, m
	return &b.Graph, err
}

// Share lets the runs from now on be shared out over the team. A run by any number of members gives the same bits.
func (g *Graph) Share(t *team.Team) { g.machine.Share(t) }

// Run computes the graph for the current batch.
func (g *Graph) Run() error { return g.machine.RunAll() }

// builder is a graph in the making, with a node for each weight.
type builder struct {
	Graph
	graph      *gorgonia.ExprGraph
	parameters gorgonia.Nodes
}

// build makes the forward part of a graph, from the images to the loss.
func build(spec Spec, weights Weights, batch int) (*builder, error) {
	images, labels := op.New(batch, spec.Inputs), tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(batch))
	b, err := buildOver(spec, weights, images, labels)
	if err != nil {
		return nil, err
	}
	b.rebuild = func() (*builder, error) { return buildOver(spec, weights, images, labels) }
	return b, nil
}

// buildOver is build over images and labels that are there.
func buildOver(spec Spec, weights Weights, images, labels *tensor.Dense) (*builder, error) {
	b := &builder{graph: gorgonia.NewGraph()}
	b.Images, b.Labels = images.Float32s(), labels.Int32s()

	x := gorgonia.NodeFromAny(b.graph, images, gorgonia.WithName("images"))
	for _, l := range spec.Layers() {
		var err error
		if x, err = b.layer(x, spec, l, weights); err != nil {
			return nil, fmt.Errorf("model: layer %s: %w", l.Name, err)
		}
	}
	var err error
	b.Loss, err = layer.NewBatchLoss(spec.loss(), x, gorgonia.NodeFromAny(b.graph, labels, gorgonia.WithName("labels")))
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	gorgonia.WithName("loss")(b.Loss.Node)
	return b, nil
}

// layer adds one layer: dense, then LayerNorm and the activation if it is hidden.
func (b *builder) layer(x *gorgonia.Node, spec Spec, l Layer, weights Weights) (*gorgonia.Node, error) {
	x, err := layer.Dense(x, b.parameter(l.Name+".weight", weights), b.parameter(l.Name+".bias", weights))
	if err != nil || !l.Hidden {
		return named(x, l.Name+".dense"), err
	}
	named(x, l.Name+".dense")
	if spec.norms(l) {
		norm := layernorm.Layer{
			Alpha:   b.parameter(l.Name+".norm.alpha", weights),
			Beta:    b.parameter(l.Name+".norm.beta", weights),
			Form:    spec.LayerNorm,
			Epsilon: spec.Epsilon,
		}
		if x, err = norm.Forward(x); err != nil {
			return nil, err
		}
		named(x, l.Name+".norm")
	}
	x, err = layer.Activation(spec.Activation, x)
	return named(x, l.Name+"."+spec.Activation), err
}

// parameter adds a node over a weight's values: each graph has a tensor of its own over the shared slice.
func (b *builder) parameter(name string, weights Weights) *gorgonia.Node {
	w := weights.get(name)
	header := tensor.New(tensor.WithShape(w.Shape()...), tensor.WithBacking(w.Float32s()))
	n := gorgonia.NodeFromAny(b.graph, header, gorgonia.WithName(name))
	b.parameters = append(b.parameters, n)
	return n
}

func named(n *gorgonia.Node, name string) *gorgonia.Node {
	if n != nil {
		gorgonia.WithName(name)(n)
	}
	return n
}
