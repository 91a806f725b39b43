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
	Groups []Group // of a training graph, in the order of the layers: lower, then upper

	// Draw is what a training graph's dropout draws its masks from: to be set before a run.
	Draw layer.Draw

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
	return NewPenalised(spec, Penalties{}, weights, batch, frozen...)
}

// NewPenalised is NewTraining with penalties: the gradients are those of the loss and of what the layers add to it. Loss, which is
// reported, is without them, so that it compares with the loss of other images and other runs.
func NewPenalised(spec Spec, p Penalties, weights Weights, batch int, frozen ...string) (*Graph, error) {
	b, err := build(spec, weights, batch, true)
	if err != nil {
		return nil, err
	}
	cost, err := b.penalise(p, frozen)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	forward := b.rebuild
	b.rebuild = func() (*builder, error) {
		next, err := forward()
		if err != nil {
			return nil, err
		}
		_, err = next.penalise(p, frozen)
		return next, err
	}
	var trained gorgonia.Nodes
	for _, name := range weights.Groups() {
		b.Groups = append(b.Groups, Group{Name: name})
	}
	for i, w := range weights {
		if slices.Contains(frozen, w.Group) {
			continue
		}
		g := &b.Groups[slices.IndexFunc(b.Groups, func(g Group) bool { return g.Name == w.Group })]
		g.Parameters = append(g.Parameters, b.parameters[i])
		trained = append(trained, b.parameters[i])
	}
	outputs := gorgonia.Nodes{cost}
	if len(trained) > 0 {
		gradients, err := gorgonia.Grad(cost, trained...)
		if err != nil {
			return nil, fmt.Errorf("model: differentiating the loss: %w", err)
		}
		outputs = append(outputs, gradients...)
	}
	return b.onStatic(outputs)
}

// NewInference makes the graph that computes the loss, and with it the predictions, over the same weights. It has no dropout.
func NewInference(spec Spec, weights Weights, batch int) (*Graph, error) {
	b, err := build(spec, weights, batch, false)
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

// UseTeam splits the work of later runs among the team. The result has the same bits for any number of members.
func (g *Graph) UseTeam(t *team.Team) { g.machine.UseTeam(t) }

// Run computes the graph for the current batch.
func (g *Graph) Run() error { return g.machine.RunAll() }

// builder is a graph in the making, with a node for each weight.
type builder struct {
	Graph
	graph      *gorgonia.ExprGraph
	parameters gorgonia.Nodes
	spec       Spec
	weights    Weights
	training   bool
	labels     *gorgonia.Node
	activated  gorgonia.Nodes // what the activations give
}

// build makes the forward part of a graph, from the images to the loss.
func build(spec Spec, weights Weights, batch int, training bool) (*builder, error) {
	images, labels := op.New(batch, spec.Inputs), tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(batch))
	b, err := buildOver(spec, weights, training, images, labels)
	if err != nil {
		return nil, err
	}
	b.rebuild = func() (*builder, error) {
		next, err := buildOver(spec, weights, training, images, labels)
		if err == nil {
			next.Draw = b.Draw
		}
		return next, err
	}
	return b, nil
}

// buildOver is build over images and labels that are there.
func buildOver(spec Spec, weights Weights, training bool, images, labels *tensor.Dense) (*builder, error) {
	b := &builder{graph: gorgonia.NewGraph(), spec: spec, weights: weights, training: training}
	b.Images, b.Labels = images.Float32s(), labels.Int32s()

	x, err := b.chain(gorgonia.NodeFromAny(b.graph, images, gorgonia.WithName("images")), spec.modules())
	if err != nil {
		return nil, err
	}
	b.labels = gorgonia.NodeFromAny(b.graph, labels, gorgonia.WithName("labels"))
	b.Loss, err = layer.NewBatchLoss(spec.loss(), x, b.labels)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	gorgonia.WithName("loss")(b.Loss.Node)
	return b, nil
}

// chain adds one layer after the other.
func (b *builder) chain(x *gorgonia.Node, modules []module) (*gorgonia.Node, error) {
	for _, m := range modules {
		if m.kind == dropout && (!b.training || m.rate == 0) {
			continue
		}
		var err error
		if x, err = b.layer(x, m); err != nil {
			return nil, err
		}
		gorgonia.WithName(m.name)(x)
	}
	return x, nil
}

// layer adds one layer. An error of the layer itself names it.
func (b *builder) layer(x *gorgonia.Node, m module) (y *gorgonia.Node, err error) {
	switch m.kind {
	case dense:
		y, err = layer.Dense(x, b.parameter(m.Name+".weight"), b.parameter(m.Name+".bias"))
	case norm:
		l := layernorm.Layer{
			Alpha:   b.parameter(m.name + ".alpha"),
			Beta:    b.parameter(m.name + ".beta"),
			Form:    b.spec.LayerNorm,
			Epsilon: b.spec.Epsilon,
		}
		y, err = l.Forward(x)
	case dropout:
		y, err = layer.Dropout(x, m.name, m.rate, &b.Draw)
	case residual:
		var fx *gorgonia.Node
		if fx, err = b.chain(x, m.branch); err != nil {
			return nil, err
		}
		y, err = layer.Residual(x, fx)
	default:
		y, err = layer.Activation(m.kind, x)
		b.activated = append(b.activated, y)
	}
	if err != nil {
		return nil, fmt.Errorf("model: layer %s: %w", m.name, err)
	}
	return y, nil
}

// penalise adds the penalties to the loss, if there are any.
func (b *builder) penalise(p Penalties, frozen []string) (*gorgonia.Node, error) {
	losses := gorgonia.Nodes{b.Loss.Node}
	for i, w := range b.weights {
		if p.L2 == 0 || w.Value.Dims() != 2 || slices.Contains(frozen, w.Group) {
			continue
		}
		term, err := layer.WeightPenalty(b.parameters[i], p.L2)
		if err != nil {
			return nil, err
		}
		gorgonia.WithName("penalty of " + b.parameters[i].Name())(term)
		losses = append(losses, term)
	}
	for _, y := range b.activated {
		if p.Activity == 0 {
			break
		}
		term, err := layer.ActivityPenalty(y, b.labels, p.Activity)
		if err != nil {
			return nil, err
		}
		gorgonia.WithName("penalty of " + y.Name())(term)
		losses = append(losses, term)
	}
	if len(losses) == 1 {
		return b.Loss.Node, nil
	}
	return layer.AddLosses(losses...)
}

// parameter adds a node over a weight's values: each graph has a tensor of its own over the shared slice.
func (b *builder) parameter(name string) *gorgonia.Node {
	w := b.weights.get(name)
	header := tensor.New(tensor.WithShape(w.Shape()...), tensor.WithBacking(w.Float32s()))
	n := gorgonia.NodeFromAny(b.graph, header, gorgonia.WithName(name))
	b.parameters = append(b.parameters, n)
	return n
}
