package schedule

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"testing"

	"fmtrain/internal/goldentest"
)

// goldenTolerance is the relative tolerance for rates in float64. torch computes most rates from the previous one, so its roundings add
// up over the steps.
const goldenTolerance = 1e-11

type golden struct {
	Cases []struct {
		Scheduler string                     `json:"scheduler"`
		Options   map[string]json.RawMessage `json:"options"`
		Rate      float64                    `json:"rate"` // before the scheduler
		Losses    []float64                  `json:"losses"`
		Rates     []float64                  `json:"rates"` // of each step
		Momenta   []float64                  `json:"momenta"`
	} `json:"cases"`
}

// The rates are those of torch.optim.lr_scheduler at every step, and the momenta.
func TestGolden(t *testing.T) {
	for file, g := range goldentest.Read[golden](t, "schedules") {
		if len(g.Cases) == 0 {
			t.Fatalf("%s: expected cases, found none", file)
		}
		for i, c := range g.Cases {
			t.Run(fmt.Sprintf("%s/%d-%s", file, i, c.Scheduler), func(t *testing.T) {
				s, err := fromTorch(c.Scheduler, c.Rate, len(c.Rates), c.Options)
				if err != nil {
					t.Fatal(err)
				}
				if m, moves := s.(Momentum); moves && len(c.Momenta) != len(c.Rates) {
					t.Fatalf("%T with %d momenta for %d rates", m, len(c.Momenta), len(c.Rates))
				}
				for step, want := range c.Rates {
					at := Position{Step: step, Steps: len(c.Rates), EpochSteps: 1}
					if NeedsLosses(s) {
						at.Losses = c.Losses[:step]
					}
					if got := c.Rate * s.Factor(at); !near(got, want) {
						t.Errorf("step %d: rate %v, expected %v", step, got, want)
					}
					if m, moves := s.(Momentum); moves && !near(m.Momentum(at), c.Momenta[step]) {
						t.Errorf("step %d: momentum %v, expected %v", step, m.Momentum(at), c.Momenta[step])
					}
				}
			})
		}
	}
}

func near(got, want float64) bool { return math.Abs(got-want) <= goldenTolerance*math.Abs(want) }

// fromTorch is the schedule of a scheduler of torch.optim for a run of this many steps; an epoch is one step.
func fromTorch(scheduler string, rate float64, steps int, arguments map[string]json.RawMessage) (Schedule, error) {
	var a struct {
		Every        float64 `json:"step_size"`
		Gamma        float64 `json:"gamma"`
		TMax         float64 `json:"T_max"`
		EtaMin       float64 `json:"eta_min"`
		Warmup       float64 `json:"warmup"`
		MaxLR        float64 `json:"max_lr"`
		TotalSteps   int     `json:"total_steps"`
		PctStart     float64 `json:"pct_start"`
		Strategy     string  `json:"anneal_strategy"`
		BaseMomentum float64 `json:"base_momentum"`
		MaxMomentum  float64 `json:"max_momentum"`
		Div          float64 `json:"div_factor"`
		FinalDiv     float64 `json:"final_div_factor"`
		ThreePhase   bool    `json:"three_phase"`
		Factor       float64 `json:"factor"`
		Patience     float64 `json:"patience"`
		Threshold    float64 `json:"threshold"`
		MinLR        float64 `json:"min_lr"`
	}
	known := map[string][]string{
		"StepLR":            {"step_size", "gamma"},
		"ExponentialLR":     {"gamma"},
		"CosineAnnealingLR": {"T_max", "eta_min"},
		"SequentialLR":      {"warmup", "eta_min"},
		"OneCycleLR": {"max_lr", "total_steps", "pct_start", "anneal_strategy", "base_momentum", "max_momentum", "div_factor",
			"final_div_factor", "three_phase"},
		"ReduceLROnPlateau": {"factor", "patience", "threshold", "min_lr"},
	}[scheduler]
	for name := range arguments {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("unknown option %q of %s", name, scheduler)
		}
	}
	for _, name := range known {
		if arguments[name] == nil {
			return nil, fmt.Errorf("%s without %s", scheduler, name)
		}
	}
	raw, err := json.Marshal(arguments)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		return nil, fmt.Errorf("%s: %w", scheduler, err)
	}
	switch scheduler {
	case "StepLR":
		return &Step{Epochs: a.Every, By: a.Gamma}, nil
	case "ExponentialLR":
		return &Exponential{Epochs: 1, By: a.Gamma}, nil
	case "CosineAnnealingLR":
		if a.TMax != float64(steps) {
			return nil, fmt.Errorf("T_max %v of a run of %d steps", a.TMax, steps)
		}
		return &Cosine{End: a.EtaMin / rate}, nil
	case "SequentialLR":
		return &Cosine{Warmup: a.Warmup, End: a.EtaMin / rate}, nil
	case "OneCycleLR":
		if a.TotalSteps != steps || a.Strategy != "linear" || !a.ThreePhase {
			return nil, fmt.Errorf("1cycle of %d steps in a run of %d, strategy %s, three phases %v", a.TotalSteps, steps, a.Strategy, a.ThreePhase)
		}
		return &OneCycle{Max: a.Div, Rise: a.PctStart, End: 1 / a.FinalDiv, High: a.MaxMomentum, Low: a.BaseMomentum}, nil
	case "ReduceLROnPlateau":
		return &Plateau{Patience: a.Patience, By: a.Factor, Threshold: a.Threshold, End: a.MinLR / rate}, nil
	}
	return nil, fmt.Errorf("unknown scheduler %s", scheduler)
}
