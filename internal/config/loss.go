package config

import (
	"errors"
	"fmt"
	"slices"

	"fmtrain/internal/loss"
)

// ResolveLoss is the loss that the settings describe. If the loss is auto, it is saved, the loss of the checkpoint that the run starts
// from, with its settings; if saved is the zero value, it is the default. ResolveLoss replaces auto in the settings by the name and the
// settings of the loss. A setting of another loss is an error that matches [ErrInvalid].
func (c *Config) ResolveLoss(saved loss.Named) (loss.Named, error) {
	l := saved.OrDefault()
	if c.Loss != auto {
		var err error
		if l, err = loss.New(c.Loss); err != nil {
			return loss.Named{}, err
		}
	}
	if err := errors.Join(c.foreign(l.Name, func(key string) string { return key })...); err != nil {
		return loss.Named{}, err
	}
	c.Loss = l.Name
	c.LossSettings = slices.Clone(c.LossSettings) // another Config may share them
	for _, own := range l.Settings() {
		for i := range c.LossSettings {
			switch given := &c.LossSettings[i]; {
			case given.Name != own.Name:
			case given.Value == nil:
				given.Value = new(*own.Value)
			default:
				*own.Value = *given.Value
			}
		}
	}
	return l, nil
}

// foreign is a problem for each given setting of another loss than the named one. A value of 0 that is the setting's default is allowed:
// a label smoothing of 0 fits every loss.
func (c *Config) foreign(name string, where func(key string) string) (problems []error) {
	for _, given := range c.LossSettings {
		s, of, _ := loss.Find(given.Name)
		if given.Value == nil || of == name || *given.Value == 0 && *s.Value == 0 {
			continue
		}
		problems = append(problems, &problem{where(given.Name),
			fmt.Sprintf("belongs to the loss %s, but the loss is %s: leave it out or set it to auto", of, name)})
	}
	return problems
}
