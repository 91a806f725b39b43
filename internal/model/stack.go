package model

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
)

// A stack is a list of layers as one types it: their items from the images up, with a dash or a comma between them.
//
//	300               a dense layer of so many units
//	300@stem          the same, in the group stem, as are the layers after it until another names its group
//	ln                LayerNorm
//	relu              an activation, one of [layer.Activations]
//	dropout:0.2       dropout of that rate; dropout alone is of DefaultDropout
//	res(ln-relu-300)  a residual block, x + f(x) with the f of the items in the parentheses
//
// The last item is the dense layer of the logits. The number of inputs may stand before the first; so a first layer of as many units
// is only one if it stands there twice.
//
//	784-300-LN-relu-dropout-100-LN-relu-10

// DefaultDropout is the rate of a dropout item that names none, the book's in chapter 11.
const DefaultDropout = 0.2

// MaxUnits bounds the units of a layer that is read from a text.
const MaxUnits = 65536

// maxDepth is how many residual blocks may be within each other.
const maxDepth = 16

// The kinds of items that are no activations.
const (
	dense    = "dense"
	norm     = "ln"
	dropout  = "dropout"
	residual = "res"
)

// item is one layer of a stack.
type item struct {
	kind   string
	units  int     // of a dense layer
	group  string  // of a dense layer that names it, else empty
	rate   float64 // of dropout
	branch []item  // of a residual block
	at     int     // where it begins in the text
}

// ParseStack reads the text of a stack whose first layer has so many inputs and whose last is one of so many classes, and gives it in
// one form: small letters, dashes, the inputs. An error says where in the text it is, counting characters from 1.
func ParseStack(text string, inputs, classes int) (string, error) {
	items, err := parseStack(text, inputs, classes)
	if err != nil {
		return "", err
	}
	return fullText(items, inputs), nil
}

// parseStack is ParseStack with the items.
func parseStack(text string, inputs, classes int) ([]item, error) {
	r := &stackReader{text: text}
	items, err := r.items()
	if err != nil {
		return nil, err
	}
	if first := items[0]; len(items) > 1 && first.kind == dense && first.units == inputs && first.group == "" {
		items = items[1:]
	}
	if last := items[len(items)-1]; last.kind != dense || last.units != classes {
		return nil, r.wrong(last.at, fmt.Sprintf("expected the last layer to be the dense one of the classes, %d, found %q", classes, itemText(last)))
	}
	_, err = r.widths(items, inputs)
	return items, err
}

// stackReader reads a stack from left to right.
type stackReader struct {
	text  string
	at    int // of the next byte
	depth int // blocks that it is in
}

// items reads items to the end of the text, or to the parenthesis that closes a block.
func (r *stackReader) items() (items []item, err error) {
	for {
		r.skipSpace()
		i, err := r.item()
		if err != nil {
			return nil, err
		}
		items = append(items, i)
		r.skipSpace()
		switch c := r.next(); {
		case c == '-' || c == ',':
			r.at++
		case c == ')' && r.depth > 0:
			r.at++
			return items, nil
		case c == 0 && r.depth == 0:
			return items, nil
		case r.depth > 0:
			return nil, r.wrong(r.at, "expected a dash or the ) of the block, found "+r.found())
		default:
			return nil, r.wrong(r.at, "expected a dash, found "+r.found())
		}
	}
}

// item reads one layer.
func (r *stackReader) item() (item, error) {
	i := item{at: r.at}
	word := strings.ToLower(r.word())
	if units, err := strconv.Atoi(word); err == nil {
		if units < 1 || units > MaxUnits {
			return i, r.wrong(i.at, fmt.Sprintf("expected from 1 to %d units, found %s", MaxUnits, word))
		}
		i.kind, i.units = dense, units
		if r.next() == '@' {
			r.at++
			if i.group = r.word(); i.group == "" {
				return i, r.wrong(r.at, "expected the name of a group, of letters and digits, found "+r.found())
			}
		}
		return i, nil
	}
	i.kind = word
	switch {
	case word == norm || slices.Contains(layer.Activations(), word):
		return i, nil
	case word == dropout:
		i.rate = DefaultDropout
		if r.next() != ':' {
			return i, nil
		}
		r.at++
		at := r.at
		rate, err := strconv.ParseFloat(r.number(), 64)
		if err != nil || !(rate >= 0 && rate < 1) {
			r.at = at
			return i, r.wrong(at, "expected a rate from 0 to below 1, as in dropout:0.2, found "+r.found())
		}
		i.rate = rate
		return i, nil
	case word == residual:
		if r.next() != '(' {
			return i, r.wrong(r.at, "expected the layers of the block in parentheses, as in res(ln-relu-300), found "+r.found())
		}
		r.at++
		if r.depth++; r.depth > maxDepth {
			return i, r.wrong(i.at, fmt.Sprintf("expected at most %d blocks within each other, found more", maxDepth))
		}
		var err error
		i.branch, err = r.items()
		r.depth--
		return i, err
	}
	r.at = i.at
	return i, r.wrong(i.at, fmt.Sprintf("expected a number of units, ln, %s, dropout:RATE or res(...), found %s",
		strings.Join(layer.Activations(), ", "), r.found()))
}

// widths is the number of values that the items, from so many, come to. That of a residual block must be that of its input.
func (r *stackReader) widths(items []item, width int) (int, error) {
	for _, i := range items {
		switch i.kind {
		case dense:
			width = i.units
		case residual:
			out, err := r.widths(i.branch, width)
			if err != nil {
				return 0, err
			}
			if out != width {
				return 0, r.wrong(i.at, fmt.Sprintf("expected the block %s to end with the %d values that it begins with, as it adds the two, found %d",
					itemText(i), width, out))
			}
		}
	}
	return width, nil
}

// word reads letters and digits.
func (r *stackReader) word() string {
	return r.while(func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' })
}

// number reads what a decimal fraction is made of.
func (r *stackReader) number() string {
	return r.while(func(c byte) bool { return c >= '0' && c <= '9' || c == '.' })
}

func (r *stackReader) skipSpace() { r.while(func(c byte) bool { return c == ' ' }) }

func (r *stackReader) while(is func(byte) bool) string {
	from := r.at
	for r.at < len(r.text) && is(r.text[r.at]) {
		r.at++
	}
	return r.text[from:r.at]
}

// next is the next byte, 0 at the end.
func (r *stackReader) next() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// found is what comes next, for an error: up to the end of the item, or one character.
func (r *stackReader) found() string {
	rest := r.text[r.at:]
	if rest == "" {
		return "the end"
	}
	if end := strings.IndexAny(rest, "-,()"); end > 0 {
		rest = rest[:end]
	} else if end == 0 {
		rest = rest[:1]
	}
	return strconv.Quote(rest)
}

// wrong is an error at a byte of the text.
func (r *stackReader) wrong(at int, what string) error {
	return fmt.Errorf("in %q, at character %d: %s", r.text, len([]rune(r.text[:at]))+1, what)
}

// stackText writes items with dashes between them.
func stackText(items []item) string {
	var texts []string
	for _, i := range items {
		texts = append(texts, itemText(i))
	}
	return strings.Join(texts, "-")
}

// fullText is the same with the inputs before it.
func fullText(items []item, inputs int) string { return strconv.Itoa(inputs) + "-" + stackText(items) }

func itemText(i item) string {
	switch {
	case i.kind == dense && i.group != "":
		return fmt.Sprintf("%d@%s", i.units, i.group)
	case i.kind == dense:
		return strconv.Itoa(i.units)
	case i.kind == dropout:
		return dropout + ":" + strconv.FormatFloat(i.rate, 'f', -1, 64)
	case i.kind == residual:
		return residual + "(" + stackText(i.branch) + ")"
	}
	return i.kind
}

// HasNorm says whether a stack that ParseStack has given has LayerNorm.
func HasNorm(stack string) bool {
	return slices.Contains(strings.FieldsFunc(stack, func(c rune) bool { return strings.ContainsRune("-()", c) }), norm)
}

// ResMLP is the stack of a residual network of such hidden layers, all of one width: a dense layer, for each further one a residual
// block, and the logits, with LayerNorm and the activation before each product but the first (He et al., "Identity Mappings in Deep
// Residual Networks", 2016).
func ResMLP(hidden []int, activation string, form layernorm.Form, inputs, classes int) string {
	before := []item{{kind: norm}, {kind: activation}}
	if form == NoLayerNorm {
		before = before[1:]
	}
	items := []item{{kind: dense, units: hidden[0]}}
	for _, units := range hidden[1:] {
		items = append(items, item{kind: residual, branch: append(slices.Clone(before), item{kind: dense, units: units})})
	}
	return fullText(append(append(items, before...), item{kind: dense, units: classes}), inputs)
}

// module is an item in its place in a model.
type module struct {
	item
	Layer
	name   string   // of its node, such as lower.0.norm; for LayerNorm the prefix of its parameters
	width  int      // values of its output
	branch []module // of a residual block
}

// items are those of the stack or, without one, of the hidden layers.
func (s Spec) items() ([]item, error) {
	if s.Stack != "" {
		return parseStack(s.Stack, s.Inputs, s.Classes)
	}
	var items []item
	for _, units := range s.Hidden {
		items = append(items, item{kind: dense, units: units})
		if s.LayerNorm != NoLayerNorm {
			items = append(items, item{kind: norm})
		}
		items = append(items, item{kind: s.Activation})
	}
	return append(items, item{kind: dense, units: s.Classes}), nil
}

// modules are the layers of every kind from the images up, each with its name: that of the dense layer before it, or of its group
// where there is none, and what it is. Of a stack that [Spec.Check] refuses there are none.
func (s Spec) modules() []module {
	items, err := s.items()
	if err != nil {
		return nil
	}
	p := &placer{width: s.Inputs, used: map[string]int{}}
	all := flat(items)
	named := false
	for i, it := range all {
		if it.kind != dense {
			continue
		}
		l := Layer{Out: it.units, Group: it.group}
		for _, after := range all[i+1:] {
			if after.kind == dense {
				break
			}
			if slices.Contains(layer.Activations(), after.kind) {
				l.Activation = after.kind
				break
			}
		}
		named = named || it.group != ""
		p.layers = append(p.layers, l)
	}
	last := len(p.layers) - 1
	group, inGroup := Lower, map[string]int{}
	for i := range p.layers {
		l := &p.layers[i]
		switch {
		case l.Group != "":
		case named:
			l.Group = group
		case i > last-s.UpperLayers:
			l.Group = Upper
		default:
			l.Group = Lower
		}
		group = l.Group
		l.Hidden = i < last
		l.Name = group
		if l.Hidden {
			l.Name = fmt.Sprintf("%s.%d", group, inGroup[group])
			inGroup[group]++
		}
	}
	p.before = Layer{Name: p.layers[0].Group, Group: p.layers[0].Group}
	return p.place(items)
}

// flat are the items with those of residual blocks in their places.
func flat(items []item) (all []item) {
	for _, i := range items {
		if i.kind == residual {
			all = append(all, flat(i.branch)...)
		}
		all = append(all, i)
	}
	return all
}

// placer gives items their places from the images up.
type placer struct {
	layers []Layer // the dense ones to come
	before Layer   // the dense one before the next item
	width  int     // of the next item's input
	used   map[string]int
}

func (p *placer) place(items []item) (modules []module) {
	for _, i := range items {
		m := module{item: i}
		what := i.kind
		switch i.kind {
		case dense:
			p.before, p.layers = p.layers[0], p.layers[1:]
			p.before.In, p.width = p.width, i.units
		case norm:
			what = "norm"
		case residual:
			m.branch = p.place(i.branch)
		}
		m.Layer, m.width = p.before, p.width
		m.name = p.before.Name + "." + what
		if p.used[m.name]++; p.used[m.name] > 1 {
			m.name += strconv.Itoa(p.used[m.name])
		}
		modules = append(modules, m)
	}
	return modules
}

// each calls visit for each module in the order in which they compute.
func each(modules []module, visit func(module)) {
	for _, m := range modules {
		each(m.branch, visit)
		visit(m)
	}
}
