package config

import (
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layernorm"
	"fmtrain/internal/loss"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
)

// anyConfig draws settings that Resolve would give.
func anyConfig(t *rapid.T) Config {
	rate := rapid.Float64Range(1e-30, math.MaxFloat32)
	size := rapid.IntRange(1, maxSize)
	natural := rapid.IntRange(0, math.MaxInt)
	word := func(key string) string { return rapid.SampledFrom(Words()[key]).Draw(t, key) }
	c := Default()
	c.Data = rapid.String().Draw(t, "data")
	c.Out = rapid.SampledFrom([]string{"", "runs/a", "2026-01-02", "null", "~", "true", "5", " a: b #c", "é\n"}).Draw(t, "out")
	c.Epochs = rapid.IntRange(0, maxEpochs).Draw(t, "epochs")
	c.BatchSize = size.Draw(t, "batch-size")
	c.Accumulate = rapid.IntRange(1, maxBatches).Draw(t, "accumulate")
	c.Hidden = rapid.SliceOfN(size, 1, 5).Draw(t, "hidden")
	c.Activation = word("activation")
	c.Dropout = rapid.SampledFrom([]float64{0, 0.2, 0.55}).Draw(t, "dropout")
	c.UpperLayers = rapid.IntRange(1, len(c.Hidden)).Draw(t, "upper-layers")
	c.WeightDecayAll = rapid.Bool().Draw(t, "weight-decay-all")
	c.L2, c.ActivityL2 = rate.Draw(t, "l2"), rate.Draw(t, "activity-l2")
	c.MaxNorm, c.ClipNorm = rate.Draw(t, "max-norm"), rate.Draw(t, "clip-norm")
	c.EMA = rapid.Float64Range(0, 0.9999).Draw(t, "ema")
	c.Augment = dataset.Augmentation{
		Flip:  rapid.SampledFrom([]dataset.Flip{dataset.NoFlip, dataset.RandomFlip, dataset.AlternatingFlip}).Draw(t, "flip"),
		Shift: rapid.IntRange(0, 27).Draw(t, "shift"), Cutout: rapid.IntRange(0, 28).Draw(t, "cutout"), Erase: rapid.Bool().Draw(t, "erase"),
	}
	c.LayerNormForm = layernorm.Form(word("layernorm-form"))
	c.LayerNormEpsilon = rapid.Float64Range(0x1p-126, math.MaxFloat32).Draw(t, "layernorm-epsilon")
	c.Loss = word("loss")
	c.Metrics = rapid.SliceOfNDistinct(rapid.SampledFrom(Words()["metrics"]), 1, -1, rapid.ID).Draw(t, "metrics")
	c.Validation = rapid.Ptr(natural, true).Draw(t, "validation")
	c.Patience = natural.Draw(t, "patience")
	c.Seed = rapid.Uint64().Draw(t, "seed")
	c.Shuffle = rapid.Bool().Draw(t, "shuffle")
	c.Threads = rapid.SampledFrom([]*int{nil, new(1), new(8)}).Draw(t, "threads")
	c.VM = word("vm")
	c.Init = rapid.String().Draw(t, "init")
	c.CheckpointEvery = rapid.SampledFrom([]Every{{}, {Iterations: 100}, {Time: time.Minute}, {Time: 90 * time.Minute}, {Time: time.Millisecond}}).Draw(t, "checkpoint-every")
	c.LogEvery = natural.Draw(t, "log-every")
	c.Progress = word("progress")
	c.JSON = rapid.Bool().Draw(t, "json")
	for i := range c.Groups {
		drawGroup(t, &c.Groups[i])
	}
	for i := range c.LossSettings { // of the loss, or of a loss not known yet
		if s := &c.LossSettings[i]; lossOf(s.Name) == c.Loss || c.Loss == auto && c.Init != "" {
			s.Value = rapid.Ptr(rapid.Float64Range(0.001, 0.999), true).Draw(t, s.Name)
		}
	}
	c.Model = word("model")
	if c.Model == resMLP {
		c.Hidden = slices.Repeat(c.Hidden[:1], len(c.Hidden))
	}
	if c.Model == cnn {
		c.Channels = rapid.SliceOfN(size, 1, 4).Draw(t, "channels") // the map has no place for a fifth pool
	}
	c.Layers = rapid.SampledFrom([]string{"", "784-10", "784-conv:8x5s2v-res(conv:8)-globalmax-10", "784-300-relu-dropout:0.2-res(relu-300)-10", "784-784-300@a-ln-10@b"}).Draw(t, "layers")
	if c.Layers != "" {
		plain := Default()
		c.Model, c.Channels, c.Hidden, c.Activation, c.Dropout, c.UpperLayers = plain.Model, nil, plain.Hidden, plain.Activation, 0, 1
	}
	if rapid.Bool().Draw(t, "own groups") {
		c.Groups = []Group{{Name: "a", Parameters: "*.norm.*"}, {Name: "b", Parameters: "*"}}
		for i := range c.Groups {
			drawGroup(t, &c.Groups[i])
		}
	}
	if strings.Contains(c.Layers, "ln") {
		c.LayerNormForm = layernorm.Keras
	}
	return c
}

func drawGroup(t *rapid.T, g *Group) {
	rate := rapid.Float64Range(1e-30, math.MaxFloat32)
	g.Solver = rapid.SampledFrom(Words()["solver"]).Draw(t, "solver")
	g.LR, g.WeightDecay = rate.Draw(t, "lr"), rate.Draw(t, "weight decay")
	text := rapid.SampledFrom([]string{"constant", "step:epochs=2.5,factor=0.1", "1cycle:max=10,rise=0.45,end=0.001,high=0.95,low=0.85"}).Draw(t, "schedule")
	g.Schedule = parsed(t, text)
}

func lossOf(setting string) string { _, of, _ := loss.Find(setting); return of }

// parsed is a schedule.
func parsed(t interface{ Fatal(...any) }, text string) schedule.Schedule {
	s, err := schedule.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Every field of a Config has an entry in the table, and every entry has a heading and a help text.
func TestTable(t *testing.T) {
	c := Default()
	table := settings(&c)
	held := map[any]bool{}
	seen := map[string]bool{}
	for _, s := range table {
		held[s.at] = true
		if seen[s.key] {
			t.Errorf("%s: two entries", s.key)
		}
		seen[s.key] = true
		if !slices.Contains(Headings(), s.heading) {
			t.Errorf("%s: heading %q, expected one of %q", s.key, s.heading, Headings())
		}
		if s.help == "" || strings.HasSuffix(s.help, ".") {
			t.Errorf("%s: help %q: expected a phrase without a full stop", s.key, s.help)
		}
		for _, other := range append(slices.Clone(s.replaces), s.forAll...) {
			if find(table, other) == nil {
				t.Errorf("%s: no setting %s", s.key, other)
			}
		}
	}
	made := []string{"Network", "LossSettings"} // of other settings, and one entry each
	v := reflect.ValueOf(&c).Elem()
	for i := range v.NumField() {
		name := v.Type().Field(i).Name
		if !held[v.Field(i).Addr().Interface()] && !slices.Contains(made, name) {
			t.Errorf("the field %s has no entry", name)
		}
	}
	for i := range c.LossSettings {
		if !held[&c.LossSettings[i].Value] {
			t.Errorf("the loss setting %s has no entry", c.LossSettings[i].Name)
		}
	}
	for i, g := range c.Groups {
		for _, field := range []any{&c.Groups[i].Solver, &c.Groups[i].LR, &c.Groups[i].Schedule, &c.Groups[i].WeightDecay} {
			if !held[field] {
				t.Errorf("a field of the group %s has no entry", g.Name)
			}
		}
	}
}

// The header shows the settings that are not the default.
func TestHeader(t *testing.T) {
	c := Default()
	if lines := c.Header(); lines != nil {
		t.Errorf("of the defaults: %q", lines)
	}
	c.Accumulate, c.ClipNorm, c.EMA, c.Patience, c.Shuffle = 4, 1, 0.999, 3, false
	want := []string{"accumulate: 4 batches in a step", "gradient clipping: norm 1", "weight averaging: EMA, decay 0.999",
		"early stopping: patience 3", "order of the images: as in the files"}
	if diff := cmp.Diff(want, c.Header()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
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

// Settings that use the validation images need some.
func TestValidationIsNeeded(t *testing.T) {
	withPlateau := Default()
	withPlateau.Groups[1].Schedule = parsed(t, "plateau:patience=3")
	for by, c := range map[string]Config{
		"patience":                        {Patience: 1},
		"the schedule of the group upper": withPlateau,
	} {
		want := "validation: expected at least one image, because " + by + " needs a validation loss or accuracy; found 0"
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

// mustEqual fails the test unless the settings are the same. It ignores the network, which follows from the other settings.
func mustEqual(t interface{ Fatalf(string, ...any) }, what string, want, got Config) {
	if diff := differ(want, got); diff != "" {
		t.Fatalf("%s (-want +got):\n%s", what, diff)
	}
}

func differ(want, got Config) string {
	want.Network, got.Network = model.Architecture{}, model.Architecture{}
	return cmp.Diff(want, got)
}
