package vm

import (
	"fmt"
	"slices"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/team"
)

// Lisp builds a new graph in each run, and runs it forward and backward on Gorgonia's LispMachine. That machine differentiates while it
// computes the values, and needs no nodes for gradients. This is define-by-run: each run may have a different graph, and each run
// pays for building it.
type Lisp struct {
	build func() (*gorgonia.ExprGraph, error)
	nodes gorgonia.Nodes // of the last run, children first
}

// NewLisp makes a machine that runs what build returns, the loss being the graph's only root.
func NewLisp(build func() (*gorgonia.ExprGraph, error)) *Lisp { return &Lisp{build: build} }

// RunAll builds the graph and runs it.
func (l *Lisp) RunAll() error {
	g, err := l.build()
	if err != nil {
		return err
	}
	if l.nodes, err = gorgonia.Sort(g); err != nil {
		return fmt.Errorf("vm: sorting the graph: %w", err)
	}
	slices.Reverse(l.nodes)
	machine := gorgonia.NewLispMachine(g)
	defer machine.Close()
	return machine.RunAll()
}

// Values calls visit for each node that the last run has bound to a value, children first, until visit returns false.
func (l *Lisp) Values(visit func(*gorgonia.Node, gorgonia.Value) bool) { visitBound(l.nodes, visit) }

// UseTeam does nothing: the LispMachine runs only on the caller.
func (l *Lisp) UseTeam(*team.Team) {}
