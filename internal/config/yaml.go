package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"

	"go.yaml.in/yaml/v3"
)

// maxProblems is how many problems of a file are reported. A file that is not a config may have thousands.
const maxProblems = 50

// readYAML reads one YAML document of settings. It works on YAML nodes, which have their lines and the form of a value,
// so that it can distinguish "5" from 5 and find keys given twice. It returns an error only for YAML that can't be read at all.
func (s *sources) readYAML(name string, text []byte) error {
	s.level++
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var root, second yaml.Node
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return unreadable(name, err)
	}
	switch err := decoder.Decode(&second); {
	case err == nil:
		return &problem{line(name, &second), "expected one YAML document, found a second"}
	case !errors.Is(err, io.EOF):
		return unreadable(name, err)
	}
	top := target(root.Content[0])
	if top.ShortTag() == "!!null" {
		return nil
	}
	if top.Kind != yaml.MappingNode {
		return &problem{line(name, top), `expected lines of "key: value", found ` + describe(top)}
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(top.Content); i += 2 {
		if len(s.problems) == maxProblems {
			s.refuse(line(name, top.Content[i]), "not read from here on, as too much is wrong")
			break
		}
		s.readPair(name, seen, top.Content[i], top.Content[i+1])
	}
	return nil
}

// readPair takes in one setting. Seen holds the lines of the keys so far.
func (s *sources) readPair(name string, seen map[string]int, keyNode, node *yaml.Node) {
	key := keyNode.Value
	where := line(name, keyNode) + ": " + key
	before, twice := seen[key]
	seen[key] = keyNode.Line
	switch e := find(s.trial, key); {
	case keyNode.Kind != yaml.ScalarNode || keyNode.ShortTag() == "!!null":
		s.refuse(line(name, keyNode), "expected the name of a setting, found "+describe(keyNode))
	case e == nil:
		s.refuse(where, unknown(key, keysOf(s.trial)))
	case twice:
		s.refuse(where, fmt.Sprintf("expected once, found again (first on line %d)", before))
	default:
		s.take(e, raw{node: target(node)}, where)
	}
}

func line(name string, n *yaml.Node) string { return fmt.Sprintf("%s:%d", name, n.Line) }

func unreadable(name string, err error) error {
	return &problem{name, "not valid YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}
}

// unknown is what to say of a key that is none of the settings'.
func unknown(key string, keys []string) string {
	if hint := didYouMean(key, keys); hint != "" {
		return "unknown setting" + hint
	}
	return "unknown setting; help configs lists the settings"
}

// keysOf are the keys of a table.
func keysOf(table []*setting) (keys []string) {
	for _, s := range table {
		keys = append(keys, s.key)
	}
	return keys
}

// WriteYAML writes the settings as a file, which [Resolve] reads back to an equal Config. It leaves out what other settings
// replace.
func WriteYAML(w io.Writer, c Config) error {
	top := yaml.Node{Kind: yaml.MappingNode}
	table := settings(&c)
	for _, s := range table {
		if s.forAll != nil || replacer(table, s.key) != nil {
			continue
		}
		var key yaml.Node
		key.SetString(s.key)
		node, err := s.node()
		if err != nil {
			return fmt.Errorf("%s: %w", s.key, err)
		}
		top.Content = append(top.Content, &key, node)
	}
	text, err := yaml.Marshal(&top)
	if err != nil {
		return err
	}
	_, err = w.Write(text)
	return err
}

// node is the value as a file has it.
func (s *setting) node() (*yaml.Node, error) {
	node := new(yaml.Node)
	switch v := s.get().(type) {
	case nil:
		node.SetString(auto)
	case string:
		if s.inYAML && v != "" {
			var document yaml.Node
			err := yaml.Unmarshal([]byte(v), &document)
			if err != nil {
				return nil, err
			}
			node = document.Content[0]
			break
		}
		node.SetString(v)
		if strings.ContainsFunc(v, unprintable) {
			node.Style = yaml.DoubleQuotedStyle // the library's own choice for "\t\n" can't be read back
		}
	default:
		if err := node.Encode(v); err != nil {
			return nil, err
		}
	}
	node.Style |= yaml.FlowStyle
	return node, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// target is the node that an alias stands for, or the node itself.
func target(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// asText is a node written out.
func asText(n *yaml.Node) string {
	text, _ := yaml.Marshal(n) // a node that was read can be written
	return string(text)
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
