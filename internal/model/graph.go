package model

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/layer"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// Graph is a model's graph for batches of one size. Fill Images and Labels, Run, then read Loss and, of a training graph, the
// gradients of the Groups.
type Graph struct {
	Images []float32 // the batch, [batch, inputs], of maps row by row
	Labels []int32   // its labels, [batch], layer.Ignored where a row is not used
	Loss   *layer.BatchLoss
	Groups []Group // of a training graph, in the order of the layers

	// Draw is what a training graph's dropout draws its masks from. It is set before a run.
	Draw layer.Draw

	machine    machine
	outputs    gorgonia.Nodes // the loss, and the gradients of a training graph
	parameters []*Parameter   // those of the Groups
	nodes      gorgonia.Nodes // of the parameters, in the graph that outputs belong to
	groups     map[string]string
	rebuild    func() (*builder, error)
}

// Group is the parameters that one solver trains.
type Group struct {
	Name       string
	Parameters []*Parameter

	valueGrads []gorgonia.ValueGrad
}

// ValueGrads are the parameters as a solver takes them, the same slice at each call.
func (g *Group) ValueGrads() []gorgonia.ValueGrad { return g.valueGrads }

// Training is what a training graph computes besides the model's loss.
type Training struct {
	L2       float64  // times the sum of the squares of each weight that is not frozen: added to the loss
	Activity float64  // times the sum of the squares of each activation's outputs, over the batch's samples: added to the loss
	Frozen   []string // groups that are not trained
}

// NewTraining makes the graph that computes the loss and its gradients, for batches of one size. The weights are shared, not
// copied, so the graph sees a solver's changes. The gradients include the penalties. [Graph.Loss], which is reported, does not, so that
// it can be compared with the loss of other images and runs. The graph does not compute the gradients of a frozen group, nor values that
// only those need. A frozen group is among the Groups, without parameters.
func (m *Model) NewTraining(weights Weights, batch int, t Training) (*Graph, error) {
	b, err := m.build(weights, batch, true)
	if err != nil {
		return nil, err
	}
	cost, err := b.penalise(t)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	forward := b.rebuild
	b.rebuild = func() (*builder, error) {
		next, err := forward()
		if err != nil {
			return nil, err
		}
		_, err = next.penalise(t)
		return next, err
	}
	for _, name := range weights.Groups() {
		b.Groups = append(b.Groups, Group{Name: name})
	}
	for _, w := range weights {
		if slices.Contains(t.Frozen, w.Group) {
			continue
		}
		g := &b.Groups[slices.IndexFunc(b.Groups, func(g Group) bool { return g.Name == w.Group })]
		p := &Parameter{weight: w, node: b.nodeOf(w.Name)}
		g.Parameters, g.valueGrads = append(g.Parameters, p), append(g.valueGrads, p)
		b.parameters, b.nodes = append(b.parameters, p), append(b.nodes, p.node)
	}
	outputs := gorgonia.Nodes{cost}
	if len(b.nodes) > 0 {
		gradients, err := gorgonia.Grad(cost, b.nodes...)
		if err != nil {
			return nil, fmt.Errorf("model: differentiating the loss: %w", err)
		}
		outputs = append(outputs, gradients...)
	}
	return b.onStatic(outputs)
}

// NewInference makes the graph that computes the loss, and with it the predictions, over the same weights. It has no dropout.
func (m *Model) NewInference(weights Weights, batch int) (*Graph, error) {
	b, err := m.build(weights, batch, false)
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

// Watch calls took after each op of later runs, with its name and the time that it has taken, if the static machine runs the graph. A
// took of nil ends it.
func (g *Graph) Watch(took func(op string, t time.Duration)) {
	m, ok := g.machine.(*vm.Static)
	switch {
	case !ok:
	case took == nil:
		m.Watch(nil)
	default:
		m.Watch(func(op gorgonia.Op, t time.Duration) { took(op.String(), t) })
	}
}

// Run computes the graph for the current batch.
func (g *Graph) Run() error { return g.machine.RunAll() }

// Finite says whether these gradients, which are those of the last run, have no NaN and no infinity. The static machine has looked for
// them while it ran, when they were in the cache.
func (g *Graph) Finite(gradients [][]float32) bool {
	if m, ok := g.machine.(*vm.Static); ok {
		return m.Finite()
	}
	return !slices.ContainsFunc(gradients, func(g []float32) bool { return !kernel.AllFinite(g) })
}

// builder is a graph in the making, with a node for each weight.
type builder struct {
	Graph
	graph     *gorgonia.ExprGraph
	weights   Weights
	inputs    gorgonia.Nodes // of the weights, in their order
	training  bool
	labels    *gorgonia.Node
	activated gorgonia.Nodes    // outputs of the activations
	numbered  map[string]string // groups of the numbered layers' weights
}

// build makes the forward part of a graph, from the images to the loss.
func (m *Model) build(weights Weights, batch int, training bool) (*builder, error) {
	images, labels := op.New(append([]int{batch}, m.layers[0].In...)...), tensor.New(tensor.Of(tensor.Int32), tensor.WithShape(batch))
	b, err := m.buildOver(weights, training, images, labels)
	if err != nil {
		return nil, err
	}
	b.rebuild = func() (*builder, error) {
		next, err := m.buildOver(weights, training, images, labels)
		if err == nil {
			next.Draw = b.Draw
		}
		return next, err
	}
	return b, nil
}

// buildOver is build over existing images and labels.
func (m *Model) buildOver(weights Weights, training bool, images, labels *tensor.Dense) (*builder, error) {
	b := &builder{graph: gorgonia.NewGraph(), weights: weights, training: training}
	b.groups, b.numbered = map[string]string{}, map[string]string{}
	b.Images, b.Labels = images.Float32s(), labels.Int32s()
	x, err := b.chain(gorgonia.NodeFromAny(b.graph, images, gorgonia.WithName("images")), m.layers)
	if err != nil {
		return nil, err
	}
	b.labels = gorgonia.NodeFromAny(b.graph, labels, gorgonia.WithName("labels"))
	b.Loss, err = layer.NewBatchLoss(m.Loss.OrDefault(), x, b.labels)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	gorgonia.WithName("loss")(b.Loss.Node)
	return b, nil
}

// chain adds one layer after the other.
func (b *builder) chain(x *gorgonia.Node, layers []Placed) (*gorgonia.Node, error) {
	for _, l := range layers {
		c := &layer.Context{
			Name:     l.Name,
			Training: b.training,
			Draw:     &b.Draw,
			Branch:   func(x *gorgonia.Node) (*gorgonia.Node, error) { return b.chain(x, l.Within) },
		}
		for _, p := range l.Parameters {
			c.Parameters = append(c.Parameters, b.input(p.Name))
		}
		y, err := l.Apply(x, c)
		if err != nil {
			return nil, fmt.Errorf("model: layer %s: %w", l.Name, err)
		}
		if _, ok := l.Layer.(*layer.Activation); ok {
			b.activated = append(b.activated, y)
		}
		if y != x { // a layer may do nothing, as dropout in evaluation
			gorgonia.WithName(l.Name)(y)
			b.groups[l.Name] = b.groupOf(l)
		}
		x = y
	}
	return x, nil
}

// groupOf is the group of a layer's first parameter. For a layer without parameters it is the group of the numbered layer before it.
func (b *builder) groupOf(l Placed) string {
	if len(l.Parameters) == 0 {
		return cmp.Or(b.numbered[l.Before], l.Group)
	}
	first := b.weights.get(l.Parameters[0].Name)
	if first.Role == layer.Weight {
		b.numbered[l.Before] = first.Group
	}
	return first.Group
}

// penalise adds the penalties to the loss, if there are any.
func (b *builder) penalise(t Training) (*gorgonia.Node, error) {
	losses := gorgonia.Nodes{b.Loss.Node}
	for i, w := range b.weights {
		if t.L2 == 0 || w.Role != layer.Weight || slices.Contains(t.Frozen, w.Group) {
			continue
		}
		term, err := layer.WeightPenalty(b.inputs[i], t.L2)
		if err != nil {
			return nil, err
		}
		gorgonia.WithName("penalty of " + w.Name)(term)
		losses = append(losses, term)
	}
	for _, y := range b.activated {
		if t.Activity == 0 {
			break
		}
		term, err := layer.ActivityPenalty(y, b.labels, t.Activity)
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

// input adds a node over a weight's values: each graph has its own tensor over the shared slice.
func (b *builder) input(name string) *gorgonia.Node {
	w := b.weights.get(name)
	header := tensor.New(tensor.WithShape(w.Value.Shape()...), tensor.WithBacking(w.Value.Float32s()))
	n := gorgonia.NodeFromAny(b.graph, header, gorgonia.WithName(name))
	b.inputs = append(b.inputs, n)
	b.groups[name] = w.Group
	return n
}

// nodeOf is the node of the weight of that name.
func (b *builder) nodeOf(name string) *gorgonia.Node {
	return b.inputs[slices.IndexFunc(b.inputs, func(n *gorgonia.Node) bool { return n.Name() == name })]
}
