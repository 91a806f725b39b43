package model

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/team"
	"fmtrain/internal/vm"
)

// The machines that run a graph. They train to the same numbers.
const (
	StaticMachine = "static" // the compiled executor: fixed order, buffers made once, several processors
	TapeMachine   = "tape"   // Gorgonia's own: the same graph, every value allocated anew
	LispMachine   = "lisp"   // Gorgonia's other: the graph is built anew at each run and differentiated as it runs
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
		g.defineByRun()
	default:
		err = fmt.Errorf("model: expected a machine of %s, found %q", strings.Join(Machines(), ", "), name)
	}
	return err
}

// defineByRun has the graph built anew at each run. The parameters stay the same for the solvers, which know them by their
// values and names, and give the gradients of the last run.
func (g *Graph) defineByRun() {
	var parameters []*parameter
	for _, group := range g.Groups {
		for i, p := range group.Parameters {
			of := &parameter{name: p.(gorgonia.Namer).Name(), value: p.Value().(*tensor.Dense)}
			group.Parameters[i] = of
			parameters = append(parameters, of)
		}
	}
	g.machine = vm.NewLisp(func() (*gorgonia.ExprGraph, error) {
		b, err := g.rebuild()
		if err != nil {
			return nil, err
		}
		g.Loss = b.Loss
		for _, p := range parameters {
			for _, n := range b.parameters {
				if n.Name() == p.name {
					p.node = n
				}
			}
		}
		return b.graph, nil
	})
}

// parameter is a weight whose node is another at each run.
type parameter struct {
	name  string
	value *tensor.Dense
	node  *gorgonia.Node // of the last run
}

func (p *parameter) Name() string          { return p.name }
func (p *parameter) Value() gorgonia.Value { return p.value }

// Grad is the gradient of the last run.
func (p *parameter) Grad() (gorgonia.Value, error) {
	if p.node == nil {
		return nil, fmt.Errorf("model: %s: expected a run before its gradient is asked for", p.name)
	}
	return p.node.Grad()
}
