package loss

import (
	"encoding/json"
	"fmt"
	"strings"
)

// Named is a loss and its name in the registry. As JSON it is an object of the name and the settings:
//
//	{"focal_gamma":2,"name":"focal"}
type Named struct {
	Name string
	Loss
}

// OrDefault is the loss, or the default one if there is none.
func (n Named) OrDefault() Named {
	if n.Loss == nil {
		return Default()
	}
	return n
}

// String is the name and the settings, as in "focal (focal-gamma 2)".
func (n Named) String() string {
	var settings []string
	for _, s := range n.Settings() {
		settings = append(settings, fmt.Sprintf("%s %v", s.Name, *s.Value))
	}
	if len(settings) == 0 {
		return n.Name
	}
	return fmt.Sprintf("%s (%s)", n.Name, strings.Join(settings, ", "))
}

// MarshalJSON writes the name and the settings.
func (n Named) MarshalJSON() ([]byte, error) {
	object := map[string]any{"name": n.Name}
	for _, s := range n.Settings() {
		object[jsonKey(s)] = *s.Value
	}
	return json.Marshal(object)
}

// UnmarshalJSON makes a new loss. A setting that is left out has its default. An unknown setting or a value outside its range
// is an error.
func (n *Named) UnmarshalJSON(text []byte) error {
	var object map[string]any
	if err := json.Unmarshal(text, &object); err != nil {
		return fmt.Errorf("loss: expected an object: %w", err)
	}
	name, ok := object["name"].(string)
	if !ok {
		return fmt.Errorf("loss: expected a name, found %.100s", fmt.Sprint(object["name"]))
	}
	delete(object, "name")
	made, err := New(name)
	if err != nil {
		return err
	}
	for _, s := range made.Settings() {
		found, given := object[jsonKey(s)]
		delete(object, jsonKey(s))
		if !given {
			continue
		}
		if *s.Value, ok = found.(float64); !ok || !s.Allowed.Has(*s.Value) {
			return fmt.Errorf("loss %s: %s: expected %s, found %.100s", name, jsonKey(s), s.Allowed.Text, fmt.Sprint(found))
		}
	}
	for key := range object {
		return fmt.Errorf("loss %s has no setting %.100s", name, key)
	}
	*n = made
	return nil
}

// jsonKey is a setting's name in JSON, which has underscores.
func jsonKey(s Setting) string { return strings.ReplaceAll(s.Name, "-", "_") }
