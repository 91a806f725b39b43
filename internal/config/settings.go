package config

import (
	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
)

import "strings"

// The words that settings of a closed choice accept.
var (
	Solvers        = solver.Names()
	Activations    = layer.Activations()
	Schedules      = schedule.Names()
	Losses         = append([]string{auto}, loss.Names()...)
	Metrics        = metric.Names(dataset.ClassNames[:])
	Machines       = model.Machines()
	LayerNormForms = []string{"book", "keras", "none"}
	ProgressModes  = []string{"auto", "bar", "lines", "none"}
)

// ownWeightDecay is the weight decay of a solver that was given none.
func ownWeightDecay(name string) float64 {
	defaults, _ := solver.Defaults(name) // a name that is none of the solvers' has been refused by now
	return defaults.WeightDecay
}

// maxSize bounds the width of a layer and the size of a batch: beyond it the buffers outgrow the memory of any machine
// that this data set needs.
const maxSize = 65536

// maxBatches bounds the batches of a step, so that their images can be counted on any machine.
const maxBatches = 4096

// maxEpochs bounds the epochs, so that their steps can be counted.
const maxEpochs = 1_000_000_000

// maxThreads bounds the processors that a step may use.
const maxThreads = 1024

// setting is one entry of the table: the name, the values and the help of a field of [Config].
type setting struct {
	key string
	format
	help string
}

// settings is in the order of the fields of [Config], which is also that of a written file and of the help.
var settings = []setting{
	{"data", text("DIR"), "directory of the IDX files, or sample for the embedded one (empty: look in the usual places)"},
	{"out", text("DIR"), "run directory for settings, metrics and checkpoints (empty: a new one in runs/)"},
	{"epochs", within(0, maxEpochs), "passes over the training images (0: write the initial checkpoint and end)"},
	{"batch-size", within(1, maxSize), "images per step"},
	{"accumulate", within(1, maxBatches), "batches per step: their gradients are averaged over all their images"},
	{"model", oneOf(Models), "network: mlp (dense layers with an activation), mlp-ln (with LayerNorm too) or resmlp (residual blocks)"},
	{"layers", stack(), "the whole network instead, as in 300-ln-relu-dropout:0.2-res(100-relu-300)-10 (empty: --model)"},
	{"hidden", widths(), "width of each hidden layer, from the input on, as in 300,100"},
	{"activation", oneOf(Activations), "activation of the hidden layers: " + strings.Join(Activations, ", ")},
	{"lower-solver", oneOf(Solvers), "solver of the layers near the input: " + strings.Join(Solvers, ", ")},
	{"lower-lr", nonNegative("RATE"), "learn rate of the lower group (0: frozen)"},
	{"lower-schedule", schedules(), "how the lower group's learn rate moves: " + strings.Join(Schedules, ", ") + ", alone or with options, as in cosine:warmup=500"},
	{"upper-solver", oneOf(Solvers), "solver of the layers near the output, one of the same"},
	{"upper-lr", nonNegative("RATE"), "learn rate of the upper group (0: frozen)"},
	{"upper-schedule", schedules(), "how the upper group's moves, one of the same"},
	{"upper-layers", atLeast(1), "dense layers, counted from the output, that make up the upper group"},
	{"lower-weight-decay", orAuto(nonNegative("RATE")), "weight decay of the lower group (auto: 0.004 for adamw, 0 for the others)"},
	{"upper-weight-decay", orAuto(nonNegative("RATE")), "weight decay of the upper group (auto: as for the lower)"},
	{"groups", groups(), "any number of groups instead, as a list of their settings in YAML: name, parameters (a pattern), solver, lr, schedule, weight-decay, frozen"},
	{"weight-decay-all", boolean(), "let adamw decay biases, α and β too"},
	{"l2", nonNegative("RATE"), "add so much of the squares of all dense weights to the loss that is minimised (0: none)"},
	{"activity-l2", nonNegative("RATE"), "the same of the activations' outputs, by the samples of a batch (0: none)"},
	{"max-norm", nonNegative("NORM"), "shorten the weights of a unit to this norm after each step (0: never)"},
	{"clip-norm", nonNegative("NORM"), "shorten gradients, of both groups together, to this norm (0: never)"},
	{"ema", below1("DECAY"), "keep and measure an exponential moving average of the weights, as with 0.999 (0: none)"},
	{"layernorm-form", oneOf(LayerNormForms), "LayerNorm after each hidden layer: book (divides by σ+ε), keras (by √(σ²+ε)) or none"},
	{"layernorm-epsilon", positive("EPSILON"), "ε of LayerNorm"},
	{"loss", oneOf(Losses), "what is minimised: " + strings.Join(loss.Names(), ", ") + " (auto: that of --init, otherwise cross-entropy)"},
	{"label-smoothing", orAuto(ofLoss("label-smoothing")), "share of a label that the cross-entropy spreads over all classes (auto: 0)"},
	{"focal-gamma", orAuto(ofLoss("focal-gamma")), "γ of the focal loss: how much the hard samples count (auto: 2)"},
	{"huber-delta", orAuto(ofLoss("huber-delta")), "δ of the Huber loss: errors beyond it count linearly (auto: 1)"},
	{"metrics", metrics(), "what else to measure, out of " + strings.Join(metric.KindNames(), ", ")},
	{"validation", orAuto(atLeast(0)), "first training images held out for validation (auto: a twelfth)"},
	{"patience", atLeast(0), "end after N epochs without a better validation accuracy (0: never)"},
	{"seed", seed(), "seed of the initial weights and of the order of the images"},
	{"shuffle", boolean(), "draw a new order of the images each epoch"},
	{"threads", orAuto(within(1, maxThreads)), "most processors that a step may use (auto: all physical cores); does not change the results"},
	{"vm", oneOf(Machines), "what runs the graph: " + strings.Join(Machines, ", ") + "; the same numbers, the last two slowly"},
	{"init", text("CHECKPOINT"), "start from the weights of this checkpoint"},
	{"checkpoint-every", every(), "save every N iterations or every DURATION within an epoch, too (0: at its end only)"},
	{"log-every", atLeast(0), "add a line to the metrics every N iterations (0: epochs only)"},
	{"progress", oneOf(ProgressModes), "how the run is shown: " + strings.Join(ProgressModes, ", ")},
	{"json", boolean(), "print the metrics on stdout, one JSON object a line"},
}

// lookup finds a setting by its key.
func lookup(key string) (setting, bool) {
	for _, s := range settings {
		if s.key == key {
			return s, true
		}
	}
	return setting{}, false
}
