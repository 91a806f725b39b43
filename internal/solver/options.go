package solver

import (
	"fmt"
	"slices"
	"strings"

	"fmtrain/internal/bounds"
)

// Options are the settings of a solver besides its learning rate. [Defaults] gives the defaults of each solver; an option that
// a solver doesn't have is 0. The defaults are Keras's unless a comment says otherwise. adagrad has no option for its initial
// sum of squares: it is 0, as in PyTorch and in the paper. (Keras starts at 0.1, which shortens the first steps.)
type Options struct {
	// Epsilon keeps the division by a root of squares finite. It is added outside the root, as in PyTorch: g/(√v + ε).
	// Above 0. rmsprop, adagrad, adam, adamw, nadam, muon (for vectors): 1e-7.
	Epsilon float64

	// Momentum is the share of the velocity that a step keeps, in [0, 1). momentum, nesterov: 0.9; muon: 0.95, as in its article;
	// rmsprop: 0, which means no velocity. The velocity is PyTorch's: a sum of gradients that each step multiplies by the learning
	// rate, so a changed rate acts at once. (Keras multiplies first. While the rate is constant, the weights are the same.)
	Momentum float64

	// Beta1 is the decay rate of the moving average of the gradient, in [0, 1). adam, adamw, nadam, muon (for vectors): 0.9.
	Beta1 float64

	// Beta2 is the decay rate of the moving average of the gradient's square, in [0, 1). adam, adamw, nadam, muon (for vectors): 0.999.
	Beta2 float64

	// Rho is the decay rate of the moving average of the gradient's square, in [0, 1). rmsprop: 0.9.
	Rho float64

	// MomentumDecay is ψ in the schedule of Nadam's momentum, β₁·(1 − ½·0.96^(ψ·step)). At least 0. nadam: 0.004, as in
	// PyTorch and in Keras before 2.11.
	MomentumDecay float64

	// WeightDecay pulls weights towards 0. At least 0. adamw: 0.004, Keras's default (PyTorch's is 0.01); muon: 0.1, as in Liu et
	// al. and PyTorch; the others: 0.
	//
	// adamw and muon subtract learning rate × WeightDecay × w from each weight, besides the step. In all other solvers it is L2 as in
	// PyTorch: WeightDecay × w is added to every parameter's gradient, before averages and squares are taken.
	WeightDecay float64

	// DecayAll makes adamw and muon decay every parameter. By default they leave out those that say so ([Decayer]): biases, α and β. A
	// bias shifts and an α scales, which does not overfit, and α starts at 1, not at 0. The L2 of the other solvers is on every
	// parameter with or without DecayAll: it is part of the loss that PyTorch minimises, so a run compares with PyTorch's.
	DecayAll bool
}

// kind is a solver that can be made.
type kind struct {
	name, about string
	defaults    Options
	has         []option // besides the weight decay, which all have
	rule        func(Options) rule
}

// registry is the solvers, each before those that build on it.
var registry = []kind{
	{"sgd", "plain gradient descent", Options{}, nil, sgd},
	{"momentum", "gradient descent with a velocity", Options{Momentum: 0.9}, []option{momentumOption}, momentum},
	{"nesterov", "momentum that looks one step ahead", Options{Momentum: 0.9}, []option{momentumOption}, nesterov},
	{"rmsprop", "divides each gradient by the root of its recent mean square", Options{Rho: 0.9, Epsilon: 1e-7},
		[]option{rhoOption, epsilonOption, momentumOption}, rmsprop},
	{"adagrad", "divides each gradient by the root of the sum of its squares", Options{Epsilon: 1e-7},
		[]option{epsilonOption}, adagrad},
	{"adam", "rmsprop and momentum together, both corrected for their start at 0", Options{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7},
		[]option{beta1Option, beta2Option, epsilonOption}, adam},
	{"adamw", "adam with weight decay apart from the gradient",
		Options{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, WeightDecay: 0.004},
		[]option{beta1Option, beta2Option, epsilonOption}, adamw},
	{"nadam", "adam that looks one step ahead", Options{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, MomentumDecay: 0.004},
		[]option{beta1Option, beta2Option, epsilonOption, momentumDecayOption}, nadam},
	{"muon", "moves matrices equally far in all directions, the rest by adamw",
		Options{Momentum: 0.95, Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-7, WeightDecay: 0.1},
		[]option{momentumOption, beta1Option, beta2Option, epsilonOption}, muon},
}

// option is one number of [Options].
type option struct {
	name    string
	of      func(Options) float64
	allowed bounds.Range
}

var (
	epsilonOption       = option{"epsilon", func(o Options) float64 { return o.Epsilon }, bounds.Positive}
	momentumOption      = option{"momentum", func(o Options) float64 { return o.Momentum }, bounds.Fraction}
	beta1Option         = option{"beta1", func(o Options) float64 { return o.Beta1 }, bounds.Fraction}
	beta2Option         = option{"beta2", func(o Options) float64 { return o.Beta2 }, bounds.Fraction}
	rhoOption           = option{"rho", func(o Options) float64 { return o.Rho }, bounds.Fraction}
	momentumDecayOption = option{"momentum decay", func(o Options) float64 { return o.MomentumDecay }, bounds.NonNegative}
	weightDecayOption   = option{"weight decay", func(o Options) float64 { return o.WeightDecay }, bounds.NonNegative}

	everyOption = []option{
		epsilonOption, momentumOption, beta1Option, beta2Option, rhoOption, momentumDecayOption, weightDecayOption,
	}
)

// Names are the solvers that [New] can make, each before those that build on it.
func Names() []string {
	var names []string
	for _, k := range registry {
		names = append(names, k.name)
	}
	return names
}

// Kind is a solver as the help shows it.
type Kind struct {
	Name  string
	Usage string // its options and their defaults: "momentum 0.9, weight decay 0"
	About string // one phrase
}

// Kinds are the solvers, for the help.
func Kinds() (kinds []Kind) {
	for _, k := range registry {
		var usage []string
		for _, o := range append(slices.Clone(k.has), weightDecayOption) {
			usage = append(usage, o.name+" "+strings.Replace(fmt.Sprint(o.of(k.defaults)), "e-0", "e-", 1))
		}
		kinds = append(kinds, Kind{k.name, strings.Join(usage, ", "), k.about})
	}
	return kinds
}

// Defaults are a solver's default options; [Options] says where each comes from. An unknown name is an error that lists the
// known ones.
func Defaults(name string) (Options, error) {
	k, err := find(name)
	return k.defaults, err
}

func find(name string) (kind, error) {
	for _, k := range registry {
		if k.name == name {
			return k, nil
		}
	}
	return kind{}, fmt.Errorf("unknown solver %q; expected one of %s", name, strings.Join(Names(), ", "))
}

// check is an error if an option is out of its range, or set though this solver doesn't have it.
func (k kind) check(o Options) error {
	names := []string{weightDecayOption.name}
	for _, has := range k.has {
		names = append(names, has.name)
	}
	for _, option := range everyOption {
		value := option.of(o)
		switch {
		case !slices.Contains(names, option.name):
			if value != 0 {
				return fmt.Errorf("solver %s has no option %s (found %v); it has %s",
					k.name, option.name, value, strings.Join(names, ", "))
			}
		default:
			if err := option.allowed.Check(value); err != nil {
				return fmt.Errorf("solver %s: %s: %w", k.name, option.name, err)
			}
		}
	}
	return nil
}
