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
func saved(t interface{ Fatal(...any) }, c Config) Saved {
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	return Saved{Where: "c", Settings: text}
}

// begun is the settings of a run that has started.
func begun() Config {
	c := Default()
	c.Data, c.Out, c.Loss, c.Validation, c.LossSettings[0].Value = "sample", "runs/a", "cross-entropy", new(500), new(0.25)
	return c
}

// Without flags, a run resumes with its original settings.
func TestResumeKeepsSettings(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := anyConfig(t)
		c.Data = "sample"
		got, err := Resume(saved(t, c), "", nil, false)
		if err != nil {
			t.Fatal(err)
		}
		mustEqual(t, "settings", c, got)
	})
}

// Settings that don't change the results may change. auto keeps the old value.
func TestResumeMayChange(t *testing.T) {
	want := begun()
	want.Epochs, want.Threads, want.LogEvery, want.Progress, want.JSON, want.CheckpointEvery = 9, new(2), 7, "none", true, Every{Iterations: 20}
	got, err := Resume(saved(t, begun()), "", flags(t, "--epochs=9", "--threads=2", "--log-every=7", "--progress=none", "--json",
		"--checkpoint-every=20", "--loss=auto", "--validation=auto", "--label-smoothing=auto", "--lower-lr=1e-4"), false)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "settings", want, got)
}

// Any other change is refused, with both values, unless --override allows it.
func TestResumeRefusesChanges(t *testing.T) {
	args := []string{"--lower-lr=0.5", "--hidden=100,20", "--validation=7", "--epochs=7"}
	_, err := Resume(saved(t, begun()), "", flags(t, args...), false)
	want := strings.Join([]string{
		"--hidden: the run started with 100, found 100,20; --override changes it",
		"--lower-lr: the run started with 0.0001, found 0.5; --override changes it",
		"--validation: the run started with 500, found 7; --override changes it",
	}, "\n")
	if diff := cmp.Diff(want, message(err)); diff != "" || !errors.Is(err, ErrInvalid) {
		t.Errorf("(-want +got):\n%s", diff)
	}
	c, err := Resume(saved(t, begun()), "", flags(t, args...), true)
	if err != nil || c.Groups[0].LR != 0.5 || len(c.Hidden) != 2 || *c.Validation != 7 || c.Epochs != 7 {
		t.Errorf("overridden: %+v, %v", c, err)
	}
	for _, flag := range []string{"--out=x", "--init=x"} {
		if _, err := Resume(saved(t, begun()), "", flags(t, flag), true); !errors.Is(err, ErrInvalid) || !strings.Contains(err.Error(), flag[:5]) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// Settings that no run can have are refused, with the checkpoint and the setting.
func TestResumeRefusesForeignSettings(t *testing.T) {
	for text, want := range map[string]string{
		"":                           "c: expected the settings of a run",
		"[]":                         "c: expected the settings of a run",
		`{"batch_size":"32"}`:        `c, settings: batch-size: expected a whole number from 1 to 65536, found the text "32"`,
		`{"dreams":1}`:               `found "dreams"`,
		`{"batch_size":-3}`:          "c, settings: batch-size: expected a whole number from 1",
		`{"lower_solver":"adma"}`:    "lower-solver: expected one of sgd",
		`{"hidden":[]}`:              "hidden: expected at least one hidden layer",
		`{"checkpoint_every":"-1s"}`: "checkpoint-every: expected a whole number of iterations",
	} {
		if _, err := Resume(Saved{Where: "c", Settings: []byte(text)}, "", nil, false); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: expected %q, found %v", text, want, err)
		}
	}
}

// Another number of epochs is allowed unless a schedule depends on it. Then the error says what would happen.
func TestResumeBendsNoSchedule(t *testing.T) {
	for text, want := range map[string]string{
		"constant": "", "step": "", "exponential": "", "plateau": "",
		"cosine":                  "with 120 the learning rate at the end of epoch 50 is 0.00063, not 6.71e-05; --override resumes with it",
		"cosine:end=1,warmup=0.5": "with 120 the learning rate at the end of epoch 30 is",
		"1cycle":                  "the schedule 1cycle:max=10,rise=0.45,end=0.001,high=0.95,low=0.85 of the group upper stretches over all epochs",
		"cosine:warmup=100,end=1": "",
	} {
		was := begun()
		was.Epochs = 60
		was.Groups[1].Schedule = parsed(t, text)
		_, err := Resume(saved(t, was), "", flags(t, "--epochs=120"), false)
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", text, err)
		case want != "" && (!strings.HasPrefix(message(err), "--epochs: the run started with 60, ") || !strings.Contains(message(err), want) || !errors.Is(err, ErrInvalid)):
			t.Errorf("%s: found %v, wanted %s", text, err, want)
		}
		if c, err := Resume(saved(t, was), "", flags(t, "--epochs=120"), true); err != nil || c.Epochs != 120 {
			t.Errorf("%s: overridden: %v", text, err)
		}
		if _, err := Resume(saved(t, was), "", flags(t, "--epochs=60"), false); err != nil {
			t.Errorf("%s: the same epochs: %v", text, err)
		}
	}
}
