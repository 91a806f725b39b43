package solver

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"fmtrain/internal/goldentest"
	"fmtrain/internal/schedule"
)

// cycles is the part of a file of schedules that has whole runs.
type cycles struct {
	Start     []float32   `json:"start"`
	Gradients [][]float32 `json:"gradients"` // of each step
	Runs      []struct {
		Optimizer string                     `json:"optimizer"`
		Options   map[string]json.RawMessage `json:"options"`
		Cycle     struct {
			MaxLR        float64 `json:"max_lr"`
			PctStart     float64 `json:"pct_start"`
			BaseMomentum float64 `json:"base_momentum"`
			MaxMomentum  float64 `json:"max_momentum"`
			Div          float64 `json:"div_factor"`
			FinalDiv     float64 `json:"final_div_factor"`
		} `json:"cycle"`
		After []float64 `json:"after"`
	} `json:"runs"`
}

// Under 1cycle, with a new rate and momentum at every step, the weights are those of PyTorch in float64.
func TestGoldenCycles(t *testing.T) {
	for file, g := range goldentest.Read[cycles](t, "schedules") {
		if len(g.Runs) == 0 {
			t.Fatalf("%s: expected runs, found none", file)
		}
		for i, c := range g.Runs {
			t.Run(fmt.Sprintf("%s/%d-%s", file, i, c.Optimizer), func(t *testing.T) {
				name := strings.ToLower(c.Optimizer)
				if name == "sgd" {
					name = "momentum"
					if c.Options["nesterov"] != nil {
						name = "nesterov"
					}
				}
				c.Options["lr"] = json.RawMessage("1")
				_, o, err := fromTorch(name, c.Options)
				if err != nil {
					t.Fatal(err)
				}
				s, err := New(name, 1, o)
				if err != nil {
					t.Fatal(err)
				}
				cycle := &schedule.OneCycle{Max: c.Cycle.Div, Rise: c.Cycle.PctStart, End: 1 / c.Cycle.FinalDiv,
					High: c.Cycle.MaxMomentum, Low: c.Cycle.BaseMomentum}
				p := newParameter("parameter", slices.Clone(g.Start)...)
				for step, gradient := range g.Gradients {
					at := schedule.Position{Step: step, Steps: len(g.Gradients)}
					if err := s.SetLearningRate(c.Cycle.MaxLR / c.Cycle.Div * cycle.Factor(at)); err != nil {
						t.Fatal(err)
					}
					if err := s.SetMomentum(cycle.Momentum(at)); err != nil {
						t.Fatal(err)
					}
					copy(p.g, gradient)
					mustStep(t, s, p)
				}
				if e := relativeError(t, p.w, c.After); !(e <= goldenTolerance) {
					t.Errorf("off by %.2g of the largest value, tolerance %.2g", e, goldenTolerance)
				}
			})
		}
	}
}

// A solver whose momentum is set before its first step equals, bit for bit, a solver made with that momentum. It reports the momentum.
func TestSetMomentum(t *testing.T) {
	has := map[string]func(*Options){
		"momentum": func(o *Options) { o.Momentum = 0.5 }, "nesterov": func(o *Options) { o.Momentum = 0.5 },
		"rmsprop": func(o *Options) { o.Momentum = 0.5 },
		"adam":    func(o *Options) { o.Beta1 = 0.5 }, "adamw": func(o *Options) { o.Beta1 = 0.5 }, "nadam": func(o *Options) { o.Beta1 = 0.5 },
	}
	for _, name := range referenced {
		made := mustNew(t, name, 0.1, has[name])
		set := mustNew(t, name, 0.1, nil)
		if name == "rmsprop" {
			if _, ok := set.Momentum(); ok {
				t.Error("rmsprop without a velocity has a momentum")
			}
			set = mustNew(t, name, 0.1, func(o *Options) { o.Momentum = 0.9 })
		}
		if before, ok := set.Momentum(); ok != (has[name] != nil) || ok && before != 0.9 {
			t.Errorf("%s: momentum %v, %v", name, before, ok)
			continue
		}
		if has[name] == nil {
			checkError(t, set.SetMomentum(0.5), name, "no momentum", "0.5")
			continue
		}
		for _, wrong := range []float64{-0.1, 1, math.NaN(), math.Inf(1)} {
			checkError(t, set.SetMomentum(wrong), name, "momentum: expected a number from 0 to below 1", fmt.Sprint(wrong))
		}
		if err := set.SetMomentum(0.5); err != nil {
			t.Fatal(err)
		}
		if m, ok := set.Momentum(); !ok || m != 0.5 {
			t.Errorf("%s: momentum %v, %v after it was set to 0.5", name, m, ok)
		}
		a, b := newParameter("p", 1, -2, 3), newParameter("p", 1, -2, 3)
		for step := range 5 {
			for _, p := range []*testParameter{a, b} {
				copy(p.g, []float32{float32(step) - 1.5, 0.3, -float32(step)})
			}
			mustStep(t, made, a)
			mustStep(t, set, b)
		}
		if !slices.Equal(a.w, b.w) {
			t.Errorf("%s: weights %v of a momentum set, %v of one given", name, b.w, a.w)
		}
	}
}
