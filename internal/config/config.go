// Package config holds the settings of fmtrain train and resolves them: defaults < file < flags.
//
// A setting has one name, in kebab-case, as a key of a YAML file and as a flag. Whatever its source, its text is read by the
// same entry of the table in settings.go, so a file and a flag accept and refuse the same values with the same words.
package config

import (
	"fmt"

	"github.com/knadh/koanf/providers/structs"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
)

// Config is the settings of one training run.
type Config struct {
	// Data is the directory of the four IDX files, or "sample" for the embedded ones. Empty: look in the usual places.
	Data string `koanf:"data" json:"data"`
	// Out is the run directory, where the settings, metrics and checkpoints go. Empty: a new one below runs/, so that no
	// run overwrites another.
	Out string `koanf:"out" json:"out"`
	// Epochs is the number of passes over the training images. 0 writes the initial checkpoint and ends: a known start
	// for other runs.
	Epochs int `koanf:"epochs" json:"epochs"`
	// BatchSize is the number of images per step. Larger batches run faster and step less often.
	BatchSize int `koanf:"batch-size" json:"batch_size"`
	// Accumulate is the number of batches per step: their gradients make up that of one batch so many times as large, which
	// may be larger than memory or the cache takes at once.
	Accumulate int `koanf:"accumulate" json:"accumulate"`
	// Model is a kind of network, whose size the settings after it tell: mlp is dense layers with an activation, mlp-ln has
	// LayerNorm too, resmlp is residual blocks. It is what the settings that are not given default to.
	Model string `koanf:"model" json:"model"`
	// Layers is the whole network as a list of layers, as [model.ParseStack] gives it, in the place of Model, Hidden and Activation.
	// Empty: those.
	Layers string `koanf:"layers" json:"layers"`
	// Hidden is the width of each hidden layer, from the input on. There is at least one: it makes up the lower group.
	Hidden []int `koanf:"hidden" json:"hidden"`
	// Activation follows each hidden layer.
	Activation string `koanf:"activation" json:"activation"`
	// LowerSolver updates the layers near the input. They hold general features, which want small careful steps.
	LowerSolver string `koanf:"lower-solver" json:"lower_solver"`
	// LowerLR is the learn rate of the lower group. 0 freezes it.
	LowerLR float64 `koanf:"lower-lr" json:"lower_lr"`
	// LowerSchedule moves the learn rate of the lower group over the run, as [schedule.Parse] reads it, with all its options.
	LowerSchedule string `koanf:"lower-schedule" json:"lower_schedule"`
	// UpperSolver updates the layers near the output.
	UpperSolver string `koanf:"upper-solver" json:"upper_solver"`
	// UpperLR is the learn rate of the upper group. 0 freezes it.
	UpperLR float64 `koanf:"upper-lr" json:"upper_lr"`
	// UpperSchedule is the same for the upper group.
	UpperSchedule string `koanf:"upper-schedule" json:"upper_schedule"`
	// UpperLayers is how many dense layers, counted from the output, belong to the upper group, unless Layers names the groups. At
	// most len(Hidden), so that the lower group, which has the others, is never empty.
	UpperLayers int `koanf:"upper-layers" json:"upper_layers"`
	// LowerWeightDecay shrinks the weights of the lower group against overfitting. Unless set it is the solver's own:
	// 0.004 for adamw, as in Keras, 0 for the others.
	LowerWeightDecay float64 `koanf:"lower-weight-decay" json:"lower_weight_decay"`
	// UpperWeightDecay is the same for the upper group.
	UpperWeightDecay float64 `koanf:"upper-weight-decay" json:"upper_weight_decay"`
	// Groups is any number of groups in the place of lower and upper, as JSON: [Config.ParameterGroups] reads it. A parameter is in the
	// first group whose pattern matches its name. Empty: lower and upper.
	Groups string `koanf:"groups" json:"groups"`
	// WeightDecayAll makes adamw decay biases, α and β as well. They are few and set offsets and scales, not features, so
	// by default they are spared.
	WeightDecayAll bool `koanf:"weight-decay-all" json:"weight_decay_all"`
	// L2 times the sum of the squares of all dense layers' weights is added to the loss that is minimised, though not to the one
	// that is shown. Unlike weight decay it is part of the loss, and clipped with it. 0: none.
	L2 float64 `koanf:"l2" json:"l2"`
	// ActivityL2 is the same for the outputs of the activations, by the samples of a batch. 0: none.
	ActivityL2 float64 `koanf:"activity-l2" json:"activity_l2"`
	// MaxNorm is the largest norm that the weights of a unit may have after a step: longer ones are shortened. 0: any.
	MaxNorm float64 `koanf:"max-norm" json:"max_norm"`
	// ClipNorm is the largest norm that the gradient of both groups together may have: one that is longer is shortened to
	// it, so that a rare steep place does not throw the weights far away. 0: any.
	ClipNorm float64 `koanf:"clip-norm" json:"clip_norm"`
	// EMA is the decay of the exponential moving average that is kept of the weights, and measured beside them: it is often
	// the better model, as the noise of the last steps is out of it. 0: none.
	EMA float64 `koanf:"ema" json:"ema"`
	// LayerNormForm is how a hidden layer is normalised: book divides by σ+ε, keras by √(σ²+ε), none leaves LayerNorm out.
	LayerNormForm string `koanf:"layernorm-form" json:"layernorm_form"`
	// LayerNormEpsilon is the ε that keeps the division finite where all features of an image are the same.
	LayerNormEpsilon float64 `koanf:"layernorm-epsilon" json:"layernorm_epsilon"`
	// Loss is what is minimised. Auto: that of the checkpoint that the run starts from, with its settings; otherwise the
	// cross-entropy, the likelihood of the labels. [Config.ResolveLoss] finds it.
	Loss string `koanf:"loss" json:"loss"`
	// LabelSmoothing is the share of a label that the cross-entropy spreads over all classes, against overconfidence. Nil: 0.
	LabelSmoothing *float64 `koanf:"label-smoothing" json:"label_smoothing"`
	// FocalGamma is how much the focal loss turns from the samples that are easy to those that are hard. Nil: 2, as in the paper.
	FocalGamma *float64 `koanf:"focal-gamma" json:"focal_gamma"`
	// HuberDelta is the distance from which on an error counts linearly in the Huber loss. Nil: 1, as in PyTorch.
	HuberDelta *float64 `koanf:"huber-delta" json:"huber_delta"`
	// Metrics is what the validation images are measured by besides the loss. The accuracy always is: it tells the best epoch.
	Metrics []string `koanf:"metrics" json:"metrics"`
	// Validation is how many images, the first of the training set, are held out to choose the best checkpoint. Nil: a
	// twelfth of them, which [Config.ValidationImages] counts once the data are there.
	Validation *int `koanf:"validation" json:"validation"`
	// Patience is how many epochs may pass without a better validation accuracy before the run ends. 0: any number.
	Patience int `koanf:"patience" json:"patience"`
	// Seed fixes the initial weights and the order of the images: the same seed gives the same bits.
	Seed uint64 `koanf:"seed" json:"seed"`
	// Shuffle draws a new order of the images each epoch. Off, batches come in the order of the files, which a comparison
	// with another program needs.
	Shuffle bool `koanf:"shuffle" json:"shuffle"`
	// Threads is how many processors a step may use; while training, fewer are taken where that is quicker. The results are
	// the same bits for any number. Nil: all physical cores.
	Threads *int `koanf:"threads" json:"threads"`
	// VM is what runs the graph: the compiled executor, or Gorgonia's tape machine or LispMachine, which train to the same numbers
	// slowly, to debug with and to learn from.
	VM string `koanf:"vm" json:"vm"`
	// Init is a checkpoint whose weights the run starts from. Empty: weights drawn from the seed.
	Init string `koanf:"init" json:"init"`
	// CheckpointEvery is when the run is saved within an epoch: every so many iterations, or after so much time, as in 90s. It
	// always is at an epoch's end. 0: only then.
	CheckpointEvery string `koanf:"checkpoint-every" json:"checkpoint_every"`
	// LogEvery adds a line to the metrics every so many iterations. 0: epochs only, which keeps the file small.
	LogEvery int `koanf:"log-every" json:"log_every"`
	// Progress is how the run is shown: a bar, a line per epoch, not at all, or (auto) a bar on a terminal and lines on a pipe.
	Progress string `koanf:"progress" json:"progress"`
	// JSON prints the metrics on stdout, one object a line, for another program to read.
	JSON bool `koanf:"json" json:"json"`
}

// Default is the settings of a plain fmtrain train: the network of the book's exercise with LayerNorm, and the best of the
// plain pairs of solvers at its rates.
func Default() Config {
	return Config{
		Epochs:           5,
		BatchSize:        32,
		Accumulate:       1,
		Model:            "mlp-ln",
		Hidden:           []int{100},
		Activation:       "relu",
		LowerSolver:      "adam",
		LowerLR:          1e-4,
		LowerSchedule:    "constant",
		UpperSolver:      "nadam",
		UpperLR:          1e-3,
		UpperSchedule:    "constant",
		UpperLayers:      1,
		LayerNormForm:    "book",
		LayerNormEpsilon: 1e-3,
		Loss:             auto,
		Metrics:          []string{"accuracy"},
		Seed:             42,
		Shuffle:          true,
		VM:               "static",
		CheckpointEvery:  "60s",
		Progress:         "auto",
	}
}

// ValidationImages is how many of the given number of training images are held out: Validation, or a twelfth of them if it
// is nil. At least one image must be left to train on, and one to validate on if a setting needs that; otherwise the error
// matches [ErrInvalid].
func (c Config) ValidationImages(training int) (int, error) {
	n := dataset.DefaultValidation(training)
	if c.Validation != nil {
		n = *c.Validation
	}
	if n < 0 || n >= training {
		return 0, &problem{"validation", fmt.Sprintf("expected a whole number of at least 0 and less than the %d training images, found %d", training, n)}
	}
	if by := c.validatedBy(); n == 0 && by != "" {
		return 0, &problem{"validation", fmt.Sprintf("expected images for %s to look at, found 0", by)}
	}
	return n, nil
}

// validatedBy is a setting that looks at the validation images; empty if none does.
func (c Config) validatedBy() string {
	switch {
	case c.Patience > 0:
		return "patience"
	case needsLosses(c.LowerSchedule):
		return "lower-schedule"
	case needsLosses(c.UpperSchedule):
		return "upper-schedule"
	}
	for _, g := range c.ParameterGroups() {
		if needsLosses(g.Schedule) {
			return "the schedule of " + g.Name
		}
	}
	return ""
}

func needsLosses(text string) bool {
	s, err := schedule.Parse(text)
	return err == nil && schedule.NeedsLosses(s)
}

// Architecture is the network that the settings describe. Its loss is found by [Config.ResolveLoss].
func (c Config) Architecture() (model.Architecture, error) {
	a := model.Architecture{Inputs: dataset.Pixels, Classes: dataset.Classes, Norm: c.norm(), UpperLayers: c.UpperLayers}
	hidden := model.Hidden{Units: c.Hidden, Activation: c.Activation, Norm: a.Norm}
	var err error
	switch {
	case c.Layers != "":
		a.Items, err = layer.Parse(c.Layers, layer.Options{Inputs: a.Inputs, Classes: a.Classes, Norm: a.Norm})
	case c.Model == resMLP:
		a.Items, err = model.ResMLP(hidden, a.Classes)
	default:
		a.Items, err = model.MLP(hidden, a.Classes)
	}
	return a, err
}

// norm is the LayerNorm of the settings, the zero value for none.
func (c Config) norm() layer.Norm {
	if c.LayerNormForm == string(model.NoLayerNorm) {
		return layer.Norm{}
	}
	return layer.Norm{Form: layernorm.Form(c.LayerNormForm), Epsilon: c.LayerNormEpsilon}
}

// values is the settings by key.
func values(c Config) map[string]any {
	m, _ := structs.Provider(c, "koanf").Read() // the error is part of the interface; a struct has none
	return m
}
