package layer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A network is written as a list of its layers from input to output, with a dash or a comma between them. [Kinds] has the items.
//
//	784-300-LN-relu-dropout-res(ln-relu-300)-10
//
// The last item is the dense layer of the classes. The number of inputs may come before the first item. So if the first layer has as many
// units as there are inputs, the number must be written twice.

// Item is a layer in a list.
type Item struct {
	Layer
	Group string // the group that the text names for it and the layers after it; empty for none
	at    int    // where it begins in the text
}

// Options are what the text of a network does not say.
type Options struct {
	Inputs  int  // values of an image
	Classes int  // units of the last layer
	Norm    Norm // what ln stands for
}

// The bounds of a network that is read from a text.
const (
	MaxUnits  = 65536 // of a layer
	MaxLayers = 4096
	maxDepth  = 16 // of blocks within each other
)

// Parse reads the text of a network. An error says where in the text it is, counting characters from 1.
func Parse(text string, o Options) ([]Item, error) {
	r := &reader{text: text, options: o}
	items, err := r.items()
	if err != nil {
		return nil, err
	}
	if first, ok := items[0].Layer.(Dense); ok && len(items) > 1 && first.Units == o.Inputs && items[0].Group == "" {
		items = items[1:]
	}
	last := items[len(items)-1]
	if l, ok := last.Layer.(Dense); !ok || l.Units != o.Classes {
		return nil, r.wrong(last.at, fmt.Sprintf("the last layer is %q; expected %d, one unit a class", last, o.Classes))
	}
	in, err := InputShape(items, o.Inputs)
	if err != nil {
		return nil, err
	}
	_, err = r.shapes(items, in)
	return items, err
}

// Text writes a list in one form, which [Parse] reads: small letters, dashes, the number of inputs first.
func Text(items []Item, inputs int) string { return strconv.Itoa(inputs) + "-" + textOf(items) }

func textOf(items []Item) string {
	texts := make([]string, len(items))
	for i, item := range items {
		texts[i] = item.String()
	}
	return strings.Join(texts, "-")
}

// String is the item as it is written, with its group.
func (i Item) String() string {
	if i.Group != "" {
		return i.Layer.String() + "@" + i.Group
	}
	return i.Layer.String()
}

// reader reads a network from left to right.
type reader struct {
	text    string
	options Options
	at      int // of the next byte
	depth   int // blocks around it
	count   int // layers read
}

// items reads items to the end of the text, or to the parenthesis that closes a block.
func (r *reader) items() (items []Item, err error) {
	for {
		r.skipSpace()
		item, err := r.item()
		if err != nil {
			return nil, err
		}
		if r.count++; r.count > MaxLayers {
			return nil, r.wrong(item.at, fmt.Sprintf("expected at most %d layers, found more", MaxLayers))
		}
		items = append(items, item)
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
func (r *reader) item() (Item, error) {
	item := Item{at: r.at}
	word := strings.ToLower(r.word())
	kind, ok := find(word)
	if !ok {
		r.at = item.at
		return item, r.wrong(item.at, "expected a layer, one of "+strings.Join(Usages(), ", ")+"; found "+r.found())
	}
	if kind.Activation != nil {
		item.Layer = kind.Activation
		return item, nil
	}
	var err error
	if item.Layer, err = kind.read(r, word); err != nil {
		return item, err
	}
	if kind.weight && r.skip('@') {
		if item.Group = r.word(); item.Group == "" {
			return item, r.wrong(r.at, "expected the name of a group, of letters and digits, found "+r.found())
		}
	}
	return item, nil
}

// shapes is the output shape of the items for an input of that shape.
func (r *reader) shapes(items []Item, shape Shape) (Shape, error) {
	for _, item := range items {
		if block, ok := item.Layer.(Residual); ok { // whose items have places of their own
			if _, err := r.shapes(block.Items, shape); err != nil {
				return nil, err
			}
		}
		out, err := item.Output(shape)
		if err != nil {
			return nil, r.wrong(item.at, err.Error())
		}
		shape = out
	}
	return shape, nil
}

// word reads letters and digits.
func (r *reader) word() string {
	return r.while(func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z' || c == '_' })
}

// number reads the characters of a decimal fraction.
func (r *reader) number() string {
	return r.while(func(c byte) bool { return c >= '0' && c <= '9' || c == '.' })
}

func (r *reader) skipSpace() { r.while(func(c byte) bool { return c == ' ' }) }

// skip reads a byte if it is the next.
func (r *reader) skip(c byte) bool {
	if r.next() != c {
		return false
	}
	r.at++
	return true
}

func (r *reader) while(is func(byte) bool) string {
	from := r.at
	for r.at < len(r.text) && is(r.text[r.at]) {
		r.at++
	}
	return r.text[from:r.at]
}

// next is the next byte, 0 at the end.
func (r *reader) next() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

// found is the next part of the text, for an error: up to the end of the item, or one character.
func (r *reader) found() string {
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

// wrong is an error at a byte of the text. It quotes the beginning of a long text.
func (r *reader) wrong(at int, what string) error {
	const quoted = 200
	return fmt.Errorf("in %.*q, at character %d: %.1000s", quoted, r.text, utf8.RuneCountInString(r.text[:at])+1, what)
}

// isNumber says whether a word consists of digits.
func isNumber(word string) bool {
	_, err := strconv.Atoi(word)
	return err == nil || errors.Is(err, strconv.ErrRange)
}
