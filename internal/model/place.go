package model

import (
	"fmt"
	"slices"
	"strconv"

	"fmtrain/internal/layer"
)

// place gives the layers of an architecture their places.
//
// A layer with a weight, such as a dense one, is numbered within its group: lower.0, lower.1, ..., and the last one has the name of
// its group alone. Any other layer is named by the numbered layer before it and its own word: lower.0.norm. Before the first
// numbered layer the name begins with the first group. A second of one name is norm2.
func place(a Architecture) ([]Placed, error) {
	in, err := layer.InputShape(a.Items, a.Inputs)
	if err != nil {
		return nil, err
	}
	p := &placer{shape: in, numbered: numberedOf(a), used: map[string]int{}}
	p.before = slot{name: p.numbered[0].group, group: p.numbered[0].group}
	return p.place(a.Items)
}

// slot is the place of a numbered layer.
type slot struct {
	name, group string
	next        *layer.Activation // the activation after it and before the next numbered layer; nil for none
}

// placer gives layers their places, from input to output.
type placer struct {
	numbered []slot // of the layers to come
	before   slot   // of the numbered layer before the next layer
	shape    layer.Shape
	used     map[string]int // names
}

func (p *placer) place(items []layer.Item) (layers []Placed, err error) {
	for _, item := range items {
		l := Placed{Layer: item.Layer, In: p.shape}
		prefix := ""
		if isNumbered(item) {
			p.before, p.numbered = p.numbered[0], p.numbered[1:]
			prefix = p.before.name
		}
		if block, ok := item.Layer.(layer.Residual); ok {
			if l.Within, err = p.place(block.Items); err != nil {
				return nil, err
			}
		}
		if l.Out, err = item.Output(l.In); err != nil {
			return nil, err
		}
		l.Before, l.Group = p.before.name, p.before.group
		l.Name = p.before.name + "." + item.Word()
		if p.used[l.Name]++; p.used[l.Name] > 1 {
			l.Name += strconv.Itoa(p.used[l.Name])
		}
		if prefix == "" {
			prefix = l.Name
		}
		for _, described := range item.Parameters(l.In, p.before.next) {
			l.Parameters = append(l.Parameters, Described{described, prefix + "." + described.Name})
		}
		p.shape = l.Out
		layers = append(layers, l)
	}
	return layers, nil
}

// numberedOf names the numbered layers and finds their groups. A group that an item names lasts until another is named. Without
// names the last UpperLayers numbered layers are the group upper, and the others lower.
func numberedOf(a Architecture) (slots []slot) {
	all := items(a.Items)
	named := slices.ContainsFunc(all, func(i layer.Item) bool { return i.Group != "" })
	last := a.numbered() - 1
	group, inGroup := Lower, map[string]int{}
	for i, item := range all {
		if !isNumbered(item) {
			continue
		}
		switch {
		case item.Group != "":
			group = item.Group
		case !named && len(slots) > last-a.UpperLayers:
			group = Upper
		}
		s := slot{name: group, group: group, next: nextActivation(all[i+1:])}
		if len(slots) < last {
			s.name = fmt.Sprintf("%s.%d", group, inGroup[group])
			inGroup[group]++
		}
		slots = append(slots, s)
	}
	return slots
}

// nextActivation is the first activation before a numbered layer.
func nextActivation(items []layer.Item) *layer.Activation {
	for _, item := range items {
		if a, ok := item.Layer.(*layer.Activation); ok {
			return a
		}
		if isNumbered(item) {
			break
		}
	}
	return nil
}

// numbered is how many layers are numbered.
func (a Architecture) numbered() (n int) {
	for _, item := range items(a.Items) {
		if isNumbered(item) {
			n++
		}
	}
	return n
}

// isNumbered says whether a layer is numbered: it has a weight.
func isNumbered(item layer.Item) bool {
	return slices.ContainsFunc(item.Parameters(layer.Shape{1, 1, 1}, nil), func(p layer.Parameter) bool { return p.Role == layer.Weight })
}

// items are a list's layers in the order in which they compute: those within a block, then the block.
func items(list []layer.Item) (all []layer.Item) {
	for _, i := range list {
		if block, ok := i.Layer.(layer.Residual); ok {
			all = append(all, items(block.Items)...)
		}
		all = append(all, i)
	}
	return all
}
