package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MarshalJSON writes the settings as a checkpoint and the start event have them: an object in the order of the table, with _ for -
// in the keys.
func (c Config) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	for _, s := range settings(&c) {
		if s.forAll != nil {
			continue
		}
		value, err := json.Marshal(s.get())
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.key, err)
		}
		separator := ","
		if b.Len() == 0 {
			separator = "{"
		}
		fmt.Fprintf(&b, "%s%q:%s", separator, jsonKey(s.key), value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Equal says whether two Configs have the same settings.
func (c Config) Equal(other Config) bool {
	a, errA := c.MarshalJSON()
	b, errB := other.MarshalJSON()
	return errA == nil && errB == nil && bytes.Equal(a, b)
}

func jsonKey(key string) string { return strings.ReplaceAll(key, "-", "_") }

// readJSON reads the settings of a checkpoint, whose name in errors is where. It leaves out settings that another one replaces.
func (s *sources) readJSON(where string, text []byte) error {
	s.level++
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return fmt.Errorf("%s: expected the settings of a run in its metadata: %w", where, err)
	}
	for _, e := range s.trial {
		v, ok := object[jsonKey(e.key)]
		delete(object, jsonKey(e.key))
		if !ok || e.forAll != nil {
			continue
		}
		s.take(e, raw{node: nodeOf(v)}, where+", settings: "+e.key)
	}
	for key := range object {
		return fmt.Errorf("%s: expected the settings of a run of this fmtrain, found %.100q, which it doesn't know", where, key)
	}
	for _, e := range s.trial {
		if replacer(s.trial, e.key) != nil {
			delete(s.set, e.key)
		}
	}
	return nil
}

// nodeOf is a value of JSON as YAML has it.
func nodeOf(v any) *yaml.Node {
	switch v := v.(type) {
	case nil:
		return nodeOf(auto)
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v}
	case json.Number:
		tag := "!!int"
		if strings.ContainsAny(v.String(), ".eE") {
			tag = "!!float"
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: v.String()}
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(v)}
	case []any:
		list := &yaml.Node{Kind: yaml.SequenceNode}
		for _, entry := range v {
			list.Content = append(list.Content, nodeOf(entry))
		}
		return list
	}
	return &yaml.Node{Kind: yaml.MappingNode}
}
