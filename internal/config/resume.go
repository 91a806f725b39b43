package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/spf13/pflag"

	"fmtrain/internal/dataset"
)

// mayChange are the settings that a run may be taken up with others of: how far it goes, how it is saved and shown, by what and on
// how many processors it is computed, and where its data are: whether they are the same is not told by their directory.
var mayChange = []string{"epochs", "data", "threads", "vm", "checkpoint-every", "log-every", "progress", "json"}

// Resume makes the settings with which a run is taken up: those that it was saved with, as JSON, over them those of the file and
// the flags, as [Resolve] does. Where names the checkpoint in errors. Auto stands for what it was in the saved run.
//
// A setting that changes what the run comes to is refused, each with both values, unless override is true; see also --out and
// --init, which say nothing of a run that has begun. The error matches [ErrInvalid].
func Resume(where string, saved []byte, path string, fs *pflag.FlagSet, override bool) (Config, error) {
	for _, key := range []string{"out", "init"} {
		if fs != nil && fs.Changed(key) {
			return Config{}, &problem{"--" + key, "expected without --resume: the run goes on where and from what it was begun"}
		}
	}
	was, text, err := readSaved(where, saved)
	if err != nil {
		return Config{}, err
	}
	files := []file{{where + ", settings", text}}
	if path != "" {
		name, text, err := open(path)
		if err != nil {
			return Config{}, err
		}
		files = append(files, file{name, text})
	}
	c, sources, err := merge(files, fs)
	if err != nil {
		return Config{}, err
	}
	c.Out, c.Init = was.Out, was.Init
	c.keep(was)
	if c.Data, err = dataset.Absolute(c.Data); err != nil {
		return Config{}, err
	}
	if override {
		return c, nil
	}
	return c, errors.Join(changes(was, c, sources)...)
}

// readSaved reads the settings of a checkpoint and gives them as a file, too, which judges their values.
func readSaved(where string, saved []byte) (Config, []byte, error) {
	was := Default()
	decoder := json.NewDecoder(bytes.NewReader(saved))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&was); err != nil {
		return Config{}, nil, fmt.Errorf("%s: expected the settings of a run of this fmtrain in its metadata: %w", where, err)
	}
	var text bytes.Buffer
	err := WriteYAML(&text, was)
	return was, text.Bytes(), err
}

// keep puts the saved values where the settings are auto.
func (c *Config) keep(was Config) {
	if c.Data == "" {
		c.Data = was.Data
	}
	if c.Loss == auto {
		c.Loss = was.Loss
	}
	if c.Validation == nil {
		c.Validation = was.Validation
	}
	if c.Loss == was.Loss {
		before := was.lossSettings()
		for i, s := range c.lossSettings() {
			if *s.value == nil {
				*s.value = *before[i].value
			}
		}
	}
}

// changes is a problem for each setting that is not what it was and may not change.
func changes(was, c Config, sources map[string]string) (problems []error) {
	before, after := values(was), values(c)
	for _, s := range settings {
		if slices.Contains(mayChange, s.key) || reflect.DeepEqual(before[s.key], after[s.key]) {
			continue
		}
		problems = append(problems, &problem{sources[s.key],
			fmt.Sprintf("expected %s, with which the run was begun, found %s; --override changes it", textOf(before[s.key]), textOf(after[s.key]))})
	}
	return problems
}
