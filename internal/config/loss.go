package config

import (
	"errors"
	"fmt"
	"strconv"

	"fmtrain/internal/loss"
)

// lossSetting is a setting that one loss uses: its key, and where the Config has it.
type lossSetting struct {
	key   string
	value **float64
}

func (c *Config) lossSettings() []lossSetting {
	return []lossSetting{
		{"label-smoothing", &c.LabelSmoothing},
		{"focal-gamma", &c.FocalGamma},
		{"huber-delta", &c.HuberDelta},
	}
}

// ResolveLoss is the loss that the settings describe; it puts the name, and the settings that the loss uses, where they were
// auto. An auto loss is saved, that of the checkpoint which the run starts from, with its settings; if that is the zero value,
// the default. A setting that another loss uses is an error that matches [ErrInvalid].
func (c *Config) ResolveLoss(saved loss.Named) (loss.Named, error) {
	l := saved
	switch {
	case c.Loss != auto:
		var err error
		if l, err = loss.New(c.Loss); err != nil {
			return loss.Named{}, err
		}
	case saved.Loss == nil:
		l = loss.Default()
	}
	if err := errors.Join(c.foreign(l.Name, func(key string) string { return key })...); err != nil {
		return loss.Named{}, err
	}
	c.Loss = l.Name
	for _, own := range l.Settings() {
		for _, given := range c.lossSettings() {
			switch {
			case given.key != own.Name:
			case *given.value == nil:
				*given.value = new(*own.Value)
			default:
				*own.Value = **given.value
			}
		}
	}
	return l, nil
}

// foreign is a problem for each setting that is given, but used by another loss than the one of that name. A smoothing of 0 is
// none, which every loss has.
func (c *Config) foreign(name string, where func(key string) string) (problems []error) {
	for _, given := range c.lossSettings() {
		_, of, _ := loss.Find(given.key)
		if *given.value == nil || of == name || given.key == "label-smoothing" && **given.value == 0 {
			continue
		}
		problems = append(problems, &problem{where(given.key),
			fmt.Sprintf("expected with the loss %s only, found with %s: leave it out or set it to auto", of, name)})
	}
	return problems
}

// checkLoss refuses the settings of losses other than the chosen one. If the choice is the checkpoint's, ResolveLoss does.
func (s *sources) checkLoss(c Config) {
	name := c.Loss
	switch {
	case name == auto && c.Init != "":
		return
	case name == auto:
		name = loss.Default().Name
	}
	s.problems = append(s.problems, c.foreign(name, func(key string) string { return s.set[key] })...)
}

// ofLoss is the values of a setting that a loss uses.
func ofLoss(key string) format {
	s, _, _ := loss.Find(key)
	return format{
		noun:    "NUMBER",
		allowed: s.Allowed.Text,
		read: func(text string) (any, bool) {
			x, err := strconv.ParseFloat(text, 64)
			return x, err == nil && s.Allowed.Has(x)
		},
	}
}
