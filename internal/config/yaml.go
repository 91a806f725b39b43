package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// WriteYAML writes the settings as a file, in the order of the fields of [Config], which [Resolve] reads back to an equal
// Config. For the settings that a run was made with.
func WriteYAML(w io.Writer, c Config) error {
	text, err := new(document).Marshal(values(c))
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// maxProblems is how many problems of a file are told. Its author sees to fewer at a time; a file that is none may have thousands.
const maxProblems = 50

// document is the koanf.Parser of a settings file. It works on YAML nodes: they know their lines and how a value was
// written, so that "5" and 5, or a key given twice, are told apart.
type document struct {
	name string // of the file, for errors
	src  *sources
}

// Unmarshal reads one YAML document of settings. It leaves out what is wrong and notes it in the sources, so that the rest
// is judged as well; its own error is of YAML that can't be read at all.
func (d *document) Unmarshal(text []byte) (map[string]any, error) {
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, d.unreadable(err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return nil, &problem{d.line(&second), "expected one YAML document, found a second"}
	case !errors.Is(err, io.EOF):
		return nil, d.unreadable(err)
	}
	top := target(root.Content[0])
	if top.ShortTag() == "!!null" {
		return nil, nil
	}
	if top.Kind != yaml.MappingNode {
		return nil, &problem{d.line(top), `expected lines of "key: value", found ` + describe(top)}
	}
	values := map[string]any{}
	seen := map[string]int{}
	for pair := range slices.Chunk(top.Content, 2) {
		if len(d.src.problems) == maxProblems {
			d.src.refuse(d.line(pair[0]), "not read from here on, as too much is wrong")
			break
		}
		d.readPair(values, seen, pair[0], pair[1])
	}
	return values, nil
}

// readPair reads one setting into values, unless it is wrong. Seen holds the lines of the keys so far.
func (d *document) readPair(values map[string]any, seen map[string]int, keyNode, node *yaml.Node) {
	key := keyNode.Value
	where := d.line(keyNode) + ": " + key
	s, known := lookup(key)
	line, twice := seen[key]
	seen[key] = keyNode.Line
	switch {
	case keyNode.Kind != yaml.ScalarNode || keyNode.ShortTag() == "!!null":
		d.src.refuse(d.line(keyNode), "expected the name of a setting, found "+describe(keyNode))
	case !known:
		d.src.refuse(where, unknown(key))
	case twice:
		d.src.refuse(where, fmt.Sprintf("expected once, found again (first on line %d)", line))
	default:
		v, ok := readNode(s.format, target(node))
		if !ok {
			text := target(node).Value
			switch {
			case s.list:
				text = strings.Join(textsOf(target(node)), ",")
			case s.yaml:
				text = asText(target(node))
			}
			d.src.refuse(where, s.refusal(text, describe(target(node))))
			return
		}
		values[key] = v
		d.src.set[key] = where
	}
}

// Marshal writes settings in the order of the table, but for those whose place another takes.
func (d *document) Marshal(values map[string]any) ([]byte, error) {
	top := yaml.Node{Kind: yaml.MappingNode}
	for _, s := range settings {
		if replaced(values, s.key) {
			continue
		}
		var key, node yaml.Node
		key.SetString(s.key)
		if text, ok := values[s.key].(string); ok {
			node.SetString(text)
			if strings.ContainsFunc(text, unprintable) {
				node.Style = yaml.DoubleQuotedStyle // of its own accord the library writes "\t\n" in a form that it can't read
			}
		} else if err := node.Encode(values[s.key]); err != nil {
			return nil, fmt.Errorf("%s: %w", s.key, err)
		}
		if node.ShortTag() == "!!null" {
			node.SetString(auto)
		}
		if text := node.Value; s.yaml && text != "" {
			var document yaml.Node
			if err := yaml.Unmarshal([]byte(text), &document); err != nil {
				return nil, fmt.Errorf("%s: %w", s.key, err)
			}
			node = *document.Content[0]
		}
		node.Style |= yaml.FlowStyle
		top.Content = append(top.Content, &key, &node)
	}
	return yaml.Marshal(&top)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

func (d *document) line(n *yaml.Node) string { return fmt.Sprintf("%s:%d", d.name, n.Line) }

func (d *document) unreadable(err error) error {
	return &problem{d.name, "not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
}

func unknown(key string) string {
	var keys []string
	for _, s := range settings {
		keys = append(keys, s.key)
	}
	if near, ok := nearest(key, keys); ok {
		return fmt.Sprintf("unknown setting; did you mean %s?", near)
	}
	return "unknown setting; the settings are " + strings.Join(keys, ", ")
}

// target is the node that an alias stands for, or the node itself.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// readNode reads a scalar, or a list of them for a setting that is a list. The text must suit the setting and its YAML type
// must be that of the value: "5" in quotes is no number.
func readNode(f format, n *yaml.Node) (any, bool) {
	if f.yaml && n.Kind == yaml.SequenceNode {
		return f.read(asText(n))
	}
	texts := textsOf(n)
	length := 0
	for _, text := range texts {
		if length += len(text); length > maxFile { // a long text, again and again by aliases
			return nil, false
		}
	}
	v, ok := f.read(strings.Join(texts, ","))
	if !ok || n.Kind == yaml.SequenceNode && !isList(v) && !f.list {
		return nil, false
	}
	for _, s := range scalarsOf(n) {
		if tag := target(s).ShortTag(); !suits(tag, v) && !(f.list && tag == "!!int") {
			return nil, false
		}
	}
	return v, true
}

// asText is a node written out.
func asText(n *yaml.Node) string {
	text, _ := yaml.Marshal(n) // a node that was read can be written
	return string(text)
}

// scalarsOf are the items of a list, or the node itself.
func scalarsOf(n *yaml.Node) []*yaml.Node {
	if n.Kind == yaml.SequenceNode {
		return n.Content
	}
	return []*yaml.Node{n}
}

// textsOf are the texts of the scalars.
func textsOf(n *yaml.Node) (texts []string) {
	for _, s := range scalarsOf(n) {
		texts = append(texts, target(s).Value)
	}
	return texts
}

func isList(v any) bool {
	switch v.(type) {
	case []int, []string:
		return true
	}
	return false
}

// suits tells whether a scalar of the YAML type is a way to write the value.
func suits(tag string, v any) bool {
	switch v.(type) {
	case int, uint64, []int:
		return tag == "!!int"
	case float64:
		return tag == "!!int" || tag == "!!float"
	case bool:
		return tag == "!!bool"
	case everyText:
		return tag == "!!int" || tag == "!!str"
	default:
		return tag == "!!str"
	}
}

// maxItems is how many entries of a list, and maxText how many letters of a text, are quoted in a description.
const (
	maxItems = 20
	maxText  = 200
)

// describe is a node's value with as much of its type as the reader needs to see the mistake, and no more of what a deep list or a
// long text holds.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode && len(n.Content) == 0:
		return "an empty list"
	case n.Kind == yaml.SequenceNode:
		var items []string
		for i, item := range n.Content {
			if i == maxItems {
				items = append(items, fmt.Sprintf("... (%d in all)", len(n.Content)))
				break
			}
			if item.Kind == yaml.SequenceNode {
				items = append(items, "a list")
				continue
			}
			items = append(items, describe(item))
		}
		return "the list [" + strings.Join(items, ", ") + "]"
	case n.ShortTag() == "!!null":
		return "nothing"
	case n.ShortTag() == "!!str":
		return fmt.Sprintf("the text %.*q", maxText, n.Value)
	}
	return fmt.Sprintf("%.*s", maxText, n.Value)
}
