package model

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
	"fmtrain/internal/vm"
)

// Node is a node of a graph as its last run left it.
type Node struct {
	Name     string // such as "lower.0.dense", or "gradient of lower.0.weight"
	Op       string // "input" for what no op computes
	Shape    tensor.Shape
	Group    string    // empty where it belongs to none
	Backward bool      // it is part of the backward pass
	Values   []float32 // nil unless they are float32; the graph's own
	Inputs   []string  // the names of the nodes that the op takes
}

// Nodes are the nodes of the last run, each after its inputs.
func (g *Graph) Nodes() (nodes []Node) {
	forward := map[*gorgonia.Node]bool{}
	g.machine.Values(func(n *gorgonia.Node, _ gorgonia.Value) bool {
		if n.Name() == g.Loss.Node.Name() {
			markForward(n, forward)
		}
		return true
	})
	g.machine.Values(func(n *gorgonia.Node, v gorgonia.Value) bool {
		d := Node{Name: nameOf(n), Op: "input", Shape: n.Shape(), Group: g.groups[strings.TrimPrefix(nameOf(n), gradientOf)], Backward: !forward[n]}
		if n.Op() != nil {
			d.Op = n.Op().String()
		}
		if values, err := op.Floats(v); err == nil {
			d.Values = values
		} else if f, err := op.Float(v); err == nil {
			d.Values = []float32{f}
		}
		for _, child := range vm.Inputs(n) {
			d.Inputs = append(d.Inputs, nameOf(child))
		}
		nodes = append(nodes, d)
		return true
	})
	return nodes
}

// markForward marks a node and all that it is computed from.
func markForward(n *gorgonia.Node, forward map[*gorgonia.Node]bool) {
	if forward[n] {
		return
	}
	forward[n] = true
	for _, child := range vm.Inputs(n) {
		markForward(child, forward)
	}
}

// gradientOf begins the names of gradients.
const gradientOf = "gradient of "

// nameOf is the name of a node, or what it is the gradient of.
func nameOf(n *gorgonia.Node) string {
	if of := n.DerivOf(); len(of) > 0 {
		return gradientOf + of[0].Name()
	}
	return n.Name()
}

// FirstNonFinite names the first node of the last run, in the order it ran, that holds a NaN or an infinity, such as
// "lower.0.dense" or "gradient of lower.0.weight"; it is empty if there is none.
func (g *Graph) FirstNonFinite() (name string) {
	g.machine.Values(func(n *gorgonia.Node, v gorgonia.Value) bool {
		if values, err := op.Floats(v); err != nil || kernel.AllFinite(values) {
			return true
		}
		name = nameOf(n)
		return false
	})
	return name
}

// dotColors are the fill colours of groups, forward and backward. More groups than these begin again.
var dotColors = [][2]string{
	{"#cfe3f5", "#8fb8dc"},
	{"#fbe0c3", "#eeb173"},
	{"#d5ecd0", "#97c78c"},
	{"#eadcf2", "#c3a1d8"},
	{"#f8d7da", "#e39aa2"},
}

// noGroup are the colours of what belongs to no group.
var noGroup = [2]string{"#eeeeee", "#cccccc"}

// WriteDot writes the graph of the last run for Graphviz. Values flow along the arrows. Each group has its colour; the backward
// pass is darker, and in dashed boxes.
func (g *Graph) WriteDot(w io.Writer) error {
	var groups []string // as the nodes come
	nodes := g.Nodes()
	for _, n := range nodes {
		if n.Group != "" && !slices.Contains(groups, n.Group) {
			groups = append(groups, n.Group)
		}
	}
	colors := func(group string) [2]string {
		if i := slices.Index(groups, group); i >= 0 {
			return dotColors[i%len(dotColors)]
		}
		return noGroup
	}
	var b strings.Builder
	fmt.Fprintf(&b, "digraph model {\n\trankdir=TB\n\tnode [shape=box, style=filled, fontname=\"Helvetica\", fontsize=11]\n")
	for _, n := range nodes {
		style, color := "filled", colors(n.Group)[0]
		if n.Backward {
			style, color = "filled,dashed", colors(n.Group)[1]
		}
		if n.Op == "input" {
			style += ",rounded"
		}
		fmt.Fprintf(&b, "\t%q [label=\"%s\\n%s %v\", style=%q, fillcolor=%q]\n", n.Name, escape(n.Name), escape(n.Op), n.Shape, style, color)
		for _, input := range n.Inputs {
			fmt.Fprintf(&b, "\t%q -> %q\n", input, n.Name)
		}
	}
	for _, group := range groups {
		for i, pass := range []string{"forward", "backward"} {
			style := []string{"filled", "filled,dashed"}[i]
			fmt.Fprintf(&b, "\t\"%s, %s\" [style=%q, fillcolor=%q, fontsize=9]\n", group, pass, style, colors(group)[i])
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// escape makes a text safe within a quoted label.
func escape(text string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) }
