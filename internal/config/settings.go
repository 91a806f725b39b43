package config

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"fmtrain/internal/bounds"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)

// The headings of the settings, in the order of the help.
const (
	HeadingRun            = "Run"
	HeadingNetwork        = "Network"
	HeadingSolvers        = "Solvers and rates"
	HeadingRegularisation = "Regularisation"
	HeadingData           = "Data"
	HeadingOutput         = "Output"
)

// Headings are all headings, in the order of the help.
func Headings() []string {
	return []string{HeadingRun, HeadingNetwork, HeadingSolvers, HeadingRegularisation, HeadingData, HeadingOutput}
}

const (
	maxSize    = 65536         // of a layer and of a batch: beyond it the buffers outgrow any machine's memory
	maxBatches = 4096          // of a step, so that its images can be counted on any machine
	maxEpochs  = 1_000_000_000 // so that the steps can be counted
	maxThreads = 1024
)

// setting is one entry of the table: a field of a Config, and everything that help, header and errors say about it.
type setting struct {
	key     string // in a file, and the name of the flag
	kind           // how the field is read and written
	heading string // in the help
	help    string // a phrase, without a full stop

	byDefault string // the default, as one would type it; empty: the zero value, or auto

	common   bool     // -h shows it too
	auto     bool     // the word auto means the default
	resume   bool     // a resume may change it
	header   string   // a line of a run's header, if the value is not the default; %s stands for the value
	replaces []string // settings that this one makes meaningless
	advice   string   // what to do if a flag gives one of those and the file has this one
	forAll   []string // settings that get this one's value unless they are set themselves; this one is not stored
}

// shown is the value of a Config with the defaults, as help shows it.
func (s *setting) shown() string {
	if s.auto {
		return auto
	}
	return s.text()
}

// settings is the table for a Config, in the order of a written file. Every field of a Config has an entry.
func settings(c *Config) []*setting { return settingsFor(c, &Group{Schedule: &schedule.Constant{}}) }

// settingsFor is the same; the values for all groups are stored in all.
func settingsFor(c *Config, all *Group) []*setting {
	two := c.Groups
	if c.OwnGroups() {
		two = Default().Groups
	}
	lower, upper := &two[0], &two[1]
	solvers := choice[string](solver.Names())
	rate := number("RATE", bounds.NonNegative)
	nonNegative := func(noun string) form[float64] { return number(noun, bounds.NonNegative) }
	decay := rate
	decay.allowed = "auto or " + decay.allowed

	table := []*setting{
		{key: "data", kind: textual("DIR").of(&c.Data), heading: HeadingData, common: true, resume: true,
			help: "directory of the IDX files; sample: the embedded sample; default: see help data"},
		{key: "out", kind: textual("DIR").of(&c.Out), heading: HeadingOutput, common: true,
			help: "run directory for settings, metrics and checkpoints; default: a new one in runs/"},
		{key: "epochs", kind: whole(0, maxEpochs).of(&c.Epochs), byDefault: "5", heading: HeadingRun, common: true, resume: true,
			help: "passes over the training images; 0: only save the initial weights"},
		{key: "batch-size", kind: whole(1, maxSize).of(&c.BatchSize), byDefault: "32", heading: HeadingRun, common: true,
			help: "images in a batch"},
		{key: "accumulate", kind: whole(1, maxBatches).of(&c.Accumulate), byDefault: "1", heading: HeadingRun,
			header: "accumulate: %s batches in a step",
			help:   "batches in a step; their gradients are averaged"},

		{key: "model", kind: choice[string](models).of(&c.Model), byDefault: "mlp-ln", heading: HeadingNetwork,
			help: "network: mlp (dense layers), mlp-ln (with LayerNorm), resmlp (residual blocks) or cnn (convolutions)"},
		{key: "layers", kind: layerList().of(&c.Layers), heading: HeadingNetwork, common: true,
			replaces: []string{"model", "channels", "hidden", "activation", "dropout"},
			advice:   "--model NAME trains a built-in network instead",
			help:     "full layer list, as in 300-ln-relu-dropout:0.2-10; replaces --model, --channels, --hidden, --activation and --dropout; see help layers"},
		{key: "channels", kind: channels().of(&c.Channels), heading: HeadingNetwork,
			help: "channels of the convolutions of the model cnn, input side first; default: 32,64"},
		{key: "hidden", kind: widths("hidden layer").of(&c.Hidden), byDefault: "100", heading: HeadingNetwork, common: true,
			help: "widths of the hidden layers, input side first"},
		{key: "activation", kind: choice[string](layer.Activations()).of(&c.Activation), byDefault: "relu", heading: HeadingNetwork,
			help: "activation of the hidden layers: " + strings.Join(layer.Activations(), ", ")},
		{key: "dropout", kind: number("RATE", bounds.Fraction).of(&c.Dropout), heading: HeadingRegularisation,
			help: "dropout after each hidden activation; 0: none"},

		{key: "lr", kind: rate.of(&all.LR), heading: HeadingSolvers, common: true, auto: true, forAll: []string{"lower-lr", "upper-lr"},
			help: "learning rate of all groups"},
		{key: "solver", kind: solvers.of(&all.Solver), heading: HeadingSolvers, common: true, auto: true, forAll: []string{"lower-solver", "upper-solver"},
			help: "solver of all groups; see help solvers"},
		{key: "schedule", kind: schedules().of(&all.Schedule), heading: HeadingSolvers, common: true, auto: true, forAll: []string{"lower-schedule", "upper-schedule"},
			help: "learning-rate schedule of all groups; see help schedules"},
		{key: "weight-decay", kind: rate.of(&all.WeightDecay), heading: HeadingRegularisation, auto: true, forAll: []string{"lower-weight-decay", "upper-weight-decay"},
			help: "weight decay of all groups"},

		{key: "lower-solver", kind: solvers.of(&lower.Solver), byDefault: "adam", heading: HeadingSolvers,
			help: "solver of the lower group, the layers near the input"},
		{key: "lower-lr", kind: rate.of(&lower.LR), byDefault: "1e-4", heading: HeadingSolvers,
			help: "learning rate of the lower group; 0 freezes it"},
		{key: "lower-schedule", kind: schedules().of(&lower.Schedule), byDefault: "constant", heading: HeadingSolvers,
			help: "learning-rate schedule of the lower group"},
		{key: "upper-solver", kind: solvers.of(&upper.Solver), byDefault: "nadam", heading: HeadingSolvers,
			help: "solver of the upper group, the layers near the output"},
		{key: "upper-lr", kind: rate.of(&upper.LR), byDefault: "1e-3", heading: HeadingSolvers,
			help: "learning rate of the upper group; 0 freezes it"},
		{key: "upper-schedule", kind: schedules().of(&upper.Schedule), byDefault: "constant", heading: HeadingSolvers,
			help: "learning-rate schedule of the upper group"},
		{key: "upper-layers", kind: whole(1, math.MaxInt).of(&c.UpperLayers), byDefault: "1", heading: HeadingSolvers,
			help: "dense layers and convolutions in the upper group, counted from the output"},
		{key: "lower-weight-decay", kind: decay.of(&lower.WeightDecay), heading: HeadingRegularisation, auto: true,
			help: "weight decay of the lower group; auto: 0.004 for adamw, else 0"},
		{key: "upper-weight-decay", kind: decay.of(&upper.WeightDecay), heading: HeadingRegularisation, auto: true,
			help: "weight decay of the upper group; auto: 0.004 for adamw, else 0"},
		{key: "groups", kind: groupList().of(&c.Groups), heading: HeadingSolvers,
			replaces: []string{"lower-solver", "lower-lr", "lower-schedule", "upper-solver", "upper-lr", "upper-schedule", "lower-weight-decay", "upper-weight-decay"},
			advice:   "--lr, --solver, --schedule and --weight-decay set all groups",
			help:     "YAML list of groups that replace lower and upper; see help groups"},
		{key: "weight-decay-all", kind: boolean().of(&c.WeightDecayAll), heading: HeadingRegularisation,
			header: "weight decay: of biases, α and β too",
			help:   "let adamw also decay biases, α and β"},
		{key: "l2", kind: rate.of(&c.L2), heading: HeadingRegularisation,
			header: "L2 penalty: %s",
			help:   "L2 penalty on the weights of layers, added to the loss that is minimised; 0: none"},
		{key: "activity-l2", kind: rate.of(&c.ActivityL2), heading: HeadingRegularisation,
			header: "activity L2 penalty: %s",
			help:   "L2 penalty on the outputs of activations; 0: none"},
		{key: "max-norm", kind: nonNegative("NORM").of(&c.MaxNorm), heading: HeadingRegularisation,
			header: "max norm: %s",
			help:   "largest norm of a unit's weights after a step; 0: no limit"},
		{key: "clip-norm", kind: nonNegative("NORM").of(&c.ClipNorm), heading: HeadingRegularisation,
			header: "gradient clipping: norm %s",
			help:   "clip the gradient norm over all groups; 0: never"},
		{key: "ema", kind: number("DECAY", bounds.Fraction).of(&c.EMA), heading: HeadingRegularisation,
			header: "weight averaging: EMA, decay %s",
			help:   "keep and measure a moving average of the weights, as with 0.999; 0: none"},

		{key: "augment", kind: augmentations().of(&c.Augment), byDefault: "none", heading: HeadingRegularisation,
			header: "augmentation: %s",
			help:   "random changes of the training images, as in flip,shift:1 or altflip,shift:2,cutout:8,erase; none: none"},

		{key: "layernorm-form", kind: choice[layernorm.Form](layerNormForms).of(&c.LayerNormForm), byDefault: "book", heading: HeadingNetwork,
			help: "LayerNorm: book divides by σ+ε, keras by √(σ²+ε), none leaves it out"},
		{key: "layernorm-epsilon", kind: number("EPSILON", bounds.Positive).of(&c.LayerNormEpsilon), byDefault: "1e-3", heading: HeadingNetwork,
			help: "ε of LayerNorm"},

		{key: "loss", kind: choice[string](append([]string{auto}, loss.Names()...)).of(&c.Loss), byDefault: auto, heading: HeadingRun, common: true, auto: true,
			help: "loss to minimise; auto: the loss of --init, else cross-entropy; see help losses"},
	}
	for i := range c.LossSettings {
		table = append(table, lossSetting(&c.LossSettings[i]))
	}
	return append(table, []*setting{
		{key: "metrics", kind: metrics().of(&c.Metrics), byDefault: "accuracy", heading: HeadingOutput,
			help: "metrics to report; see help metrics"},
		{key: "validation", kind: orAuto(whole(0, math.MaxInt)).of(&c.Validation), heading: HeadingData, auto: true,
			help: "number of training images held out for validation, taken from the start; auto: a twelfth"},
		{key: "patience", kind: whole(0, math.MaxInt).of(&c.Patience), heading: HeadingRun,
			header: "early stopping: patience %s",
			help:   "stop after N epochs without a better validation accuracy; 0: never"},
		{key: "seed", kind: seed().of(&c.Seed), byDefault: "42", heading: HeadingRun,
			help: "seed of the initial weights, the order of the images, dropout and augmentation"},
		{key: "shuffle", kind: boolean().of(&c.Shuffle), byDefault: "true", heading: HeadingData,
			header: "order of the images: as in the files",
			help:   "draw a new order of the images each epoch; --shuffle=false keeps the order of the files"},
		{key: "threads", kind: orAuto(whole(1, maxThreads)).of(&c.Threads), heading: HeadingRun, auto: true, resume: true,
			help: "maximum number of threads for a step; auto: all physical cores; the results are the same"},
		{key: "vm", kind: choice[string](model.Machines()).of(&c.VM), byDefault: "static", heading: HeadingRun, resume: true,
			header: "graph run by: %s",
			help:   "machine that runs the graph: " + strings.Join(model.Machines(), ", ") + "; the last two are slow"},
		{key: "init", kind: textual("RUN").of(&c.Init), heading: HeadingRun,
			help: "run or checkpoint whose weights to start from"},

		{key: "checkpoint-every", kind: every().of(&c.CheckpointEvery), byDefault: "60s", heading: HeadingOutput, resume: true,
			help: "also save every N iterations or after a duration; 0: only at each epoch's end"},
		{key: "log-every", kind: whole(0, math.MaxInt).of(&c.LogEvery), heading: HeadingOutput, resume: true,
			help: "write metrics every N iterations; 0: once an epoch"},
		{key: "progress", kind: choice[string](progressModes).of(&c.Progress), byDefault: "auto", heading: HeadingOutput, resume: true,
			help: "how to show the run: " + strings.Join(progressModes, ", ")},
		{key: "json", kind: boolean().of(&c.JSON), heading: HeadingOutput, resume: true,
			help: "print the metrics on stdout, one JSON object a line"},
	}...)
}

var (
	layerNormForms = []string{"book", "keras", "none"}
	progressModes  = []string{"auto", "bar", "lines", "none"}
)

// lossSetting is the entry of a setting that one loss has.
func lossSetting(s *LossSetting) *setting {
	of, name, _ := loss.Find(s.Name)
	return &setting{key: s.Name, kind: orAuto(number("NUMBER", of.Allowed)).of(&s.Value), heading: HeadingRun, auto: true,
		help: fmt.Sprintf("%s; for the loss %s; auto: %v", of.Help, name, *of.Value)}
}

// find is the entry of a key, or nil.
func find(table []*setting, key string) *setting {
	if i := slices.IndexFunc(table, func(s *setting) bool { return s.key == key }); i >= 0 {
		return table[i]
	}
	return nil
}

// replacer is the entry in use that replaces this one, or nil.
func replacer(table []*setting, key string) *setting {
	for _, s := range table {
		if slices.Contains(s.replaces, key) && !s.empty() {
			return s
		}
	}
	return nil
}

// empty says whether a list of layers or groups has no entries.
func (s *setting) empty() bool {
	groups, ok := s.at.(*[]Group)
	return ok && !(Config{Groups: *groups}).OwnGroups() || !ok && s.get() == ""
}

// ownWeightDecay is the default weight decay of a solver.
func ownWeightDecay(name string) float64 {
	defaults, _ := solver.Defaults(name) // an unknown name has been refused by now
	return defaults.WeightDecay
}

// Header are lines for the settings that differ from the default and are not in the table of the network.
func (c Config) Header() (lines []string) {
	defaults := Default()
	before := settings(&defaults)
	for i, s := range settings(&c) {
		if s.header != "" && s.text() != before[i].text() {
			lines = append(lines, strings.ReplaceAll(s.header, "%s", s.text()))
		}
	}
	return lines
}
