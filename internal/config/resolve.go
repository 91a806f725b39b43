package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/posflag"
	"github.com/knadh/koanf/providers/rawbytes"
	"github.com/knadh/koanf/providers/structs"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"fmtrain/configs"
)

// Resolve makes the settings of a run: the defaults, over them those of the file, over them the flags of fs that were
// changed. The file is a path or the name of a built-in config (see [configs.Names]); empty for none. Without a separator
// and an extension a name is a built-in one first, otherwise a file first. Flags that are no settings are passed over, and
// fs may be nil.
//
// Everything wrong is reported at once, a line each, with the source, the value and what is allowed; the error matches
// [ErrInvalid].
func Resolve(file string, fs *pflag.FlagSet) (Config, error) {
	if file == "" {
		return resolve("", nil, fs)
	}
	name, text, err := open(file)
	if err != nil {
		return Config{}, err
	}
	return resolve(name, text, fs)
}

// resolve is Resolve with the file's text, which may be empty.
func resolve(name string, text []byte, fs *pflag.FlagSet) (Config, error) {
	c, _, err := merge([]file{{name, text}}, fs)
	return c, err
}

// file is the text of a settings file and the name to call it by.
type file struct {
	name string
	text []byte
}

// merge is resolve with any number of files, the later over the earlier. It also gives where a setting came from, by key.
func merge(files []file, fs *pflag.FlagSet) (Config, map[string]string, error) {
	src := sources{set: map[string]string{}}
	k := koanf.New(".")
	if err := k.Load(structs.Provider(Default(), "koanf"), nil); err != nil {
		return Config{}, nil, err
	}
	for _, f := range files {
		if err := k.Load(rawbytes.Provider(f.text), &document{name: f.name, src: &src}); err != nil {
			return Config{}, nil, err
		}
	}
	if fs != nil {
		if err := k.Load(posflag.ProviderWithFlag(fs, ".", nil, src.readFlag), nil); err != nil {
			return Config{}, nil, err
		}
	}
	if err := src.settleModel(k); err != nil {
		return Config{}, nil, err
	}
	var c Config
	if err := k.Unmarshal("", &c); err != nil {
		return Config{}, nil, err
	}
	if src.unset(k, "lower-weight-decay") {
		c.LowerWeightDecay = ownWeightDecay(c.LowerSolver)
	}
	if src.unset(k, "upper-weight-decay") {
		c.UpperWeightDecay = ownWeightDecay(c.UpperSolver)
	}
	if len(src.problems) == 0 {
		src.checkGroups(c)
		src.checkModel(c)
		src.checkLoss(c)
	}
	if len(src.problems) > 0 {
		return Config{}, nil, errors.Join(src.problems...)
	}
	return c, src.set, nil
}

// sources keeps where the settings came from and what is wrong with them.
type sources struct {
	set      map[string]string // a key that a file or a flag has set -> "FILE:LINE: KEY" or "--FLAG"
	problems []error
}

func (s *sources) refuse(where, what string) {
	s.problems = append(s.problems, &problem{where, what})
}

// readFlag is the key and value of a flag for koanf; no key if the flag is no setting, wasn't changed or is wrong.
func (s *sources) readFlag(f *pflag.Flag) (string, any) {
	set, known := lookup(f.Name)
	if !known || !f.Changed {
		return "", nil
	}
	where := "--" + f.Name
	v, ok := set.read(f.Value.String())
	if !ok {
		s.refuse(where, set.refusal(f.Value.String(), strconv.Quote(f.Value.String())))
		return "", nil
	}
	s.set[f.Name] = where
	return f.Name, v
}

// unset tells whether a setting was left to its default or set to auto.
func (s *sources) unset(k *koanf.Koanf, key string) bool {
	return s.set[key] == "" || k.Get(key) == nil
}

// checkGroups refuses hidden layers that are all in the upper group, at the source of the number of upper layers or, if that is the
// default, of the hidden layers. A list of layers may be the upper group as a whole.
func (s *sources) checkGroups(c Config) {
	if c.Layers != "" || c.UpperLayers <= len(c.Hidden) {
		return
	}
	where := "upper-layers"
	for _, key := range []string{"hidden", "upper-layers"} {
		if s.set[key] != "" {
			where = s.set[key]
		}
	}
	s.refuse(where, fmt.Sprintf("expected no more upper layers than hidden layers, so that the lower group keeps one: found upper-layers %d, hidden layers %d",
		c.UpperLayers, len(c.Hidden)))
}

// open reads a config, a file or a built-in one, and gives the name to call it by in errors.
func open(file string) (name string, text []byte, err error) {
	builtIn := strings.TrimSuffix(file, ".yaml")
	isBuiltIn := slices.Contains(configs.Names(), builtIn)
	if isBuiltIn && builtIn == file {
		text, err = configs.Read(builtIn)
		return builtIn + ".yaml", text, err
	}
	text, err = readFile(file)
	switch {
	case len(text) > maxFile:
		return "", nil, &problem{"config " + file, fmt.Sprintf("expected a settings file of at most %d bytes, found more", maxFile)}
	case err == nil:
		return file, text, nil
	case errors.Is(err, os.ErrNotExist) && isBuiltIn:
		text, err = configs.Read(builtIn)
		return file, text, err
	case errors.Is(err, os.ErrNotExist):
		return "", nil, &problem{"config " + file, "no such file, and no built-in config of that name; the built-in ones are " + strings.Join(configs.Names(), ", ")}
	}
	return "", nil, &problem{"config " + file, "can't be read: " + reason(err)}
}

// maxFile is the number of bytes that a settings file may have, some twenty times those of one that sets everything.
const maxFile = 32 << 10

// readFile reads a file up to one byte beyond maxFile: it may be a pipe or a device, without end.
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
