package config

import (
	"errors"
	"strings"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)

// The allowed values come from the registries, so that a new entry there needs no change here.
var (
	aSchedule = "expected a schedule of " + strings.Join(schedule.Names(), ", ")
	aMetric   = metric.Allowed(dataset.ClassNames[:])
	aSolver   = "one of " + strings.Join(solver.Names(), ", ")
	aLoss     = "one of auto, " + strings.Join(loss.Names(), ", ")
)

// allKeys are the keys of all settings.
func allKeys() []string {
	c := Default()
	return keysOf(settings(&c))
}

const (
	aWidth = "at least one hidden layer, each width a whole number from 1 to 65536"
)

// A bad value is refused from a file and from a flag. The error has the key, the value and what is allowed. In the table, an empty
// atFlag means that the flag is not tested, because it accepts the value or can't hold it.
func TestRefusedValues(t *testing.T) {
	for _, test := range []struct{ key, inFile, found, allowed, atFlag string }{
		{"epochs", "five", `the text "five"`, "a whole number from 0 to 1000000000", "five"},
		{"epochs", "-1", "-1", "a whole number from 0 to 1000000000", "-1"},
		{"epochs", "1.0", "1.0", "a whole number from 0 to 1000000000", ""},
		{"epochs", `"5"`, `the text "5"`, "a whole number from 0 to 1000000000", ""},
		{"epochs", "", "nothing", "a whole number from 0 to 1000000000", " "},
		{"epochs", "[5]", "the list [5]", "a whole number from 0 to 1000000000", "[5]"},
		{"epochs", "99999999999999999999", "99999999999999999999", "a whole number from 0 to 1000000000", "99999999999999999999"},
		{"batch-size", "3.5", "3.5", "a whole number from 1 to 65536", "3.5"},
		{"batch-size", "0", "0", "a whole number from 1 to 65536", "0"},
		{"batch-size", "65537", "65537", "a whole number from 1 to 65536", "65537"},
		{"hidden", "0", "0", aWidth, "0"},
		{"hidden", "[]", "an empty list", aWidth, ","},
		{"hidden", "[100, 0]", "the list [100, 0]", aWidth, "100,0"},
		{"hidden", "[100, 65537]", "the list [100, 65537]", aWidth, "100,65537"},
		{"hidden", "wide", `the text "wide"`, aWidth, "wide"},
		{"hidden", `"100"`, `the text "100"`, aWidth, ""},
		{"hidden", "100,100", `the text "100,100"`, aWidth, ""},
		{"hidden", `[100, "100"]`, `the list [100, the text "100"]`, aWidth, ""},
		{"hidden", "[100, [100]]", "the list [100, a list]", aWidth, "100,[100]"},
		{"hidden", "{a: 1}", "a mapping", aWidth, "{a: 1}"},
		{"model", "vgg", `the text "vgg"`, "one of mlp, mlp-ln, resmlp, cnn", "vgg"},
		{"activation", "swish", `the text "swish"`, "one of " + strings.Join(layer.Activations(), ", "), "swish"},
		{"upper-solver", "lbfgs2", `the text "lbfgs2"`, aSolver, "lbfgs2"},
		{"lower-lr", "-1e-4", "-1e-4", "a finite number of at least 0", "-1e-4"},
		{"lower-lr", ".nan", ".nan", "a finite number of at least 0", "nan"},
		{"upper-lr", ".inf", ".inf", "a finite number of at least 0", "inf"},
		{"upper-lr", "1e39", "1e39", "a finite number of at least 0", "1e39"},
		{"upper-lr", "fast", `the text "fast"`, "a finite number of at least 0", "fast"},
		{"upper-layers", "0", "0", "a whole number of at least 1", "0"},
		{"lower-weight-decay", "-0.1", "-0.1", "auto or a finite number of at least 0", "-0.1"},
		{"upper-weight-decay", "none", `the text "none"`, "auto or a finite number of at least 0", "none"},
		{"weight-decay-all", "1", "1", "true or false", ""},
		{"layernorm-form", "torch", `the text "torch"`, "one of book, keras, none", "torch"},
		{"layernorm-form", "null", "nothing", "one of book, keras, none", "null"},
		{"layernorm-epsilon", "0", "0", "a finite number above 0", "0"},
		{"layernorm-epsilon", "1e-60", "1e-60", "a finite number above 0", "1e-60"},
		{"layernorm-epsilon", ".inf", ".inf", "a finite number above 0", "+Inf"},
		{"loss", "l1", `the text "l1"`, aLoss, "l1"},
		{"label-smoothing", "1", "1", "auto or a number from 0 to below 1", "1"},
		{"label-smoothing", ".nan", ".nan", "auto or a number from 0 to below 1", "nan"},
		{"focal-gamma", "-1", "-1", "auto or a finite number of at least 0", "-1"},
		{"huber-delta", "0", "0", "auto or a finite number above 0", "0"},
		{"huber-delta", ".inf", ".inf", "auto or a finite number above 0", "inf"},
		{"metrics", "bleu-score", `"bleu-score"`, aMetric, "bleu-score"},
		{"metrics", "[top3, precision:Boot]", `"precision:Boot"`, aMetric, "precision:Boot"},
		{"metrics", "[ece, ece]", "ece again", "each metric once", ""},
		{"metrics", "[]", "an empty list", aMetric, ""},
		{"metrics", "5", "5", aMetric, "5"},
		{"validation", "-1", "-1", "auto or a whole number of at least 0", "-1"},
		{"validation", `"5"`, `the text "5"`, "auto or a whole number of at least 0", ""},
		{"accumulate", "0", "0", "a whole number from 1 to 4096", "0"},
		{"accumulate", "2.5", "2.5", "a whole number from 1 to 4096", "2.5"},
		{"l2", "-1", "-1", "a finite number of at least 0", "-1"},
		{"activity-l2", ".nan", ".nan", "a finite number of at least 0", "nan"},
		{"max-norm", "-1", "-1", "a finite number of at least 0", "-1"},
		{"clip-norm", "-1", "-1", "a finite number of at least 0", "-1"},
		{"clip-norm", ".inf", ".inf", "a finite number of at least 0", "inf"},
		{"augment", "shift:40", `"shift:40"`, dataset.AugmentationAllowed, "shift:40"},
		{"augment", "[flip, cutout:0]", `"cutout:0"`, dataset.AugmentationAllowed, "cutout:0"},
		{"augment", "[flip, flip]", "flip and flip", "flip once", ""},
		{"augment", "5", "5", dataset.AugmentationAllowed, ""},
		{"augment", "{shift: 2}", "a mapping", dataset.AugmentationAllowed, ""},
		{"ema", "1", "1", "a number from 0 to below 1", "1"},
		{"ema", "-0.1", "-0.1", "a number from 0 to below 1", "-0.1"},
		{"ema", ".nan", ".nan", "a number from 0 to below 1", "nan"},
		{"patience", "-1", "-1", "a whole number of at least 0", "-1"},
		{"seed", "-1", "-1", "a whole number from 0 to 18446744073709551615", "-1"},
		{"seed", "18446744073709551616", "18446744073709551616", "a whole number from 0 to 18446744073709551615", "18446744073709551616"},
		{"shuffle", `"yes"`, `the text "yes"`, "true or false", "yes"},
		{"shuffle", `"true"`, `the text "true"`, "true or false", ""},
		{"data", "5", "5", "UTF-8 text (in a file, in quotes if YAML takes it for something else)", "\xff"},
		{"out", "2026-01-02", "2026-01-02", "UTF-8 text (in a file, in quotes if YAML takes it for something else)", ""},
		{"init", "[a]", `the list [the text "a"]`, "UTF-8 text (in a file, in quotes if YAML takes it for something else)", ""},
		{"log-every", "-5", "-5", "a whole number of at least 0", "-5"},
		{"progress", "fancy", `the text "fancy"`, "one of auto, bar, lines, none", "fancy"},
		{"json", "yes", `the text "yes"`, "true or false", "yes"},
	} {
		_, err := resolve("f.yaml", []byte("# a file\n"+test.key+": "+test.inFile), nil)
		want := "f.yaml:2: " + test.key + ": expected " + test.allowed + ", found " + test.found
		if message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found  %v\nwanted %s", err, want)
		}
		if test.atFlag == "" {
			continue
		}
		_, err = resolve("", nil, flags(t, "--"+test.key+"="+test.atFlag))
		want = "--" + test.key + ": expected " + test.allowed + ", found " + quoted(test.atFlag)
		if message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found  %v\nwanted %s", err, want)
		}
	}
}

// A wrong schedule, in a file or as a flag, is refused, and the error says what is wrong.
func TestRefusedSchedules(t *testing.T) {
	for value, want := range map[string]string{
		"linear":               aSchedule + `, with options as in step:epochs=10,factor=0.1; found "linear"`,
		"step:gamma=0.1":       `step: expected options of epochs, factor as in step:epochs=10,factor=0.1, found "gamma=0.1"`,
		"cosine:warmup=many":   `cosine: warmup: "many" is not a number; expected a whole number of steps or, below 1, a fraction of the run`,
		"plateau:patience=0.5": `plateau: patience: expected a whole number from 0 to 1e9, found 0.5`,
	} {
		_, err := resolve("f.yaml", []byte("upper-schedule: "+value), flags(t, "--lower-schedule="+value))
		if want := "f.yaml:1: upper-schedule: " + want + "\n--lower-schedule: " + want; message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found\n%v\nwanted\n%s", err, want)
		}
	}
	for inFile, found := range map[string]string{
		"[step]": `the list [the text "step"]`, "7": "7", "": "nothing", "{step: 1}": "a mapping", "!x step": "step",
	} {
		_, err := resolve("f.yaml", []byte("upper-schedule: "+inFile), nil)
		if !strings.HasPrefix(message(err), "f.yaml:1: upper-schedule: "+aSchedule) || !strings.Contains(message(err), "found "+found) {
			t.Errorf("%s: %v", inFile, err)
		}
	}
}

// A wrong list of layers, as text or list in a file or as a flag, is refused, and the error says what is wrong and where.
func TestRefusedLayers(t *testing.T) {
	items := "expected a layer, one of " + strings.Join(layer.Usages(), ", ") + "; found "
	for text, want := range map[string]string{
		"300,lrelu,10":             `at character 5: ` + items + `"lrelu"`,
		"300,relu":                 `at character 5: the last layer is "relu"; expected 10, one unit a class`,
		"300,relu,":                `at character 10: ` + items + `the end`,
		"300,dropout:1,10":         `at character 13: expected a rate from 0 to below 1, as in dropout:0.2, found "1"`,
		"300,res(relu,100),10":     `at character 5: the block res(relu-100) adds its input of shape 300 to its output of shape 100; expected one shape`,
		"300,res(relu,300,10":      `at character 20: expected a dash or the ) of the block, found the end`,
		"300,res,10":               `at character 8: expected the layers of the block in parentheses, as in res(ln-relu-300), found ","`,
		"70000,10":                 `at character 1: expected from 1 to 65536 units, found 70000`,
		"300 10":                   `at character 5: expected a dash, found "10"`,
		"300@-10":                  `at character 5: expected the name of a group, of letters and digits, found "-"`,
		"300)-10":                  `at character 4: expected a dash, found ")"`,
		"300,dropout:,10":          `at character 13: expected a rate from 0 to below 1, as in dropout:0.2, found ","`,
		strings.Repeat("res(", 17): `at character 65: expected at most 16 blocks within each other, found more`,
	} {
		want = `in "` + text + `", ` + want
		_, err := resolve("f.yaml", []byte("layers: '"+text+"'"), flags(t, "--layers="+text))
		if want := "f.yaml:1: layers: " + want + "\n--layers: " + want; message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found\n%v\nwanted\n%s", err, want)
		}
	}
	_, err := resolve("f.yaml", []byte("layers: [300, lrelu, 10]"), nil)
	if want := `f.yaml:1: layers: in "300,lrelu,10", at character 5: ` + items + `"lrelu"`; message(err) != want {
		t.Errorf("found\n%v\nwanted\n%s", err, want)
	}
}

func quoted(s string) string {
	if s == "\xff" {
		return `"\xff"`
	}
	return `"` + s + `"`
}

func TestRefusedFiles(t *testing.T) {
	const tooMany = "expected at most as many upper layers as hidden layers, so that the lower group has one; found upper-layers "
	for _, test := range []struct {
		file, want string
		args       []string
	}{
		{file: "epoch: 5", want: "f.yaml:1: epoch: unknown setting; did you mean epochs?"},
		{file: "epochs: 5\nlower_lr: 1", want: "f.yaml:2: lower_lr: unknown setting; did you mean lower-lr?"},
		{file: "Batch-Size: 5", want: "f.yaml:1: Batch-Size: unknown setting; did you mean batch-size?"},
		{file: "optimizer: adam", want: "f.yaml:1: optimizer: unknown setting; did you mean solver?"},
		{file: "lower.lr: 1", want: "f.yaml:1: lower.lr: unknown setting; did you mean lower-lr?"},
		{file: "lower: {lr: 1}", want: "f.yaml:1: lower: unknown setting; help configs lists the settings"},
		{file: "seed: 1\nepochs: 2\nseed: 1", want: "f.yaml:3: seed: expected once, found again (first on line 1)"},
		{file: "[a]: 1", want: `f.yaml:1: expected the name of a setting, found the list [the text "a"]`},
		{file: "? ", want: "f.yaml:1: expected the name of a setting, found nothing"},
		{file: "- epochs: 5", want: `f.yaml:1: expected lines of "key: value", found the list [a mapping]`},
		{file: "epochs", want: `f.yaml:1: expected lines of "key: value", found the text "epochs"`},
		{file: "epochs: 5\n---\nseed: 1\n", want: "f.yaml:2: expected one YAML document, found a second"},
		{file: "epochs: 5\n---\n[", want: "f.yaml: not valid YAML: line 3: did not find expected node content"},
		{file: "epochs: [", want: "f.yaml: not valid YAML: line 1: did not find expected node content"},
		{file: "epochs: *n", want: "f.yaml: not valid YAML: unknown anchor 'n' referenced"},
		{file: "\x00\x01", want: "f.yaml: not valid YAML: control characters are not allowed"},
		{file: "upper-layers: 2", want: "f.yaml:1: upper-layers: " + tooMany + "2, hidden layers 1"},
		{args: []string{"--upper-layers", "2"}, want: "--upper-layers: " + tooMany + "2, hidden layers 1"},
		{file: "hidden: [5, 5]\nupper-layers: 2", args: []string{"--hidden", "5"}, want: "f.yaml:2: upper-layers: " + tooMany + "2, hidden layers 1"},
		{file: "channels: 8", want: "f.yaml:1: channels: belongs to the model cnn, but the model is mlp-ln: leave it out or add --model cnn"},
		{file: "model: cnn", args: []string{"--channels=8", "--model=resmlp"}, want: "--channels: belongs to the model cnn, but the model is resmlp: leave it out or add --model cnn"},
		{args: []string{"--channels=8", "--layers=conv:8-10"}, want: "--channels: conflicts with --layers, which replaces it"},
		{args: []string{"--model=cnn", "--channels=2,2,2,2,2"}, want: "--channels: architecture: maxpool: expected a map of at least 2x2 places, found 1x1x2"},
		{args: []string{"--model=cnn", "--channels=2", "--upper-layers=3"}, want: "--upper-layers: " + tooMany + "3, hidden layers 2"},
		{file: "layers: {a: 1}", want: "f.yaml:1: layers: expected a list of layers, as in 300-ln-relu-dropout:0.2-10 or [300, ln, relu, 10], found a mapping"},
		{file: "layers: 300-10\nhidden: 50", want: "f.yaml:2: hidden: conflicts with f.yaml:1: layers, which replaces it"},
		{args: []string{"--layers=300-10", "--model=mlp"}, want: "--model: conflicts with --layers, which replaces it"},
		{file: "upper-layers: 3", args: []string{"--layers=300-10"}, want: "f.yaml:1: upper-layers: architecture: expected from 1 to 2 upper layers, found 3"},
		{file: "model: resmlp\nhidden: [30, 20]", want: "f.yaml:2: hidden: a residual block adds its input to its output; expected one width for all hidden layers, found [30 20]"},
		{file: "layernorm-form: none", args: []string{"--layers=300-ln-10"}, want: `f.yaml:1: layernorm-form: in "784-300-ln-10", at character 9: expected a network without ln, as the form of LayerNorm is none`},
		{file: "loss: mse\nfocal-gamma: 2", want: "f.yaml:2: focal-gamma: belongs to the loss focal, but the loss is mse: leave it out or set it to auto"},
		{args: []string{"--huber-delta=2"}, want: "--huber-delta: belongs to the loss huber, but the loss is cross-entropy: leave it out or set it to auto"},
		{file: "focal-gamma: 2", args: []string{"--loss=hinge", "--label-smoothing=0.1", "--init=run"},
			want: "--label-smoothing: belongs to the loss cross-entropy, but the loss is hinge: leave it out or set it to auto\n" +
				"f.yaml:1: focal-gamma: belongs to the loss focal, but the loss is hinge: leave it out or set it to auto"},
		{args: []string{"--hidden", ""}, want: "--hidden: expected a value, found an empty text"},
	} {
		_, err := resolve("f.yaml", []byte(test.file), flags(t, test.args...))
		if message(err) != test.want || !errors.Is(err, ErrInvalid) {
			t.Errorf("%q %q\nfound  %v\nwanted %s", test.file, test.args, err, test.want)
		}
	}
}

// All mistakes in the file and the flags are reported together, without the right values. A bad value in the file is a mistake even if a
// flag overrides it.
func TestAllProblemsAtOnce(t *testing.T) {
	_, err := resolve("f.yaml", []byte("epochs: five\nseed: 1\nbatch: 1\nshuffle: 2"), flags(t, "--epochs=3", "--hidden=0", "--progress=dots"))
	want := strings.Join([]string{
		`f.yaml:1: epochs: expected a whole number from 0 to 1000000000, found the text "five"`,
		"f.yaml:3: batch: unknown setting; did you mean batch-size?",
		"f.yaml:4: shuffle: expected true or false, found 2",
		"--hidden: expected " + aWidth + `, found "0"`,
		`--progress: expected one of auto, bar, lines, none, found "dots"`,
	}, "\n")
	if message(err) != want || !errors.Is(err, ErrInvalid) {
		t.Errorf("found\n%v\nwanted\n%s", err, want)
	}
}

// A flag that contradicts a file's network or list of groups is refused. The error names both sources and what would be right.
func TestFlagsAgainstALargerSetting(t *testing.T) {
	for _, flag := range []string{"activation=gelu", "hidden=50", "dropout=0.5"} {
		key, _, _ := strings.Cut(flag, "=")
		_, err := Resolve("residual", flags(t, "--"+flag))
		want := "--" + key + ": conflicts with residual.yaml:7: layers, which replaces " + key + "; --model NAME trains a built-in network instead"
		if message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("found\n%v\nwanted\n%s", err, want)
		}
	}
}

// The nearest valid value is suggested, also for the spellings of other tools.
func TestSuggestedValues(t *testing.T) {
	for arg, want := range map[string]string{
		"--loss=cross_entropy": "cross-entropy", "--loss=crossentropy": "cross-entropy", "--loss=focl": "focal", "--solver=adma": "adam",
		"--activation=rleu": "relu", "--schedule=cosin:warmup=5": "cosine", "--schedule=OneCycle": "1cycle", "--model=mlpln": "mlp-ln", "--metrics=top-3": "top3",
		"--metrics=ece,f1": "macro-f1", "--metrics=precision:boot": "", "--metrics=recall:Sandals": "recall:Sandal", "--solver=SGDD": "sgd",
		"--model=resnet": "resmlp", "--loss=sparse_categorical_crossentropy": "cross-entropy",
	} {
		_, err := Resolve("", flags(t, arg))
		suggested := strings.HasSuffix(message(err), "; did you mean "+want+"?") || want == "" && !strings.Contains(message(err), "did you mean")
		if !suggested || !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: found %v, wanted the suggestion %s", arg, err, want)
		}
	}
	if _, err := Resolve("", flags(t, "--epochs=1e9")); message(err) != `--epochs: expected a whole number from 0 to 1000000000, found "1e9"; write 1000000000` {
		t.Error(err)
	}
}

// For words of other tools, the error suggests this program's word.
func TestSuggest(t *testing.T) {
	c := Default()
	keys := keysOf(settings(&c))
	for word, want := range map[string]string{
		"epoch": "epochs", "batchsize": "batch-size", "batch_size": "batch-size", "learning-rate": "lr", "learning_rate": "lr", "LR": "lr",
		"upper_lr": "upper-lr", "optimizer": "solver", "num_workers": "threads", "clip": "clip-norm", "quiet": "progress", "momentum": "", "frobnicate": "",
		"optimzer": "solver", "learing_rate": "lr", "qwertyuiop": "",
	} {
		if found := Suggest(word, keys); found != want {
			t.Errorf("%s: found %q, wanted %q", word, found, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0}, {"kitten", "sitting", 3},
		{"flaw", "lawn", 2}, {"intention", "execution", 5}, {"lower_lr", "lower-lr", 1}, {"adma", "adam", 1},
	} {
		if got := edits(test.a, test.b); got != test.want {
			t.Errorf("edits(%q, %q) = %d, want %d", test.a, test.b, got, test.want)
		}
	}
}
