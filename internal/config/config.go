// Package config reads the settings of fmtrain train into one typed [Config]. Flags override a file, and the file overrides the defaults.
// Packages that use a Config read no text of settings.
//
// Each setting is one entry of the table in settings.go. Files, flags, checkpoints, help and completions are made from it,
// so that a value is read, written and refused in the same way everywhere.
package config

import (
	"fmt"
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
)

// Config is the settings of one training run. The table in settings.go says what each means.
type Config struct {
	Data       string // empty: look in the usual places
	Out        string // empty: a new directory in runs/
	Epochs     int
	BatchSize  int
	Accumulate int

	Model      string
	Layers     string // as the model writes it; empty if Model names the network
	Channels   []int  // of a cnn; else none
	Hidden     []int
	Activation string
	Dropout    float64

	// Groups are how the parameters are trained: lower and upper, or the user's groups. A parameter belongs to the first
	// group whose pattern matches its name.
	Groups         []Group
	UpperLayers    int
	WeightDecayAll bool
	L2, ActivityL2 float64
	MaxNorm        float64
	ClipNorm       float64
	EMA            float64

	LayerNormForm    layernorm.Form
	LayerNormEpsilon float64

	// Network is the architecture that the settings describe. Its loss is known only after [Config.ResolveLoss].
	Network model.Architecture

	Loss         string // auto: the loss of the checkpoint that the run starts from, else the default
	LossSettings []LossSetting
	Metrics      []string

	Augment    dataset.Augmentation
	Validation *int // nil: a twelfth of the training images
	Patience   int
	Seed       uint64
	Shuffle    bool
	Threads    *int // nil: all physical cores
	VM         string
	Init       string // empty: weights drawn from the seed

	CheckpointEvery Every
	LogEvery        int
	Progress        string
	JSON            bool
}

// Group is how the parameters of one group are trained.
type Group struct {
	Name        string
	Parameters  string // a pattern of [path.Match] for the parameters' names
	Solver      string
	LR          float64 // 0: frozen
	Schedule    schedule.Schedule
	WeightDecay float64
}

// Constant says whether the group's learning rate never changes.
func (g Group) Constant() bool { _, constant := g.Schedule.(*schedule.Constant); return constant }

// LossSetting is the value of a setting that one loss has. A nil value is the loss's own default.
type LossSetting struct {
	Name  string
	Value *float64
}

// Every is how often something happens: every N iterations or, if N is 0, after each such duration. If both are 0, never.
type Every struct {
	Iterations int
	Time       time.Duration
}

// Default is the settings of a plain fmtrain train: the network of the book's exercise with LayerNorm, and the best simple pair of solvers
// at its learning rates. The values are those of the table.
func Default() Config {
	c := Config{Groups: lowerAndUpper()}
	for _, name := range loss.Names() {
		l, _ := loss.New(name) // a name of the registry
		for _, s := range l.Settings() {
			c.LossSettings = append(c.LossSettings, LossSetting{Name: s.Name})
		}
	}
	for _, s := range settings(&c) {
		if s.byDefault == "" {
			continue
		}
		if err := s.read(raw{text: s.byDefault}); err != nil {
			panic(fmt.Sprintf("config: the default of %s: %v", s.key, err))
		}
	}
	for i := range c.Groups {
		c.Groups[i].WeightDecay = ownWeightDecay(c.Groups[i].Solver)
	}
	c.Network, _ = c.network() // the defaults can be built
	return c
}

// lowerAndUpper are the groups of a run without groups of its own, before their solvers and rates are set.
func lowerAndUpper() []Group {
	constant := &schedule.Constant{}
	return []Group{
		{Name: model.Lower, Parameters: model.Lower + ".*", Schedule: constant},
		{Name: model.Upper, Parameters: model.Upper + ".*", Schedule: constant},
	}
}

// ValidationImages is how many of the given number of training images are held out. At least one image must remain for training, and one
// for validation if a setting needs it. Otherwise the error matches [ErrInvalid].
func (c Config) ValidationImages(training int) (int, error) {
	n := dataset.DefaultValidation(training)
	if c.Validation != nil {
		n = *c.Validation
	}
	if n < 0 || n >= training {
		return 0, &problem{"validation", fmt.Sprintf("expected a whole number of at least 0 and less than the %d training images, found %d", training, n)}
	}
	if by := c.validatedBy(); n == 0 && by != "" {
		return 0, &problem{"validation", fmt.Sprintf("expected at least one image, because %s needs a validation loss or accuracy; found 0", by)}
	}
	return n, nil
}

// validatedBy is a setting that needs validation images; empty if none does.
func (c Config) validatedBy() string {
	if c.Patience > 0 {
		return "patience"
	}
	for _, g := range c.Groups {
		if schedule.NeedsLosses(g.Schedule) {
			return "the schedule of the group " + g.Name
		}
	}
	return ""
}
