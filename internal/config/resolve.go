package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"fmtrain/configs"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
)

// Resolve makes the settings of a run. The changed flags of fs override the file, and the file overrides the defaults. The file is a
// path, a run directory, or the name of a built-in config (see [configs.Names]); empty for none. For a name without a separator and an
// extension, built-in configs are searched first; otherwise files are. Flags that are not settings are ignored, and fs may be nil.
//
// All mistakes are reported together, one on each line, with the source, the value and what is allowed. The error matches [ErrInvalid].
func Resolve(file string, fs *pflag.FlagSet) (Config, error) {
	s := newSources()
	if file != "" {
		if err := s.readConfig(file); err != nil {
			return Config{}, err
		}
	}
	s.readFlags(fs)
	return s.config()
}

// given is a setting as one source has it.
type given struct {
	raw
	where string // "FILE:LINE: KEY" or "--FLAG"
	level int    // of the source; a later source overrides an earlier one
}

// sources collects the settings of all sources in their order, and the problems with them.
type sources struct {
	set      map[string]given
	problems []error
	level    int        // of the source that is being read
	trial    []*setting // of a Config that is only used to check values
}

func newSources() *sources {
	trial := Default()
	return &sources{set: map[string]given{}, trial: settings(&trial)}
}

func (s *sources) refuse(where, what string) {
	s.problems = append(s.problems, &problem{where, what})
}

// given says whether a source has a setting.
func (s *sources) given(key string) bool { _, ok := s.set[key]; return ok }

// at is where a setting was given, or its key.
func (s *sources) at(key string) string {
	if g, ok := s.set[key]; ok {
		return g.where
	}
	return key
}

// take adds one setting, unless its value is wrong. auto removes the value of an earlier source.
func (s *sources) take(e *setting, r raw, where string) {
	if e.auto && r.isAuto() {
		delete(s.set, e.key)
		return
	}
	if err := e.read(r); err != nil {
		s.refuse(where, err.Error())
		return
	}
	s.set[e.key] = given{r, where, s.level}
}

// readFlags adds the flags that were changed.
func (s *sources) readFlags(fs *pflag.FlagSet) {
	if fs == nil {
		return
	}
	s.level++
	fs.VisitAll(func(f *pflag.Flag) {
		e := find(s.trial, f.Name)
		switch text := f.Value.String(); {
		case e == nil || !f.Changed:
		case text == "": // as from a shell variable that was never set
			s.refuse("--"+f.Name, "expected a value, found an empty text")
		default:
			s.take(e, raw{text: text}, "--"+f.Name)
		}
	})
}

// config makes the Config from all given settings.
func (s *sources) config() (Config, error) {
	if len(s.problems) > 0 {
		return Config{}, errors.Join(s.problems...)
	}
	s.settle()
	c, all := Default(), notGiven
	for _, e := range settingsFor(&c, &all) {
		if g, ok := s.set[e.key]; ok {
			if err := e.read(g.raw); err != nil {
				return Config{}, &problem{g.where, err.Error()}
			}
		}
	}
	c.setModelDefaults(s.given)
	if s.given("groups") {
		s.overrideGroups(c.Groups, all)
		if err := fillGroups(c.Groups, all); err != nil {
			s.refuse(s.at("groups"), err.Error())
		}
	} else {
		for i, key := range []string{"lower-weight-decay", "upper-weight-decay"} {
			if !s.given(key) {
				c.Groups[i].WeightDecay = ownWeightDecay(c.Groups[i].Solver)
			}
		}
	}
	if len(s.problems) == 0 {
		s.setNetwork(&c)
		s.checkLoss(c)
	}
	if len(s.problems) > 0 {
		return Config{}, errors.Join(s.problems...)
	}
	return c, nil
}

// settle decides between settings that exclude each other.
func (s *sources) settle() {
	s.settleModel()
	for _, e := range s.trial {
		r, ok := s.set[e.key]
		if !ok || e.replaces == nil {
			continue
		}
		if e.empty() {
			delete(s.set, e.key)
			continue
		}
		for _, key := range e.replaces {
			switch other, ok := s.set[key]; {
			case !ok:
			case other.level < r.level:
				delete(s.set, key)
			case other.level == r.level:
				s.refuse(other.where, fmt.Sprintf("conflicts with %s, which replaces it", r.where))
			default:
				s.refuse(other.where, fmt.Sprintf("conflicts with %s, which replaces %s; %s", r.where, key, e.advice))
			}
		}
	}
	s.settleChannels()
	if s.given("groups") {
		return
	}
	for _, e := range s.trial {
		for _, key := range e.forAll {
			if g, ok := s.set[e.key]; ok && (!s.given(key) || s.set[key].level < g.level) {
				s.set[key] = g
			}
		}
	}
}

// settleModel lets a model that overrides a file replace the file's list of layers, and a form of LayerNorm that contradicts the model.
func (s *sources) settleModel() {
	m, ok := s.set["model"]
	if !ok {
		return
	}
	if layers, ok := s.set["layers"]; ok && layers.level < m.level {
		delete(s.set, "layers")
	}
	hasNorm := find(s.trial, "layernorm-form").get() != string(model.NoLayerNorm)
	name := find(s.trial, "model").get()
	if form, ok := s.set["layernorm-form"]; ok && form.level < m.level && (name == mlp && hasNorm || name == mlpLN && !hasNorm) {
		delete(s.set, "layernorm-form")
	}
}

// settleChannels refuses channels of a model without convolutions, unless a later source than theirs has chosen that model.
func (s *sources) settleChannels() {
	channels, ok := s.set["channels"]
	name := find(s.trial, "model").get()
	switch {
	case !ok:
	case find(s.trial, "channels").text() == "", name != cnn && s.given("model") && s.set["model"].level > channels.level:
		delete(s.set, "channels")
	case name != cnn && !s.given("layers"): // which conflicts with channels anyway
		s.refuse(channels.where, fmt.Sprintf("belongs to the model %s, but the model is %s: leave it out or add --model %s", cnn, name, cnn))
	}
}

// overrideGroups sets the groups of an earlier source to the values for all groups. A frozen group stays frozen.
func (s *sources) overrideGroups(groups []Group, all Group) {
	over := func(key string) bool { return s.given(key) && s.set[key].level > s.set["groups"].level }
	for i := range groups {
		g := &groups[i]
		if over("lr") && g.LR != 0 {
			g.LR = all.LR
		}
		if over("solver") {
			g.Solver = all.Solver
		}
		if over("schedule") {
			g.Schedule = all.Schedule
		}
		if over("weight-decay") {
			g.WeightDecay = all.WeightDecay
		}
	}
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
	s.problems = append(s.problems, c.foreign(name, s.at)...)
}

// readConfig reads a file, the config.yaml of a run directory, or a built-in config.
func (s *sources) readConfig(file string) error {
	name, text, isRun, err := open(file)
	if err != nil {
		return err
	}
	if err := s.readYAML(name, text); err != nil {
		return err
	}
	if isRun { // a new run needs its own directory
		delete(s.set, "out")
	}
	return nil
}

// open reads a config and gives the name to call it by in errors.
func open(file string) (name string, text []byte, isRun bool, err error) {
	builtIn := strings.TrimSuffix(file, ".yaml")
	isBuiltIn := slices.Contains(configs.Names(), builtIn)
	if isBuiltIn && builtIn == file {
		text, err = configs.Read(builtIn)
		return builtIn + ".yaml", text, false, err
	}
	path := file
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		path, isRun = run.Dir(file).Config(), true
	}
	text, err = readFile(path)
	switch {
	case len(text) > maxFile:
		err = &problem{"config " + path, fmt.Sprintf("expected a settings file of at most %d bytes, found more", maxFile)}
	case err == nil:
		return path, text, isRun, nil
	case errors.Is(err, os.ErrNotExist) && isRun:
		err = &problem{"config " + file, "expected a run directory with " + run.Dir("").Config() + ", found none"}
	case errors.Is(err, os.ErrNotExist) && isBuiltIn:
		text, err = configs.Read(builtIn)
		return file, text, false, err
	case errors.Is(err, os.ErrNotExist):
		hint := didYouMean(builtIn, configs.Names())
		err = &problem{"config " + file, "no such file or run, and no built-in config of that name; the built-in ones are " + strings.Join(configs.Names(), ", ") + hint}
	default:
		err = &problem{"config " + path, "can't be read: " + reason(err)}
	}
	return "", nil, false, err
}

// maxFile is the largest size of a settings file in bytes, about twenty times the size of a file with all settings.
const maxFile = 32 << 10

// readFile reads at most one byte more than maxFile, because the file may be a pipe or a device without end.
func readFile(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxFile+1))
}

// reason is what went wrong with a file, without its name.
func reason(err error) string {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err.Error()
	}
	return err.Error()
}
