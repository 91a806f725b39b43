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
package vm

import (
	"errors"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Static runs the part of a graph that its outputs need, in a fixed order. It is not safe for concurrent use.
type Static struct {
	steps   []step
	outputs []int                  // of the steps, those whose values are bound to their nodes after each run
	index   map[*gorgonia.Node]int // where a node is in steps
}

// step is one node: where its children's values come from, and where its own goes.
type step struct {
	node     *gorgonia.Node
	op       gorgonia.Op // nil for an input
	prealloc gorgonia.UsePreallocDoer
	children []int
	args     []gorgonia.Value // the children's values, filled at each run
	buffer   gorgonia.Value   // what prealloc writes to
	value    gorgonia.Value
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
	m := &Static{index: make(map[*gorgonia.Node]int, len(sorted))}
	for i := len(sorted) - 1; i >= 0; i-- {
		n := sorted[i]
		s := step{node: n, op: n.Op()}
		for children := g.From(n.ID()); children != nil && children.Next(); {
			at, ok := m.index[children.Node().(*gorgonia.Node)]
			if !ok {
				return nil, fmt.Errorf("vm: node %s runs before its child %s", n.Name(), children.Node().(*gorgonia.Node).Name())
			}
			s.children = append(s.children, at)
		}
		s.args = make([]gorgonia.Value, len(s.children))
		s.prealloc, _ = s.op.(gorgonia.UsePreallocDoer)
		m.index[n] = len(m.steps)
		m.steps = append(m.steps, s)
	}
	for _, n := range outputs {
		if n.Op() != nil {
			m.outputs = append(m.outputs, m.index[n])
		}
	}
	return m, nil
}

// RunAll runs every node once. The error of an op names its node.
func (m *Static) RunAll() error {
	for i := range m.steps {
		s := &m.steps[i]
		if s.op == nil {
			if s.value = s.node.Value(); s.value == nil {
				return fmt.Errorf("vm: input %s has no value", s.node.Name())
			}
			continue
		}
		for j, child := range s.children {
			s.args[j] = m.steps[child].value
		}
		if err := s.run(); err != nil {
			return fmt.Errorf("vm: node %s of shape %v: %w", s.node.Name(), s.node.Shape(), err)
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

// Len is the number of nodes that a run visits.
func (m *Static) Len() int { return len(m.steps) }

// Reset does nothing: each run starts anew. It is there for [gorgonia.VM].
func (m *Static) Reset() {}

// Close does nothing: the machine holds nothing but memory. It is there for [gorgonia.VM].
func (m *Static) Close() error { return nil }
