package config

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// saved is the settings of a run, as a checkpoint has them.
func saved(t interface{ Fatal(...any) }, c Config) []byte {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// begun is the settings of a run that has begun.
func begun() Config {
	c := Default()
	c.Data, c.Out, c.Loss, c.Validation, c.LabelSmoothing = "sample", "runs/a", "cross-entropy", new(500), new(0.25)
	return c
}

// Whatever a run was begun with, it goes on with, if nothing else is said.
func TestResumeKeepsSettings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		c.Data = "sample"
		got, err := Resume("c", saved(t, c), "", nil, false)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "settings", c, got)
	})
}

// What does not change the results may change; auto is what it was.
func TestResumeMayChange(t *testing.T) {
	want := begun()
	want.Epochs, want.Threads, want.LogEvery, want.Progress, want.JSON, want.CheckpointEvery = 9, new(2), 7, "none", true, "20"
	got, err := Resume("c", saved(t, begun()), "", flags(t, "--epochs=9", "--threads=2", "--log-every=7", "--progress=none", "--json",
		"--checkpoint-every=20", "--loss=auto", "--validation=auto", "--label-smoothing=auto", "--lower-lr=1e-4"), false)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "settings", want, got)
}

// Another setting is refused, each with both values, unless it is overridden.
func TestResumeRefusesChanges(t *testing.T) {
	args := []string{"--lower-lr=0.5", "--hidden=100,20", "--validation=7", "--epochs=7"}
	_, err := Resume("c", saved(t, begun()), "", flags(t, args...), false)
	want := strings.Join([]string{
		"--hidden: expected 100, with which the run was begun, found 100,20; --override changes it",
		"--lower-lr: expected 0.0001, with which the run was begun, found 0.5; --override changes it",
		"--validation: expected 500, with which the run was begun, found 7; --override changes it",
	}, "\n")
	if diff := cmp.Diff(want, message(err)); diff != "" || !errors.Is(err, ErrInvalid) {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c, err := Resume("c", saved(t, begun()), "", flags(t, args...), true)
	if err != nil || c.LowerLR != 0.5 || len(c.Hidden) != 2 || *c.Validation != 7 || c.Epochs != 7 {
		t.Errorf("overridden: %+v, %v", c, err)
	}
	for _, flag := range []string{"--out=x", "--init=x"} {
		if _, err := Resume("c", saved(t, begun()), "", flags(t, flag), true); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), flag[:5]) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// Settings that no run can have are refused, with the checkpoint and the setting.
func TestResumeRefusesForeignSettings(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "c: expected the settings of a run",
		"[]":                         "c: expected the settings of a run",
		`{"batch_size":"32"}`:        "c: expected the settings of a run",
		`{"dreams":1}`:               `unknown field "dreams"`,
		`{"batch_size":-3}`:          "c, settings:4: batch-size: expected a whole number from 1",
		`{"lower_solver":"adma"}`:    "lower-solver: expected one of sgd",
		`{"hidden":[]}`:              "hidden: expected at least one hidden layer",
		`{"checkpoint_every":"-1s"}`: "checkpoint-every: expected a whole number of iterations",
	} {
		if _, err := Resume("c", []byte(text), "", nil, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", text, want, err)
		}
	}
}
