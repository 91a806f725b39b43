package model

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// The machines that run a graph. They give the same numbers.
const (
	StaticMachine = "static" // the compiled executor: fixed order, buffers allocated once, several processors
	TapeMachine   = "tape"   // Gorgonia's own: the same graph, every value allocated again at each run
	LispMachine   = "lisp"   // Gorgonia's other: the graph is built again at each run and differentiated while it runs
)

// Machines names the machines, the usual one first.
func Machines() []string { return []string{StaticMachine, TapeMachine, LispMachine} }

// machine is what runs a graph.
type machine interface {
	RunAll() error
	Values(visit func(*gorgonia.Node, gorgonia.Value) bool)
	UseTeam(*team.Team)
}

// Use chooses the machine that runs the graph from now on, one of [Machines]. A new graph uses the static one.
func (g *Graph) Use(name string) (err error) {
	switch name {
	case StaticMachine:
		g.machine, err = vm.NewStatic(g.outputs...)
	case TapeMachine:
		g.machine, err = vm.NewTape(g.outputs...)
	case LispMachine:
		g.machine = vm.NewLisp(g.defineByRun)
	default:
		err = fmt.Errorf("model: expected a machine of %s, found %q", strings.Join(Machines(), ", "), name)
	}
	for i, p := range g.parameters {
		p.node = g.nodes[i]
		if name == LispMachine {
			p.node = nil // each run makes another
		}
	}
	return err
}

// defineByRun builds the graph again, for a run that differentiates it while it runs. The parameters stay the same for the solvers.
func (g *Graph) defineByRun() (*gorgonia.ExprGraph, error) {
	b, err := g.rebuild()
	if err != nil {
		return nil, err
	}
	g.Loss = b.Loss
	for _, p := range g.parameters {
		p.node = b.nodeOf(p.Name())
	}
	return b.graph, nil
}
