package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
	"pgregory.net/rapid"

	"fmtrain/configs"
)

func flags(t interface{ Fatalf(string, ...any) }, args ...string) *pflag.FlagSet {
	fs := pflag.NewFlagSet("train", pflag.ContinueOnError)
	AddFlags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return fs
}

// resolve is [Resolve] with the file's text, which may be empty.
func resolve(name string, text []byte, fs *pflag.FlagSet) (Config, error) {
	s := newSources()
	if err := s.readYAML(name, text); err != nil {
		return Config{}, err
	}
	s.readFlags(fs)
	return s.config()
}

func TestPrecedence(t *testing.T) {
	for _, test := range []struct {
		file string
		args []string
		want func(*Config)
	}{
		{"", nil, func(*Config) {}},
		{"# nothing but a comment\n", nil, func(*Config) {}},
		{"---\n", nil, func(*Config) {}},
		{"epochs: 7", nil, func(c *Config) { c.Epochs = 7 }},
		{"", []string{"--epochs=8"}, func(c *Config) { c.Epochs = 8 }},
		{"epochs: 7", []string{"--epochs", "8"}, func(c *Config) { c.Epochs = 8 }},
		{"epochs: 7", []string{"--epochs", "5"}, func(*Config) {}}, // a flag at its default still counts
		{"epochs: 7", []string{"--seed", "1"}, func(c *Config) { c.Epochs, c.Seed = 7, 1 }},
		{"hidden: 64", nil, func(c *Config) { c.Hidden = []int{64} }},
		{"hidden: [64, 32]", nil, func(c *Config) { c.Hidden = []int{64, 32} }},
		{"hidden: [64, 32, 16]", []string{"--hidden", "10, 20"}, func(c *Config) { c.Hidden = []int{10, 20} }},
		{"hidden: [&w 64, *w]", nil, func(c *Config) { c.Hidden = []int{64, 64} }},
		{"shuffle: false", []string{"--shuffle"}, func(*Config) {}},
		{"shuffle: true", []string{"--shuffle=false", "--json"}, func(c *Config) { c.Shuffle, c.JSON = false, true }},
		{"model: mlp", nil, func(c *Config) { c.Model, c.LayerNormForm = "mlp", "none" }},
		{"model: mlp\nlayernorm-form: keras", nil, func(c *Config) { c.Model, c.LayerNormForm = "mlp", "keras" }},
		{"model: mlp", []string{"--model=resmlp"}, func(c *Config) { c.Model, c.Hidden = "resmlp", []int{100, 100, 100} }},
		{"hidden: [8, 8]", []string{"--model=resmlp"}, func(c *Config) { c.Model, c.Hidden = "resmlp", []int{8, 8} }},
		{"layers: [784, 300, LN, relu, dropout, \"res(ln, 300)\", 10]", nil, func(c *Config) { c.Layers = "784-300-ln-relu-dropout:0.2-res(ln-300)-10" }},
		{"layers: 10", nil, func(c *Config) { c.Layers = "784-10" }},
		{"layers: [300, 10]\nupper-layers: 2", []string{"--model=mlp", "--hidden=50, 20"}, func(c *Config) { c.Model, c.LayerNormForm, c.Hidden, c.UpperLayers = "mlp", "none", []int{50, 20}, 2 }},
		{"layernorm-form: book\nhidden: [300, 100]", []string{"--model=mlp"}, func(c *Config) { c.Model, c.LayerNormForm, c.Hidden = "mlp", "none", []int{300, 100} }},
		{"model: cnn", nil, func(c *Config) { c.Model, c.Channels = "cnn", []int{32, 64} }},
		{"model: cnn\nchannels: 8", []string{"--channels=4,6", "--hidden=50"}, func(c *Config) { c.Model, c.Channels, c.Hidden = "cnn", []int{4, 6}, []int{50} }},
		{"model: cnn\nchannels: [8, 9]\nupper-layers: 3", nil, func(c *Config) { c.Model, c.Channels, c.UpperLayers = "cnn", []int{8, 9}, 3 }},
		{"model: cnn\nchannels: 8", []string{"--model=mlp-ln"}, func(*Config) {}},
		{"model: cnn\nchannels: 8", []string{"--layers=conv:3v-10"}, func(c *Config) { c.Layers = "784-conv:3v-10" }},
		{"channels: []", nil, func(*Config) {}},
		{"layernorm-form: none", []string{"--model=MLP-LN"}, func(*Config) {}},
		{"layernorm-form: keras", []string{"--model=mlp-ln"}, func(c *Config) { c.LayerNormForm = "keras" }},
		{"layernorm-form: keras", []string{"--model=resmlp"}, func(c *Config) { c.LayerNormForm, c.Model, c.Hidden = "keras", "resmlp", []int{100, 100, 100} }},
		{"model: mlp", []string{"--layernorm-form=keras"}, func(c *Config) { c.Model, c.LayerNormForm = "mlp", "keras" }},
		{"", []string{"--activation=ReLU", "--lower-solver=ADAM", "--loss=Cross-Entropy", "--progress=None", "--metrics=TOP3", "--lower-schedule=Constant"},
			func(c *Config) { c.Loss, c.Progress, c.Metrics = "cross-entropy", "none", []string{"top3"} }},
		{"activation: GELU\nloss: AUTO\nlayers: ''", nil, func(c *Config) { c.Activation = "gelu" }},
		{"dropout: 0.3", nil, func(c *Config) { c.Dropout = 0.3 }},
		{"hidden: 50\nmodel: resmlp", []string{"--layers=300-10"}, func(c *Config) { c.Layers = "784-300-10" }},
		{"layers: \"\"\nhidden: 50", nil, func(c *Config) { c.Hidden = []int{50} }},
		{"layers: 300-200-10\nupper-layers: 3", nil, func(c *Config) { c.Layers, c.UpperLayers = "784-300-200-10", 3 }},
		{"lower-lr: 1", nil, func(c *Config) { c.Groups[0].LR = 1 }},
		{"lower-lr: 0", []string{"--upper-lr", "1e-5"}, func(c *Config) { c.Groups[0].LR, c.Groups[1].LR = 0, 1e-5 }},
		{"seed: 18446744073709551615", nil, func(c *Config) { c.Seed = 1<<64 - 1 }},
		{"lower-schedule: step", []string{"--upper-schedule", "cosine:end=0.1, warmup=5"}, func(c *Config) {
			c.Groups[0].Schedule, c.Groups[1].Schedule = parsed(t, "step"), parsed(t, "cosine:warmup=5,end=0.1")
		}},
		{"validation: 0", nil, func(c *Config) { c.Validation = new(0) }},
		{"validation: 10", []string{"--validation", "auto"}, func(*Config) {}},
		{"loss: focal", nil, func(c *Config) { c.Loss = "focal" }},
		{"loss: focal\nfocal-gamma: 3", nil, func(c *Config) { c.Loss, c.LossSettings[1].Value = "focal", new(3.) }},
		{"loss: focal\nfocal-gamma: 3", []string{"--loss=mse", "--focal-gamma=auto"}, func(c *Config) { c.Loss = "mse" }},
		{"", []string{"--label-smoothing=0.1"}, func(c *Config) { c.LossSettings[0].Value = new(0.1) }},
		{"label-smoothing: 0\nloss: hinge", nil, func(c *Config) { c.LossSettings[0].Value, c.Loss = new(0.), "hinge" }},
		{"init: run\nhuber-delta: 2", nil, func(c *Config) { c.Init, c.LossSettings[2].Value = "run", new(2.) }}, // its loss may be the Huber loss
		{"metrics: top3", nil, func(c *Config) { c.Metrics = []string{"top3"} }},
		{"metrics: [ece, precision:ankle-boot]", nil, func(c *Config) { c.Metrics = []string{"ece", "precision:Ankle boot"} }},
		{"metrics: ece", []string{"--metrics", "accuracy, recall:Ankle boot"}, func(c *Config) { c.Metrics = []string{"accuracy", "recall:Ankle boot"} }},
		{"hidden: [5, 5, 5]", []string{"--upper-layers", "3"}, func(c *Config) { c.Hidden, c.UpperLayers = []int{5, 5, 5}, 3 }},
		{"lower-solver: adamw", nil, func(c *Config) { c.Groups[0].Solver, c.Groups[0].WeightDecay = "adamw", 0.004 }},
		{"lower-weight-decay: 0", []string{"--lower-solver", "adamw", "--upper-solver", "adamw"}, func(c *Config) {
			c.Groups[0].Solver, c.Groups[1].Solver, c.Groups[1].WeightDecay = "adamw", "adamw", 0.004
		}},
		{"upper-solver: adamw\nupper-weight-decay: 0.1", []string{"--upper-weight-decay=auto"}, func(c *Config) {
			c.Groups[1].Solver, c.Groups[1].WeightDecay = "adamw", 0.004
		}},
		{"upper-weight-decay: 0.1", []string{"--upper-solver", "sgd"}, func(c *Config) { c.Groups[1].Solver, c.Groups[1].WeightDecay = "sgd", 0.1 }},
	} {
		got, err := resolve("f.yaml", []byte(test.file), flags(t, test.args...))
		if err != nil {
			t.Errorf("%q %q: %v", test.file, test.args, err)
			continue
		}
		want := Default()
		test.want(&want)
		if diff := differ(want, got); diff != "" {
			t.Errorf("%q %q (-want +got):\n%s", test.file, test.args, diff)
		}
	}
}

// A setting means the same in a file and as a flag: any split of the settings between the two gives the same Config, also if the file has
// another value for a setting of a flag.
func TestFileAndFlagAreTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, other := anyConfig(t), anyConfig(t)
		var args, lines []string
		table, others := settings(&want), settings(&other)
		for i, s := range table {
			if s.forAll != nil || replacer(table, s.key) != nil {
				continue
			}
			inFile := lineOf(t, s)
			excludes := s.replaces != nil || s.key == "model" || s.key == "layernorm-form" // or are excluded by a file's value
			if text := s.text(); text != "" && !excludes && rapid.Bool().Draw(t, s.key+" at a flag") {
				args = append(args, "--"+s.key+"="+text)
				if replacer(others, s.key) == nil {
					inFile = lineOf(t, others[i])
				}
			}
			lines = append(lines, inFile)
		}
		text := strings.Join(lines, "")
		got, err := resolve("f.yaml", []byte(text), flags(t, args...))
		if err != nil {
			t.Fatalf("%s%q: %v", text, args, err)
		}
		mustEqual(t, text, want, got)
	})
}

// lineOf is a setting as a file has it.
func lineOf(t *rapid.T, s *setting) string {
	node, err := s.node()
	if err != nil {
		t.Fatalf("%s: %v", s.key, err)
	}
	line, err := yaml.Marshal(map[string]any{s.key: node})
	if err != nil {
		t.Fatalf("%s: %v", s.key, err)
	}
	return string(line)
}

func TestDefaultFile(t *testing.T) {
	got, err := Resolve("default", nil)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "default.yaml", Default(), got)

	text, err := configs.Read("default")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	at := 0
	c := Default()
	for _, s := range settings(&c) {
		i := strings.Index(string(text[at:]), "\n"+s.key+": ")
		if i < 0 {
			t.Fatalf("default.yaml: %s is missing or out of order", s.key)
		}
		at += i
		want := s.text()
		if s.auto {
			want = auto
		}
		if found := textOf(file[s.key]); strings.Trim(strings.ReplaceAll(found, " ", ","), "[]") != want {
			t.Errorf("default.yaml: %s is %s, the default is %s", s.key, found, want)
		}
	}
}

// The configs of the book and of the first networks are settings that the docs describe. Those of the records are only read: their files
// are all that describes them.
func TestBuiltInConfigs(t *testing.T) {
	want := map[string]func(*Config){
		"default": func(*Config) {},
		"book-13a": func(c *Config) {
			c.LayerNormForm = "none"
			c.Groups[0].Solver, c.Groups[0].LR, c.Groups[1].LR = "nadam", 0.01, 0.01
		},
		"book-13b": func(c *Config) { c.Groups[0].Solver = "sgd" },
		"layernorm": func(c *Config) {
			c.Epochs, c.Hidden, c.Groups[0].LR = 10, []int{300, 100, 100}, 5e-4
		},
		"residual": func(c *Config) {
			c.Layers = "784-256-res(ln-relu-dropout:0.2-256)-res(ln-relu-dropout:0.2-256)-ln-relu-10"
			c.Epochs, c.Groups[0].LR = 10, 1e-3
			c.Groups[0].Schedule, c.Groups[1].Schedule = parsed(t, "cosine:warmup=500,end=0"), parsed(t, "cosine:warmup=500,end=0")
		},
	}
	for _, name := range configs.Names() {
		for _, file := range []string{name, name + ".yaml", filepath.Join("..", "..", "configs", name+".yaml")} {
			got, err := Resolve(file, nil)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			change, ok := want[name]
			if !ok {
				continue
			}
			c := Default()
			change(&c)
			if diff := differ(c, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", file, diff)
			}
		}
		text, err := configs.Read(name)
		if err != nil || !strings.HasPrefix(string(text), "# ") {
			t.Errorf("%s does not open with a comment (error %v)", name, err)
		}
	}
}

func TestFileOrBuiltIn(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{"book-13a": "epochs: 101", "book-13b.yaml": "epochs: 102", "mine": "epochs: 103"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for file, epochs := range map[string]int{
		"book-13a":        5, // a bare name is a built-in config first
		"./book-13a":      101,
		"book-13b.yaml":   102, // with an extension it is a file first
		"book-13b":        5,
		"./book-13b.yaml": 102,
		"book-13a.yaml":   5,
		"mine":            103,
		"":                5,
	} {
		c, err := Resolve(file, nil)
		if err != nil || c.Epochs != epochs {
			t.Errorf("%q: %d epochs, error %v; want %d", file, c.Epochs, err, epochs)
		}
	}
	names := strings.Join(configs.Names(), ", ")
	for file, want := range map[string]string{
		"book13a":          "config book13a: no such file or run, and no built-in config of that name; the built-in ones are " + names + "; did you mean book-13a?",
		"nope":             "config nope: no such file or run, and no built-in config of that name; the built-in ones are " + names,
		"./layernorm.yaml": "config ./layernorm.yaml: no such file or run, and no built-in config of that name; the built-in ones are " + names + "; did you mean layernorm?",
		".":                "config .: expected a run directory with config.yaml, found none",
	} {
		if _, err := Resolve(file, nil); message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v; want %s", file, err, want)
		}
	}
}

// Other commands have some of the settings as flags, together with flags that are not settings.
func TestForeignFlags(t *testing.T) {
	fs := pflag.NewFlagSet("eval", pflag.ContinueOnError)
	fs.String("data", "", "")
	fs.String("split", "test", "")
	fs.Bool("json", false, "")
	if err := fs.Parse([]string{"--data", "d", "--split", "train", "--json"}); err != nil {
		t.Fatal(err)
	}
	got, err := Resolve("", fs)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Data, want.JSON = "d", true
	mustEqual(t, "eval", want, got)
}
