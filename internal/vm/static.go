// Package vm runs Gorgonia graphs. [Static] is a [gorgonia.VM] for graphs that run many thousand times.
//
// Gorgonia's own tape machine allocates every value again in each run and passes the work between two OS threads. It also runs
// nodes that nothing needs, such as the gradient of the training images. A Static sorts the nodes that its outputs need once, in a
// fixed order. A run then only calls their ops on their children's values. It calls the ops as the tape machine does, so the results
// have the same bits.
//
// The buffers are allocated once. An op of package op returns its own tensor each time. One of Gorgonia's ops that can write to a given
// value (UsePreallocDoer) is given a value that is kept from run to run. So a result is valid until the next run.
//
// # Several processors
//
// A [team.Team] computes the ops that have parts ([op.Parallel]). The nodes are put in levels. Within a level, each member goes
// through the nodes by itself and does its part of each. Between levels, the members wait for each other. A node is on the level of
// its child if it reads the child row by row ([op.Parallel.RowLocal]); otherwise it is on the next level. A row of a batch goes
// through the layers, forward and back, without the other rows. So a training step has two levels with parts: first everything
// that is computed row by row, then the gradients of the parameters, which are sums over the rows. Other ops are not split, and run at the
// beginning of their level.
package vm

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// Static runs the part of a graph that its outputs need, in a fixed order. It is not safe for concurrent use.
type Static struct {
	team    *team.Team // nil: only the caller
	steps   []step     // in the order of their levels, and within a level each after its children
	levels  []level
	took    func(gorgonia.Op, time.Duration)
	outputs []int                  // the steps whose values are bound to their nodes after each run
	index   map[*gorgonia.Node]int // the step of each node
}

// step is one node: where its children's values come from, and where its own value goes.
type step struct {
	node     *gorgonia.Node
	op       gorgonia.Op // nil for an input
	parallel op.Parallel // nil for an op that can't be split
	prealloc gorgonia.UsePreallocDoer
	children []int
	args     []gorgonia.Value // the children's values, filled at each run
	buffer   gorgonia.Value   // what prealloc writes to
	value    gorgonia.Value
}

// level is the steps between two waits.
type level struct {
	steps    []step // a range of the machine's steps
	parallel []op.Parallel
}

var _ gorgonia.VM = (*Static)(nil)

// NewStatic makes a machine that computes the outputs, which are nodes of one graph. After each run, every output node is bound to
// its value. So a solver finds the value of a gradient by the Grad method of the node that was differentiated by.
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
			if o := m.steps[last].parallel; o != nil {
				l.parallel = append(l.parallel, o)
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

// sums are the hashes of the ops with which Gorgonia adds two float32 tensors, by their number of axes.
var sums sync.Map

// isSum says whether Gorgonia's own op adds two float32 tensors of two axes or more.
func isSum(n *gorgonia.Node) bool {
	axes := n.Dims()
	if n.Op() == nil || axes < 2 {
		return false
	}
	hash, ok := sums.Load(axes)
	if !ok {
		g := gorgonia.NewGraph()
		ones := slices.Repeat([]int{1}, axes)
		a := gorgonia.NewTensor(g, tensor.Float32, axes, gorgonia.WithShape(ones...), gorgonia.WithName("a"))
		b := gorgonia.NewTensor(g, tensor.Float32, axes, gorgonia.WithShape(ones...), gorgonia.WithName("b"))
		hash, _ = sums.LoadOrStore(axes, gorgonia.Must(gorgonia.Add(a, b)).Op().Hashcode())
	}
	return n.Op().Hashcode() == hash.(uint32)
}

// opOf is the op that runs a node. This is the node's own op, except for the sum of two tensors, such as matrices. Gorgonia adds such a
// node where a value is used twice, to add up its gradients. Its own op can't be split, so all members would have to wait. Ours has
// parts and gives the same bits.
func opOf(n *gorgonia.Node) gorgonia.Op {
	if !isSum(n) {
		return n.Op()
	}
	return op.NewSum(n.Shape())
}

// parallel is an op as one with parts, or nil if it has none.
func parallel(by gorgonia.Op) op.Parallel {
	if o, ok := by.(op.Parallel); ok && !o.Serial() {
		return o
	}
	return nil
}

// levelOf is the level of a node, from the levels of its children.
func levelOf(n *gorgonia.Node, ops map[*gorgonia.Node]gorgonia.Op, levels map[*gorgonia.Node]int) (int, error) {
	parts := parallel(ops[n])
	level := 0
	for i, child := range Inputs(n) {
		l, ok := levels[child]
		if !ok {
			return 0, fmt.Errorf("vm: node %s runs before its child %s", n.Name(), child.Name())
		}
		if by := parallel(ops[child]); by != nil && (parts == nil || !parts.RowLocal(i) || by.Scattered()) {
			l++
		}
		level = max(level, l)
	}
	return level, nil
}

// Inputs are the inputs of a node's op, in their order.
func Inputs(n *gorgonia.Node) (nodes []*gorgonia.Node) {
	for it := n.Graph().From(n.ID()); it != nil && it.Next(); {
		nodes = append(nodes, it.Node().(*gorgonia.Node))
	}
	return nodes
}

// add appends the step that runs an op for a node. The steps of its children are there already.
func (m *Static) add(n *gorgonia.Node, by gorgonia.Op) {
	s := step{node: n, op: by}
	for _, child := range Inputs(n) {
		s.children = append(s.children, m.index[child])
	}
	s.args = make([]gorgonia.Value, len(s.children))
	s.parallel = parallel(by)
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
		switch {
		case len(l.parallel) == 0:
		case m.took != nil:
			m.watched(l)
		default:
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

// Do does one part of each of the level's nodes that have parts.
func (l *level) Do(part, parts int) {
	for _, o := range l.parallel {
		o.Part(part, parts)
	}
}

// prepare binds an op that has parts, and runs any other op.
func (m *Static) prepare(s *step) (err error) {
	for j, child := range s.children {
		s.args[j] = m.steps[child].value
	}
	if s.parallel != nil {
		s.value, err = s.parallel.Bind(s.args...)
		return err
	}
	began := m.now()
	err = s.run()
	m.report(s.op, began)
	return err
}

// Watch calls took after each op of later runs, with the time that it has taken. Then the caller alone runs the ops, so that a time is
// of one op. A took of nil ends it.
func (m *Static) Watch(took func(op gorgonia.Op, t time.Duration)) { m.took = took }

// watched runs the level's nodes that have parts, one after the other.
func (m *Static) watched(l *level) {
	for _, o := range l.parallel {
		began := m.now()
		o.Part(0, 1)
		m.report(o, began)
	}
}

// now is the time, if someone watches.
func (m *Static) now() (t time.Time) {
	if m.took != nil {
		t = time.Now()
	}
	return t
}

// report tells the watcher how long an op took.
func (m *Static) report(by gorgonia.Op, began time.Time) {
	if m.took != nil {
		m.took(by, time.Since(began))
	}
}

// run calls the op on the arguments. The op writes to the step's buffer if it can.
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

// newBuffer makes a value of the node's shape. A scalar has none, because Gorgonia's ops make their own.
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

// Reset does nothing: each run starts from the beginning. It implements [gorgonia.VM].
func (m *Static) Reset() {}

// Close does nothing: the machine holds nothing but memory. It implements [gorgonia.VM].
func (m *Static) Close() error { return nil }
