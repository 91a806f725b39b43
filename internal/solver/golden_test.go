package solver

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"

	"gorgonia.org/gorgonia"

	"fmtrain/internal/goldentest"
)

// goldenTolerance is the tolerance for the largest |got − want| of a parameter after some steps, relative to the largest |want|. The
// largest error in solvers_torch.json is 3e-7. The rest is for longer runs, in which the rounding errors of float32 steps add up; in
// PyTorch's float32 they are about as large.
const goldenTolerance = 1e-5

type golden struct {
	Shapes    [][]int       `json:"shapes"`
	Start     [][]float32   `json:"start"`
	Gradients [][][]float32 `json:"gradients"` // of each step, of each parameter
	Cases     []struct {
		Solver  string                     `json:"solver"`
		Options map[string]json.RawMessage `json:"options"`
		After   map[string][][]float64     `json:"after"` // number of steps -> the parameters after them
	} `json:"cases"`
}

// The weights are those of PyTorch in float64, after every recorded number of steps of every case.
func TestGolden(t *testing.T) {
	for file, g := range goldentest.Read[golden](t, "solvers") {
		if len(g.Cases) == 0 {
			t.Fatalf("%s: expected cases, found none", file)
		}
		for i, c := range g.Cases {
			t.Run(fmt.Sprintf("%s/%d-%s", file, i, c.Solver), func(t *testing.T) {
				rate, o, err := fromTorch(c.Solver, c.Options)
				if err != nil {
					t.Fatal(err)
				}
				s, err := New(c.Solver, rate, o)
				if err != nil {
					t.Fatal(err)
				}
				var parameters []*testParameter
				var values []gorgonia.ValueGrad
				for j, start := range g.Start {
					p := newParameter(fmt.Sprintf("parameter.%d", j), append([]float32(nil), start...)...)
					parameters, values = append(parameters, p), append(values, p)
				}
				compared, worst := 0, 0.0
				for step, gradients := range g.Gradients {
					for j, p := range parameters {
						copy(p.g, gradients[j])
					}
					mustStep(t, s, values...)
					want, ok := c.After[strconv.Itoa(step+1)]
					if !ok {
						continue
					}
					compared++
					for j, p := range parameters {
						e := relativeError(t, p.w, want[j])
						worst = max(worst, e)
						if !(e <= goldenTolerance) {
							t.Errorf("step %d, parameter %d: off by %.2g of its largest value, tolerance %.2g",
								step+1, j, e, goldenTolerance)
						}
					}
				}
				if compared == 0 || compared != len(c.After) {
					t.Errorf("compared after %d numbers of steps, the file has %d", compared, len(c.After))
				}
				t.Logf("largest error %.2g", worst)
			})
		}
	}
}

// relativeError is the largest |got − want|, relative to the largest |want|. It is not relative to each weight, because weights may pass
// through 0: the rounding of a step depends on a weight's size before it.
func relativeError(t *testing.T, got []float32, want []float64) float64 {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("found %d values, expected %d", len(got), len(want))
	}
	var difference, largest float64
	for i, x := range want {
		difference = max(difference, math.Abs(float64(got[i])-x)) // NaN if one is
		largest = max(largest, math.Abs(x))
	}
	return difference / max(largest, math.SmallestNonzeroFloat32)
}

// fromTorch turns the arguments of a torch.optim optimiser into a learning rate and options. An argument that a case
// leaves out has PyTorch's default, not ours. PyTorch decays every parameter.
func fromTorch(solver string, arguments map[string]json.RawMessage) (float64, Options, error) {
	o, known := map[string]Options{
		"sgd":      {},
		"momentum": {},
		"nesterov": {},
		"rmsprop":  {Rho: 0.99, Epsilon: 1e-8},
		"adagrad":  {Epsilon: 1e-10},
		"adam":     {Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8},
		"adamw":    {Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: 0.01, DecayAll: true},
		"nadam":    {Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, MomentumDecay: 0.004},
	}[solver]
	if !known {
		return 0, o, fmt.Errorf("unknown solver %q", solver)
	}
	var rate float64
	var lookAhead bool
	var betas [2]float64
	targets := map[string]any{
		"lr": &rate, "momentum": &o.Momentum, "nesterov": &lookAhead, "alpha": &o.Rho, "betas": &betas, "eps": &o.Epsilon,
		"weight_decay": &o.WeightDecay, "momentum_decay": &o.MomentumDecay,
	}
	for name, raw := range arguments {
		target, ok := targets[name]
		if !ok {
			return 0, o, fmt.Errorf("unknown option %q of %s", name, solver)
		}
		if err := json.Unmarshal(raw, target); err != nil {
			return 0, o, fmt.Errorf("option %s of %s: %w", name, solver, err)
		}
		if name == "betas" {
			o.Beta1, o.Beta2 = betas[0], betas[1]
		}
	}
	if rate == 0 {
		return 0, o, fmt.Errorf("%s without lr", solver)
	}
	if lookAhead != (solver == "nesterov") {
		return 0, o, fmt.Errorf("%s with nesterov=%v", solver, lookAhead)
	}
	return rate, o, nil
}
