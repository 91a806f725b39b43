package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
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
		{"layers: [300, 10]", []string{"--layers="}, func(*Config) {}},
		{"layers: [300, 10]", []string{"--hidden=50"}, func(c *Config) { c.Hidden = []int{50} }}, // a flag goes before a file
		{"hidden: 50\nmodel: resmlp", []string{"--layers=300-10"}, func(c *Config) { c.Layers = "784-300-10" }},
		{"layers: \"\"\nhidden: 50", nil, func(c *Config) { c.Hidden = []int{50} }},
		{"layers: 300-200-10\nupper-layers: 3", nil, func(c *Config) { c.Layers, c.UpperLayers = "784-300-200-10", 3 }},
		{"lower-lr: 1", nil, func(c *Config) { c.LowerLR = 1 }},
		{"lower-lr: 0", []string{"--upper-lr", "1e-5"}, func(c *Config) { c.LowerLR, c.UpperLR = 0, 1e-5 }},
		{"data: a", []string{"--data", ""}, func(*Config) {}},
		{"seed: 18446744073709551615", nil, func(c *Config) { c.Seed = 1<<64 - 1 }},
		{"lower-schedule: step", []string{"--upper-schedule", "cosine:end=0.1, warmup=5"}, func(c *Config) {
			c.LowerSchedule, c.UpperSchedule = "step:epochs=10,factor=0.1", "cosine:warmup=5,end=0.1"
		}},
		{"validation: 0", nil, func(c *Config) { c.Validation = new(0) }},
		{"validation: 10", []string{"--validation", "auto"}, func(*Config) {}},
		{"loss: focal", nil, func(c *Config) { c.Loss = "focal" }},
		{"loss: focal\nfocal-gamma: 3", nil, func(c *Config) { c.Loss, c.FocalGamma = "focal", new(3.) }},
		{"loss: focal\nfocal-gamma: 3", []string{"--loss=mse", "--focal-gamma=auto"}, func(c *Config) { c.Loss = "mse" }},
		{"", []string{"--label-smoothing=0.1"}, func(c *Config) { c.LabelSmoothing = new(0.1) }},
		{"label-smoothing: 0\nloss: hinge", nil, func(c *Config) { c.LabelSmoothing, c.Loss = new(0.), "hinge" }},
		{"init: run\nhuber-delta: 2", nil, func(c *Config) { c.Init, c.HuberDelta = "run", new(2.) }}, // its loss may be the Huber loss
		{"metrics: top3", nil, func(c *Config) { c.Metrics = []string{"top3"} }},
		{"metrics: [ece, precision:ankle-boot]", nil, func(c *Config) { c.Metrics = []string{"ece", "precision:Ankle boot"} }},
		{"metrics: ece", []string{"--metrics", "accuracy, recall:Ankle boot"}, func(c *Config) { c.Metrics = []string{"accuracy", "recall:Ankle boot"} }},
		{"hidden: [5, 5, 5]", []string{"--upper-layers", "3"}, func(c *Config) { c.Hidden, c.UpperLayers = []int{5, 5, 5}, 3 }},
		{"lower-solver: adamw", nil, func(c *Config) { c.LowerSolver, c.LowerWeightDecay = "adamw", 0.004 }},
		{"lower-weight-decay: 0", []string{"--lower-solver", "adamw", "--upper-solver", "adamw"}, func(c *Config) {
			c.LowerSolver, c.UpperSolver, c.UpperWeightDecay = "adamw", "adamw", 0.004
		}},
		{"upper-solver: adamw\nupper-weight-decay: 0.1", []string{"--upper-weight-decay=auto"}, func(c *Config) {
			c.UpperSolver, c.UpperWeightDecay = "adamw", 0.004
		}},
		{"upper-weight-decay: 0.1", []string{"--upper-solver", "sgd"}, func(c *Config) { c.UpperSolver, c.UpperWeightDecay = "sgd", 0.1 }},
	} {
		got, err := resolve("f.yaml", []byte(test.file), flags(t, test.args...))
		if err != nil {
			t.Errorf("%q %q: %v", test.file, test.args, err)
			continue
		}
		want := Default()
		test.want(&want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q %q (-want +got):\n%s", test.file, test.args, diff)
		}
	}
}

// A setting means the same in a file and at a flag: any split of the settings between the two gives the same Config, also
// when the file has another value for a flag's setting.
func TestFileAndFlagAreTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want, other := anyConfig(t), anyConfig(t)
		var args, lines []string
		for _, s := range settings {
			if replaced(values(want), s.key) {
				continue
			}
			inFile := lineOf(t, want, s.key)
			if rapid.Bool().Draw(t, s.key+" at a flag") {
				args = append(args, "--"+s.key+"="+textOf(values(want)[s.key]))
				inFile = lineOf(t, other, s.key)
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
func lineOf(t *rapid.T, c Config, key string) string {
	v := values(c)[key]
	if text := textOf(v); text == auto {
		v = text
	}
	line, err := yaml.Marshal(map[string]any{key: v})
	if err != nil {
		t.Fatalf("%s: %v", key, err)
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
	at := 0
	for _, s := range settings {
		i := strings.Index(string(text[at:]), "\n"+s.key+": ")
		if i < 0 {
			t.Fatalf("default.yaml: %s is missing or out of order", s.key)
		}
		at += i
	}
}

func TestBuiltInConfigs(t *testing.T) {
	want := map[string]func(*Config){
		"default": func(*Config) {},
		"book-13a": func(c *Config) {
			c.LayerNormForm = "none"
			c.LowerSolver, c.LowerLR, c.UpperSolver, c.UpperLR = "nadam", 0.01, "nadam", 0.01
		},
		"book-13b": func(c *Config) { c.LowerSolver = "sgd" },
		"layernorm": func(c *Config) {
			c.Epochs, c.Hidden, c.LowerLR = 10, []int{300, 100, 100}, 5e-4
		},
		"residual": func(c *Config) {
			c.Layers = "784-256-res(ln-relu-dropout:0.2-256)-res(ln-relu-dropout:0.2-256)-ln-relu-10"
			c.Epochs, c.LowerLR, c.LowerSchedule, c.UpperSchedule = 10, 1e-3, "cosine:warmup=500,end=0", "cosine:warmup=500,end=0"
		},
	}
	if names := configs.Names(); len(names) != len(want) {
		t.Errorf("built-in configs: found %v, the test knows %d", names, len(want))
	}
	for _, name := range configs.Names() {
		for _, file := range []string{name, name + ".yaml", filepath.Join("..", "..", "configs", name+".yaml")} {
			got, err := Resolve(file, nil)
			if err != nil {
				t.Errorf("%s: %v", file, err)
				continue
			}
			c := Default()
			want[name](&c)
			if diff := cmp.Diff(c, got); diff != "" {
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
	for file, want := range map[string]string{
		"nope":             "config nope: no such file, and no built-in config of that name; the built-in ones are book-13a, book-13b, default, layernorm, residual",
		"./layernorm.yaml": "config ./layernorm.yaml: no such file, and no built-in config of that name; the built-in ones are book-13a, book-13b, default, layernorm, residual",
		".":                "config .: can't be read: is a directory",
	} {
		if _, err := Resolve(file, nil); message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("%q: %v; want %s", file, err, want)
		}
	}
}

// Other commands have some of the settings as flags of their own, beside flags that are no settings.
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
