// Package vm runs Gorgonia graphs. [Static] is a [gorgonia.VM] for graphs that are run many thousand times.
//
// Gorgonia's own tape machine allocates every value anew at each run, hands the work between two OS threads, and runs nodes
// that nothing asked for, such as the gradient of the training images. A Static sorts the nodes that its outputs need once,
// in a fixed order, and then does no more at each run than call their ops on their children's values. The ops are called as
// the tape machine calls them, so the results have the same bits.
//
// The buffers are made once: an op written for this project returns its own tensor each time, and one of Gorgonia's that can
// write to a given value (UsePreallocDoer) is given a value of its own, kept from run to run. A result is therefore valid
// until the next run.
//
// # Several processors
//
// Ops that can be computed in parts ([op.Parted]) are shared out over a [team.Team]. The nodes are put in levels. Within a
// level each member goes through the nodes by itself, doing its part of each, and between levels all wait for each other. A
// node is on the level of a child if its parts need just the same parts of it, as a row of a batch goes through the layers
// forward and back without looking at the others; otherwise it is on the level after. So a training step takes two levels:
// all that goes by the rows of the batch, and then the gradients of the parameters, which are sums over the rows. Other ops
// run whole, at the beginning of their level.
package vm

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// Static runs the part of a graph that its outputs need, in a fixed order. It is not safe for concurrent use.
type Static struct {
	team    *team.Team // nil: the caller alone
	steps   []step     // in the order of their levels, and within a level each after its children
	levels  []level
	outputs []int                  // of the steps, those whose values are bound to their nodes after each run
	index   map[*gorgonia.Node]int // where a node is in steps
}

// step is one node: where its children's values come from, and where its own goes.
type step struct {
	node     *gorgonia.Node
	op       gorgonia.Op // nil for an input
	parted   op.Parted   // nil for an op that runs whole
	prealloc gorgonia.UsePreallocDoer
	children []int
	args     []gorgonia.Value // the children's values, filled at each run
	buffer   gorgonia.Value   // what prealloc writes to
	value    gorgonia.Value
}

// level is the steps between two waits.
type level struct {
	steps  []step // a part of the machine's
	parted []op.Parted
}

var _ gorgonia.VM = (*Static)(nil)

// NewStatic makes a machine that computes the outputs, which are nodes of one graph. After each run an output node is bound
// to its value, so that [gorgonia.Node.Value], and Grad of the node it is the gradient of, give it to a solver.
func NewStatic(outputs ...*gorgonia.Node) (*Static, error) {
	if len(outputs) == 0 {
		return nil, errors.New("vm: expected one output or more, found none")
	}
	g := outputs[0].Graph()
	for _, n := range outputs {
		if n.Graph() != g {
			return nil, fmt.Errorf("vm: expected outputs of one graph, found %s in another", n.Name())
		}
	}
	// Sort puts the roots first; the machine starts from the leaves.
	sorted, err := gorgonia.Sort(g.ExactSubgraphRoots(outputs...))
	if err != nil {
		return nil, fmt.Errorf("vm: sorting the graph: %w", err)
	}
	slices.Reverse(sorted)
	m := &Static{index: make(map[*gorgonia.Node]int, len(sorted))}
	levels, ops := map[*gorgonia.Node]int{}, map[*gorgonia.Node]gorgonia.Op{}
	for _, n := range sorted {
		ops[n] = opOf(n)
		if levels[n], err = levelOf(n, ops, levels); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(sorted, func(a, b *gorgonia.Node) int { return levels[a] - levels[b] })
	for _, n := range sorted {
		m.add(n, ops[n])
	}
	for first, last := 0, 0; first < len(sorted); first = last {
		var l level
		for last < len(sorted) && levels[sorted[last]] == len(m.levels) {
			if parted := m.steps[last].parted; parted != nil {
				l.parted = append(l.parted, parted)
			}
			last++
		}
		l.steps = m.steps[first:last]
		m.levels = append(m.levels, l)
	}
	for _, n := range outputs {
		if n.Op() != nil {
			m.outputs = append(m.outputs, m.index[n])
		}
	}
	return m, nil
}

// opOf is the op that a node is run by. It is the node's own, but for the sum of two matrices: Gorgonia adds up the gradients of
// a value that is used twice by an op that runs whole, for which all would have to wait; ours has the same bits in parts.
func opOf(n *gorgonia.Node) gorgonia.Op {
	if n.Op() == nil || n.Dims() != 2 || n.Dtype() != tensor.Float32 || fmt.Sprint(n.Op()) != "+ false" {
		return n.Op()
	}
	for _, child := range Inputs(n) {
		if !slices.Equal(child.Shape(), n.Shape()) {
			return n.Op()
		}
	}
	return op.NewSum(n.Shape())
}

// levelOf is the level of a node, from those of its children.
func levelOf(n *gorgonia.Node, ops map[*gorgonia.Node]gorgonia.Op, levels map[*gorgonia.Node]int) (int, error) {
	parted, _ := ops[n].(op.Parted)
	level := 0
	for i, child := range Inputs(n) {
		l, ok := levels[child]
		if !ok {
			return 0, fmt.Errorf("vm: node %s runs before its child %s", n.Name(), child.Name())
		}
		if _, ok := ops[child].(op.Parted); ok && (parted == nil || !parted.Aligned(i)) {
			l++
		}
		level = max(level, l)
	}
	return level, nil
}

// Inputs are the nodes that a node's op takes, in their order.
func Inputs(n *gorgonia.Node) (nodes []*gorgonia.Node) {
	for it := n.Graph().From(n.ID()); it != nil && it.Next(); {
		nodes = append(nodes, it.Node().(*gorgonia.Node))
	}
	return nodes
}

// add appends the step of a node that is run by an op; its children have theirs.
func (m *Static) add(n *gorgonia.Node, by gorgonia.Op) {
	s := step{node: n, op: by}
	for _, child := range Inputs(n) {
		s.children = append(s.children, m.index[child])
	}
	s.args = make([]gorgonia.Value, len(s.children))
	s.parted, _ = s.op.(op.Parted)
	s.prealloc, _ = s.op.(gorgonia.UsePreallocDoer)
	m.index[n] = len(m.steps)
	m.steps = append(m.steps, s)
}

// UseTeam splits the work of later runs among the team. The result has the same bits for any number of members.
func (m *Static) UseTeam(t *team.Team) { m.team = t }

// RunAll runs every node once. The error of an op names its node.
func (m *Static) RunAll() error {
	for i := range m.levels {
		l := &m.levels[i]
		for j := range l.steps {
			s := &l.steps[j]
			if s.op == nil {
				if s.value = s.node.Value(); s.value == nil {
					return fmt.Errorf("vm: input %s has no value", s.node.Name())
				}
				continue
			}
			if err := m.prepare(s); err != nil {
				return fmt.Errorf("vm: node %s of shape %v: %w", s.node.Name(), s.node.Shape(), err)
			}
		}
		if len(l.parted) > 0 {
			m.team.Run(l)
		}
	}
	for _, i := range m.outputs {
		s := &m.steps[i]
		if s.node.Value() == s.value {
			continue
		}
		if err := gorgonia.UnsafeLet(s.node, s.value); err != nil {
			return fmt.Errorf("vm: output %s: %w", s.node.Name(), err)
		}
	}
	return nil
}

// Do does a part of each of the level's nodes that have parts.
func (l *level) Do(part, parts int) {
	for _, o := range l.parted {
		o.Part(part, parts)
	}
}

// prepare binds an op that is computed in parts, and runs any other.
func (m *Static) prepare(s *step) (err error) {
	for j, child := range s.children {
		s.args[j] = m.steps[child].value
	}
	if s.parted != nil {
		s.value, err = s.parted.Bind(s.args...)
		return err
	}
	return s.run()
}

// run calls the op on the arguments, into the step's own buffer where the op can.
func (s *step) run() (err error) {
	if s.prealloc == nil {
		s.value, err = s.op.Do(s.args...)
		return err
	}
	if s.buffer == nil {
		s.buffer = s.newBuffer()
	}
	if s.buffer != nil {
		if s.value, err = s.prealloc.UsePreallocDo(s.buffer, s.args...); err == nil {
			return nil
		}
	}
	s.value, err = s.op.Do(s.args...)
	return err
}

// newBuffer makes a value of the node's shape; of a scalar none, since Gorgonia's ops make those as they need them.
func (s *step) newBuffer() gorgonia.Value {
	if s.node.IsScalar() {
		return nil
	}
	return tensor.New(tensor.Of(s.node.Dtype()), tensor.WithShape(s.node.Shape()...))
}

// Values calls visit for each node in the order of the last run, with its value, until visit returns false.
func (m *Static) Values(visit func(*gorgonia.Node, gorgonia.Value) bool) {
	for i := range m.steps {
		if !visit(m.steps[i].node, m.steps[i].value) {
			return
		}
	}
}

// Reset does nothing: each run starts anew. It is there for [gorgonia.VM].
func (m *Static) Reset() {}

// Close does nothing: the machine holds nothing but memory. It is there for [gorgonia.VM].
func (m *Static) Close() error { return nil }
