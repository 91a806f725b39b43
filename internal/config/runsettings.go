package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loss"
)

// RunSetting is a setting of a run, for people who compare runs.
type RunSetting struct {
	Key, Text string          // as one would type them: --KEY TEXT
	JSON      json.RawMessage // the value in the run's settings; nil if the run lacks it
	Default   bool            // a plain fmtrain train has this value, or it follows from other settings
	Neutral   bool            // it says where the data and the outputs are, or how the run is computed or shown: it changes no result
}

// RunSettings reads the settings of a run, in the order of the table. A setting that the run lacks, because an older program wrote it, has
// its default. Settings of a newer program come last.
func RunSettings(text []byte) ([]RunSetting, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(text, &object); err != nil {
		return nil, fmt.Errorf("expected the settings of a run: %.200s", err.Error())
	}
	all := slices.Clone(defaultSettings())
	for i := range all {
		r := &all[i]
		if value, ok := object[r.JSONKey()]; ok {
			byDefault := r.Text
			r.JSON, r.Text = value, textOfJSON(value)
			r.Default = r.Text == byDefault
			r.Neutral = r.Neutral && !(r.Key == "data" && r.Text == dataset.SampleName)
			delete(object, r.JSONKey())
		}
	}
	for i := range all {
		all[i].Default = follows(all, all[i])
	}
	var unknown []RunSetting
	for key, value := range object {
		unknown = append(unknown, RunSetting{Key: strings.ReplaceAll(key, "_", "-"), JSON: value, Text: textOfJSON(value)})
	}
	slices.SortFunc(unknown, func(a, b RunSetting) int { return strings.Compare(a.Key, b.Key) })
	return append(all, unknown...), nil
}

// defaultSettings are the settings of a plain fmtrain train.
var defaultSettings = sync.OnceValue(func() (all []RunSetting) {
	defaults := Default()
	for _, s := range settings(&defaults) {
		if s.forAll == nil {
			all = append(all, RunSetting{Key: s.key, Text: s.text(), Default: true, Neutral: s.neutral()})
		}
	}
	return all
})

// settingsForAll are the settings that give others their value.
var settingsForAll = sync.OnceValue(func() []*setting {
	defaults := Default()
	return slices.DeleteFunc(settings(&defaults), func(s *setting) bool { return s.forAll == nil })
})

// JSONKey is the key in the run's settings.
func (s RunSetting) JSONKey() string { return jsonKey(s.Key) }

// neutral says whether a setting changes no result.
func (s *setting) neutral() bool { return s.heading == HeadingOutput || s.resume && s.key != "epochs" }

// textOfJSON is a value as one would type it.
func textOfJSON(value json.RawMessage) string {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return string(value)
	}
	switch v := v.(type) {
	case []any:
		var parts []string
		for _, part := range v {
			parts = append(parts, textOf(part))
		}
		return strings.Join(parts, ",")
	case map[string]any:
		return string(value)
	}
	return textOf(v)
}

// follows says whether a value is the table's default, or for auto the value that auto stands for.
func follows(all []RunSetting, s RunSetting) bool {
	of := func(key string) string {
		i := slices.IndexFunc(all, func(s RunSetting) bool { return s.Key == key })
		return all[i].Text
	}
	switch s.Key {
	case "loss":
		return s.Default || s.Text == loss.Default().Name
	case "lower-weight-decay", "upper-weight-decay":
		group, _, _ := strings.Cut(s.Key, "-")
		return s.Text == textOf(ownWeightDecay(of(group+"-solver")))
	case "validation": // of Fashion-MNIST, and of its sample
		return s.Default || s.Text == fmt.Sprint(dataset.DefaultValidation(trainingImages)) || s.Text == fmt.Sprint(dataset.DefaultValidation(dataset.SampleTrain))
	}
	for _, l := range loss.Kinds() {
		for _, own := range l.Has {
			if own.Name == s.Key {
				return s.Default || s.Text == textOf(*own.Value)
			}
		}
	}
	return s.Default
}

// trainingImages is the number of training images of Fashion-MNIST.
const trainingImages = 60000

// Differing are the settings that make a run another one than a plain fmtrain train. A value that all groups have is listed once, under the
// name of the setting for all groups.
func Differing(all []RunSetting) (differing []RunSetting) {
	for _, s := range all {
		if !s.Default && !s.Neutral {
			differing = append(differing, s)
		}
	}
	for _, e := range settingsForAll() {
		first := slices.IndexFunc(differing, func(s RunSetting) bool { return s.Key == e.forAll[0] })
		isOther := func(s RunSetting) bool { return s.Key == e.forAll[1] }
		if other := slices.IndexFunc(differing, isOther); first >= 0 && other >= 0 && differing[first].Text == differing[other].Text {
			differing[first].Key = e.key
			differing = slices.DeleteFunc(differing, isOther)
		}
	}
	return differing
}
