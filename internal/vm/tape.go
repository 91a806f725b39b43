package vm

import (
	"errors"
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/team"
)

// Tape runs the whole graph of its outputs on Gorgonia's tape machine, which compiles the graph once and allocates every value again
// in each run. After a run, each node is bound to a copy of its value. That is slow, but lets one look at every value.
type Tape struct {
	machine gorgonia.VM
	nodes   gorgonia.Nodes // children first
}

// NewTape makes a tape machine for the graph that the outputs are in.
func NewTape(outputs ...*gorgonia.Node) (*Tape, error) {
	if len(outputs) == 0 {
		return nil, errors.New("vm: expected one output or more, found none")
	}
	g := outputs[0].Graph()
	nodes, err := gorgonia.Sort(g)
	if err != nil {
		return nil, fmt.Errorf("vm: sorting the graph: %w", err)
	}
	slices.Reverse(nodes)
	return &Tape{machine: gorgonia.NewTapeMachine(g, gorgonia.TraceExec()), nodes: nodes}, nil
}

// RunAll runs every node once.
func (t *Tape) RunAll() error {
	t.machine.Reset()
	return t.machine.RunAll()
}

// Values calls visit for each node that the last run has bound to a value, children first, until visit returns false.
func (t *Tape) Values(visit func(*gorgonia.Node, gorgonia.Value) bool) { visitBound(t.nodes, visit) }

// visitBound visits the nodes that have a value.
func visitBound(nodes gorgonia.Nodes, visit func(*gorgonia.Node, gorgonia.Value) bool) {
	for _, n := range nodes {
		if v := n.Value(); v != nil && !visit(n, v) {
			return
		}
	}
}

// UseTeam does nothing: the tape machine runs only on the caller.
func (t *Tape) UseTeam(*team.Team) {}
