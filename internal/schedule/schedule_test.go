package schedule

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]Schedule{
		"constant":                     &Constant{},
		"step":                         &Step{Epochs: 10, By: 0.1},
		"step:epochs=2.5":              &Step{Epochs: 2.5, By: 0.1},
		"step:factor=0.5, epochs=3":    &Step{Epochs: 3, By: 0.5},
		"exponential:epochs=5":         &Exponential{Epochs: 5, By: 0.1},
		"cosine":                       &Cosine{},
		"cosine:warmup=500":            &Cosine{Warmup: 500},
		"cosine:warmup=0.1,end=1e-2":   &Cosine{Warmup: 0.1, End: 0.01},
		"1cycle:max=20,high=0.9":       &OneCycle{Max: 20, Rise: 0.45, End: 0.001, High: 0.9, Low: 0.85},
		"plateau:patience=3":           &Plateau{Patience: 3, By: 0.5, Threshold: 1e-4},
		"plateau:factor=0.2,end=0.001": &Plateau{Patience: 5, By: 0.2, Threshold: 1e-4, End: 0.001},
	} {
		got, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	names := "expected a schedule of " + strings.Join(Names(), ", ") + ", with options as in step:epochs=10,factor=0.1; found "
	for text, want := range map[string]string{
		"":                         names + `""`,
		"Step":                     names + `"Step"`,
		"linear:epochs=1":          names + `"linear:epochs=1"`,
		"constant:epochs=1":        `constant: expected no options, found "epochs=1"`,
		"step:":                    `step: expected options of epochs, factor as in step:epochs=10,factor=0.1, found ""`,
		"step:gamma=0.1":           `step: expected options of epochs, factor as in step:epochs=10,factor=0.1, found "gamma=0.1"`,
		"step:epochs=1,gamma=0.1":  `step: expected options of epochs, factor as in step:epochs=10,factor=0.1, found "gamma=0.1"`,
		"step:epochs":              `step: epochs: "" is not a number; expected a number above 0, at most 1e9`,
		"step:epochs=0":            `step: epochs: expected a number above 0, at most 1e9, found 0`,
		"step:epochs=inf":          `step: epochs: expected a number above 0, at most 1e9, found +Inf`,
		"step:epochs=1,epochs=2":   "step: epochs: expected once, found again",
		"exponential:factor=0":     `exponential: factor: expected a number above 0, at most 1, found 0`,
		"exponential:factor=nan":   `exponential: factor: expected a number above 0, at most 1, found NaN`,
		"cosine:warmup=1.5":        `cosine: warmup: expected a whole number of steps or, below 1, a fraction of the run, found 1.5`,
		"cosine:warmup=-1":         `cosine: warmup: expected a whole number of steps or, below 1, a fraction of the run, found -1`,
		"cosine:end=2":             `cosine: end: expected a number from 0 to 1, found 2`,
		"1cycle:max=0.5":           `1cycle: max: expected a number from 1 to 1e9, found 0.5`,
		"1cycle:rise=0.6":          `1cycle: rise: expected a number above 0, at most 0.5, found 0.6`,
		"1cycle:high=1":            `1cycle: high: expected a number from 0 to below 1, found 1`,
		"plateau:patience=1.5":     `plateau: patience: expected a whole number from 0 to 1e9, found 1.5`,
		"plateau:patience=3:end=0": `plateau: patience: "3:end=0" is not a number; expected a whole number from 0 to 1e9`,
	} {
		if _, err := Parse(text); err == nil || err.Error() != want {
			t.Errorf("%s:\nfound  %v\nwanted %s", text, err, want)
		}
	}
}

// anySchedule draws a schedule with any of the values that its options allow.
func anySchedule(t *rapid.T) Schedule {
	s := registry[rapid.IntRange(0, len(registry)-1).Draw(t, "schedule")].make()
	for _, o := range s.options() {
		value := rapid.OneOf(rapid.Float64Range(0, 1), rapid.Float64Range(1, 1e9), rapid.Map(rapid.IntRange(0, 1e9), func(n int) float64 { return float64(n) }))
		*o.value = value.Filter(o.allowed.Has).Draw(t, o.name)
	}
	return s
}

// What Text writes reads back as the same schedule.
func TestTextReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anySchedule(t)
		got, err := Parse(Text(want))
		if err != nil {
			t.Fatalf("%s: %v", Text(want), err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%s (-want +got):\n%s", Text(want), diff)
		}
	})
}

// With any options and any run, a factor is from 0 to 1, or to Max in 1cycle, and a momentum is between its limits.
func TestFactorsAreInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySchedule(t)
		epochs, length := rapid.IntRange(1, 30).Draw(t, "epochs"), rapid.IntRange(1, 50).Draw(t, "steps of an epoch")
		step := rapid.IntRange(0, epochs*length-1).Draw(t, "step")
		losses := rapid.SliceOfN(rapid.Float64Range(0, 3), step/length, step/length).Draw(t, "losses")
		at := Position{Step: step, Steps: epochs * length, EpochSteps: length, Losses: losses}
		most := 1.0
		if c, ok := s.(*OneCycle); ok {
			most = c.Max
			low, high := min(c.Low, c.High), max(c.Low, c.High)
			if m := c.Momentum(at); !(m >= low-1e-15 && m <= high+1e-15) {
				t.Errorf("%s at %+v: momentum %v", Text(s), at, m)
			}
		}
		// The last bits of the sums may exceed the limits.
		if f := s.Factor(at); !(f >= -1e-9*most && f <= most*(1+1e-15)) {
			t.Errorf("%s at %+v: factor %v", Text(s), at, f)
		}
	})
}

// The steps of an epoch and the whole run count, as the options say.
func TestFactor(t *testing.T) {
	for _, c := range []struct {
		text string
		at   Position
		want float64
	}{
		{"step:epochs=2,factor=0.5", Position{Step: 199, EpochSteps: 100}, 1},
		{"step:epochs=2,factor=0.5", Position{Step: 200, EpochSteps: 100}, 0.5},
		{"step:epochs=2,factor=0.5", Position{Step: 400, EpochSteps: 100}, 0.25},
		{"step:epochs=0.1,factor=0.5", Position{Step: 3, EpochSteps: 30}, 0.5},
		{"step:epochs=0.01,factor=0.5", Position{Step: 2, EpochSteps: 30}, 0.25}, // at least one step
		{"exponential:epochs=2", Position{Step: 100, EpochSteps: 100}, math.Sqrt(0.1)},
		{"exponential:epochs=2", Position{Step: 200, EpochSteps: 100}, 0.1},
		{"cosine:warmup=0.1", Position{Step: 0, Steps: 1000}, 1. / 101},
		{"cosine:warmup=0.1", Position{Step: 100, Steps: 1000}, 1},
		{"cosine:warmup=100", Position{Step: 99, Steps: 1000}, 100. / 101},
		{"cosine:warmup=100", Position{Step: 550, Steps: 1000}, 0.5},
		{"cosine:warmup=2000", Position{Step: 999, Steps: 1000}, 1000. / 2001},
		{"1cycle", Position{Step: 0, Steps: 1000}, 1},
		{"1cycle", Position{Step: 449, Steps: 1000}, 10},
		{"1cycle", Position{Step: 898, Steps: 1000}, 1},
		{"1cycle", Position{Step: 999, Steps: 1000}, 0.001},
		{"1cycle", Position{Step: 0, Steps: 1}, 0.001},
		{"1cycle:rise=0.5", Position{Step: 0, Steps: 2}, 1},
		{"plateau:patience=1,end=0.4", Position{}, 1},
		{"plateau:patience=1,end=0.4", Position{Losses: []float64{2, 1, 1, 0.99}}, 1},
		{"plateau:patience=1,end=0.4", Position{Losses: []float64{2, 1, 1, 1}}, 0.5},
		{"plateau:patience=1,end=0.4", Position{Losses: []float64{2, 1, 1, 1, 1}}, 0.5},
		{"plateau:patience=1,end=0.4", Position{Losses: []float64{2, 1, 1, 1, 1, 1}}, 0.4},
	} {
		s, err := Parse(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Factor(c.at); !near(got, c.want) {
			t.Errorf("%s at %+v: %v, expected %v", c.text, c.at, got, c.want)
		}
	}
}

func TestNames(t *testing.T) {
	for _, k := range Kinds() {
		s, err := Parse(k.Name)
		if err != nil || Text(s) != k.Usage || k.About == "" {
			t.Errorf("%+v: found %v, %v", k, s, err)
		}
	}
	for _, name := range []string{"constant", "step", "exponential", "cosine", "1cycle", "plateau"} {
		s, err := Parse(name)
		if err != nil || NeedsLosses(s) != (name == "plateau") {
			t.Errorf("%s: needs losses %v, error %v", name, NeedsLosses(s), err)
		}
		if _, moves := s.(Momentum); moves != (name == "1cycle") {
			t.Errorf("%s moves the momentum: %v", name, moves)
		}
	}
	if NeedsLosses(nil) {
		t.Error("no schedule needs losses")
	}
}
