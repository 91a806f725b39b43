package config

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fmtrain/internal/loss"
)

// anyConfig draws settings that Resolve would give.
func anyConfig(t *rapid.T) Config {
	solver := rapid.SampledFrom(Solvers)
	rate := rapid.Float64Range(0, math.MaxFloat32)
	size := rapid.IntRange(1, maxSize)
	aSchedule := rapid.SampledFrom([]string{"constant", "step:epochs=2.5,factor=0.1", "1cycle:max=10,rise=0.45,end=0.001,high=0.95,low=0.85"})
	natural := rapid.IntRange(0, math.MaxInt)
	c := Config{
		Data:             rapid.String().Draw(t, "data"),
		Out:              rapid.SampledFrom([]string{"", "runs/a", "2026-01-02", "null", "~", "true", "5", " a: b #c", "é\n"}).Draw(t, "out"),
		Epochs:           rapid.IntRange(0, maxEpochs).Draw(t, "epochs"),
		BatchSize:        size.Draw(t, "batch-size"),
		Hidden:           rapid.SliceOfN(size, 1, 5).Draw(t, "hidden"),
		Activation:       rapid.SampledFrom(Activations).Draw(t, "activation"),
		LowerSolver:      solver.Draw(t, "lower-solver"),
		LowerLR:          rate.Draw(t, "lower-lr"),
		UpperSolver:      solver.Draw(t, "upper-solver"),
		UpperLR:          rate.Draw(t, "upper-lr"),
		Accumulate:       rapid.IntRange(1, maxBatches).Draw(t, "accumulate"),
		LowerSchedule:    aSchedule.Draw(t, "lower-schedule"),
		UpperSchedule:    aSchedule.Draw(t, "upper-schedule"),
		ClipNorm:         rate.Draw(t, "clip-norm"),
		L2:               rate.Draw(t, "l2"),
		ActivityL2:       rate.Draw(t, "activity-l2"),
		MaxNorm:          rate.Draw(t, "max-norm"),
		EMA:              rapid.Float64Range(0, 0.9999).Draw(t, "ema"),
		Patience:         natural.Draw(t, "patience"),
		LowerWeightDecay: rate.Draw(t, "lower-weight-decay"),
		UpperWeightDecay: rate.Draw(t, "upper-weight-decay"),
		WeightDecayAll:   rapid.Bool().Draw(t, "weight-decay-all"),
		LayerNormForm:    rapid.SampledFrom(LayerNormForms).Draw(t, "layernorm-form"),
		LayerNormEpsilon: rapid.Float64Range(math.SmallestNonzeroFloat32, math.MaxFloat32).Draw(t, "layernorm-epsilon"),
		Loss:             rapid.SampledFrom(Losses).Draw(t, "loss"),
		Metrics:          rapid.SliceOfNDistinct(rapid.SampledFrom(Metrics), 1, -1, rapid.ID).Draw(t, "metrics"),
		Validation:       rapid.Ptr(natural, true).Draw(t, "validation"),
		Seed:             rapid.Uint64().Draw(t, "seed"),
		Shuffle:          rapid.Bool().Draw(t, "shuffle"),
		Init:             rapid.String().Draw(t, "init"),
		Threads:          rapid.SampledFrom([]*int{nil, new(1), new(8)}).Draw(t, "threads"),
		VM:               rapid.SampledFrom(Machines).Draw(t, "vm"),
		CheckpointEvery:  rapid.SampledFrom([]string{"0", "100", "60s", "1h30m"}).Draw(t, "checkpoint-every"),
		LogEvery:         natural.Draw(t, "log-every"),
		Progress:         rapid.SampledFrom(ProgressModes).Draw(t, "progress"),
		JSON:             rapid.Bool().Draw(t, "json"),
	}
	for _, s := range c.lossSettings() { // that of the loss, or of a loss not known yet
		if _, of, _ := loss.Find(s.key); of == c.Loss || c.Loss == auto && c.Init != "" {
			*s.value = rapid.Ptr(rapid.Float64Range(0.001, 0.999), true).Draw(t, s.key)
		}
	}
	c.UpperLayers = rapid.IntRange(1, len(c.Hidden)).Draw(t, "upper-layers")
	c.Model = rapid.SampledFrom(Models).Draw(t, "model")
	if c.Model == resMLP {
		c.Hidden = slices.Repeat(c.Hidden[:1], len(c.Hidden))
	}
	c.Layers = rapid.SampledFrom([]string{"", "784-10", "784-300-relu-dropout:0.2-res(relu-300)-10", "784-784-300@a-ln-10@b"}).Draw(t, "layers")
	if c.Layers != "" {
		plain := Default()
		c.Model, c.Hidden, c.Activation, c.UpperLayers = plain.Model, plain.Hidden, plain.Activation, 1
	}
	c.Groups = rapid.SampledFrom([]string{"", `[{"name":"all","parameters":"*","solver":"adamw","lr":0.1,"schedule":"constant","weight-decay":0.004}]`}).Draw(t, "groups")
	if c.Groups != "" {
		plain := Default()
		c.LowerSolver, c.LowerLR, c.LowerSchedule, c.LowerWeightDecay = plain.LowerSolver, plain.LowerLR, plain.LowerSchedule, plain.LowerWeightDecay
		c.UpperSolver, c.UpperLR, c.UpperSchedule, c.UpperWeightDecay = plain.UpperSolver, plain.UpperLR, plain.UpperSchedule, plain.UpperWeightDecay
	}
	if strings.Contains(c.Layers, "ln") {
		c.LayerNormForm = "keras"
	}
	return c
}

func TestTableMatchesConfig(t *testing.T) {
	fields := reflect.VisibleFields(reflect.TypeFor[Config]())
	if len(fields) != len(settings) {
		t.Fatalf("%d fields, %d settings", len(fields), len(settings))
	}
	for i, f := range fields {
		key := settings[i].key
		if got := f.Tag.Get("koanf"); got != key {
			t.Errorf("field %s: koanf tag %q, setting %d of the table is %q", f.Name, got, i, key)
		}
		if got, want := f.Tag.Get("json"), strings.ReplaceAll(key, "-", "_"); got != want {
			t.Errorf("field %s: json tag %q, want %q", f.Name, got, want)
		}
	}
}

func TestValidationImages(t *testing.T) {
	for _, test := range []struct {
		validation     *int
		training, want int
		err            string
	}{
		{nil, 60000, 5000, ""},
		{nil, 6000, 500, ""},
		{nil, 1, 0, ""},
		{new(0), 60000, 0, ""},
		{new(59999), 60000, 59999, ""},
		{new(60000), 60000, 0, "validation: expected a whole number of at least 0 and less than the 60000 training images, found 60000"},
		{new(1), 10, 1, ""},
		{new(-1), 10, 0, "validation: expected a whole number of at least 0 and less than the 10 training images, found -1"},
	} {
		got, err := Config{Validation: test.validation}.ValidationImages(test.training)
		if got != test.want || message(err) != test.err {
			t.Errorf("%d training images: %d, %q; want %d, %q", test.training, got, message(err), test.want, test.err)
		}
		if err != nil && !errors.Is(err, ErrInvalid) {
			t.Errorf("%v does not match ErrInvalid", err)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// What looks at the validation images needs some.
func TestValidationIsNeeded(t *testing.T) {
	for by, c := range map[string]Config{
		"patience":       {Patience: 1},
		"lower-schedule": {LowerSchedule: "plateau"},
		"upper-schedule": {UpperSchedule: "plateau:patience=3"},
	} {
		want := "validation: expected images for " + by + " to look at, found 0"
		if _, err := c.ValidationImages(11); message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("a twelfth of 11: %v; want %s", err, want)
		}
		c.Validation = new(0)
		if _, err := c.ValidationImages(60000); message(err) != want {
			t.Errorf("none: %v; want %s", err, want)
		}
		c.Validation = new(1)
		if n, err := c.ValidationImages(60000); n != 1 || err != nil {
			t.Errorf("one: %d, %v", n, err)
		}
	}
}

// mustEqual fails the test unless the settings are the same.
func mustEqual(t interface{ Fatalf(string, ...any) }, what string, want, got Config) {
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}
