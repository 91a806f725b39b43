package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"

	"github.com/spf13/pflag"

	"fmtrain/internal/dataset"
	"fmtrain/internal/schedule"
)

// Saved is the settings of a run in its checkpoint.
type Saved struct {
	Where    string // the checkpoint, for errors
	Settings []byte // JSON
	Begun    int    // number of epochs
}

// Resume makes the settings with which a run resumes. The file and the flags override the saved settings, as in [Resolve]. auto stands
// for the saved value.
//
// A changed setting that changes the results is refused, with both values, unless override is true. So is a number of epochs that changes
// the learning rate of steps already made. --out, --init, and fewer epochs than the run has begun are always refused. The error matches
// [ErrInvalid].
func Resume(saved Saved, path string, fs *pflag.FlagSet, override bool) (Config, error) {
	for _, key := range []string{"out", "init"} {
		if fs != nil && fs.Changed(key) {
			return Config{}, &problem{"--" + key, "can't be combined with --resume: the run continues in its own directory, from its last checkpoint"}
		}
	}
	s := newSources()
	if err := s.readJSON(saved.Where, saved.Settings); err != nil {
		return Config{}, err
	}
	was, err := s.config()
	if err != nil {
		return Config{}, err
	}
	if path != "" {
		if err := s.readConfig(path); err != nil {
			return Config{}, err
		}
	}
	s.readFlags(fs)
	c, err := s.config()
	if err != nil {
		return Config{}, err
	}
	c.Out, c.Init = was.Out, was.Init
	c.keep(was)
	if c.Data, err = dataset.Absolute(c.Data); err != nil {
		return Config{}, err
	}
	if c.Epochs < saved.Begun {
		return Config{}, &problem{s.at("epochs"), fmt.Sprintf("expected %d or more, as many as the run has begun, found %d", saved.Begun, c.Epochs)}
	}
	if override {
		return c, nil
	}
	return c, errors.Join(s.changes(was, c)...)
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
		for i := range c.LossSettings {
			if c.LossSettings[i].Value == nil {
				c.LossSettings[i].Value = was.LossSettings[i].Value
			}
		}
	}
}

// changes is a problem for each setting that is not what it was and may not change.
func (s *sources) changes(was, c Config) (problems []error) {
	before := settings(&was)
	for i, now := range settings(&c) {
		where, of := s.at(now.key), ""
		if g, ok := s.set[now.key]; ok && !strings.HasSuffix(g.where, now.key) { // of --lr, which stands for two settings
			of = now.key + " "
		}
		switch was := before[i]; {
		case now.key == "epochs":
			problems = append(problems, bends(where, c.Groups, was.get().(int), now.get().(int))...)
		case now.resume || reflect.DeepEqual(was.get(), now.get()):
		default:
			problems = append(problems, &problem{where,
				fmt.Sprintf("the run started with %s%s, found %s; --override changes it", of, was.text(), now.text())})
		}
	}
	return problems
}

// bends is a problem if another number of epochs changes the learning rate of a step that both runs have, because a schedule depends on
// the length of the run.
func bends(where string, groups []Group, before, now int) []error {
	const steps = 100 // of an epoch: the curve is the same for any
	common := min(before, now)
	for _, g := range groups {
		var at int
		var was, is float64 // where they differ most
		for epoch := 1; epoch <= common; epoch += max(1, common/1000) {
			rate := func(epochs int) float64 {
				return g.LR * g.Schedule.Factor(schedule.Position{Step: epoch*steps - 1, Steps: epochs * steps, EpochSteps: steps})
			}
			if a, b := rate(before), rate(now); math.Abs(a-b) > math.Abs(was-is) {
				at, was, is = epoch, a, b
			}
		}
		if math.Abs(was-is) > 1e-6*g.LR { // more than rounding
			return []error{&problem{where, fmt.Sprintf("the run started with %d, and the schedule %s of the group %s stretches over all epochs: "+
				"with %d the learning rate at the end of epoch %d is %.3g, not %.3g; --override resumes with it",
				before, schedule.Text(g.Schedule), g.Name, now, at, is, was)}}
		}
	}
	return nil
}
