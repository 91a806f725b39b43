package model

import (
	"fmt"
	"io"
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
	Group    string    // Lower, Upper, or empty where it belongs to neither
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
		d := Node{Name: nameOf(n), Op: "input", Shape: n.Shape(), Group: groupOf(n), Backward: !forward[n]}
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

// nameOf is the name of a node, or what it is the gradient of.
func nameOf(n *gorgonia.Node) string {
	if of := n.DerivOf(); len(of) > 0 {
		return "gradient of " + of[0].Name()
	}
	return n.Name()
}

// groupOf is the group of a node by its name, or by that of what it is the gradient of.
func groupOf(n *gorgonia.Node) string {
	name := strings.TrimPrefix(nameOf(n), "gradient of ")
	for _, group := range []string{Lower, Upper} {
		if strings.HasPrefix(name, group+".") {
			return group
		}
	}
	return ""
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

// dotColors are the fill colours of the groups, forward and backward.
var dotColors = map[string][2]string{
	Lower: {"#cfe3f5", "#8fb8dc"},
	Upper: {"#fbe0c3", "#eeb173"},
	"":    {"#eeeeee", "#cccccc"},
}

// WriteDot writes the graph of the last run for Graphviz. Values flow along the arrows. The groups differ in their colours; the
// backward pass is darker, and in dashed boxes.
func (g *Graph) WriteDot(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph model {\n\trankdir=TB\n\tnode [shape=box, style=filled, fontname=\"Helvetica\", fontsize=11]\n")
	for _, n := range g.Nodes() {
		style, color := "filled", dotColors[n.Group][0]
		if n.Backward {
			style, color = "filled,dashed", dotColors[n.Group][1]
		}
		if n.Op == "input" {
			style += ",rounded"
		}
		fmt.Fprintf(&b, "\t%q [label=\"%s\\n%s %v\", style=%q, fillcolor=%q]\n", n.Name, escape(n.Name), escape(n.Op), n.Shape, style, color)
		for _, input := range n.Inputs {
			fmt.Fprintf(&b, "\t%q -> %q\n", input, n.Name)
		}
	}
	for _, group := range []string{Lower, Upper} {
		for i, pass := range []string{"forward", "backward"} {
			style := []string{"filled", "filled,dashed"}[i]
			fmt.Fprintf(&b, "\t\"%s, %s\" [style=%q, fillcolor=%q, fontsize=9]\n", group, pass, style, dotColors[group][i])
		}
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// escape makes a text safe within a quoted label.
func escape(text string) string { return strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) }
