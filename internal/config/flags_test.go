package config

import (
	"errors"
	"slices"
	"testing"

	"github.com/spf13/pflag"
)

// The help shows the true defaults: giving all of them as flags changes nothing.
func TestFlagDefaults(t *testing.T) {
	fs := flags(t)
	n := 0
	fs.VisitAll(func(f *pflag.Flag) {
		n++
		if f.Usage == "" {
			t.Errorf("--%s has no help", f.Name)
		}
		if f.DefValue == "" {
			return // an empty text is refused
		}
		if err := fs.Set(f.Name, f.DefValue); err != nil {
			t.Errorf("--%s %q: %v", f.Name, f.DefValue, err)
		}
	})
	c := Default()
	if want := len(settings(&c)); n != want {
		t.Errorf("%d flags for %d settings", n, want)
	}
	got, err := Resolve("", fs)
	if err != nil {
		t.Fatal(err)
	}
	mustEqual(t, "defaults of the flags", Default(), got)

	for name, want := range map[string]string{
		"epochs": "5", "hidden": "100", "lower-lr": "0.0001", "lower-solver": "adam", "shuffle": "true", "data": "",
		"validation": "auto", "upper-weight-decay": "auto", "seed": "42", "layernorm-epsilon": "0.001",
	} {
		if got := fs.Lookup(name).DefValue; got != want {
			t.Errorf("default of --%s in the help: %q, want %q", name, got, want)
		}
	}
}

// An empty text is refused: it usually comes from a shell variable that was never set.
func TestEmptyFlags(t *testing.T) {
	for _, key := range []string{"data", "out", "init", "layers", "groups", "hidden", "lr"} {
		_, err := Resolve("", flags(t, "--"+key+"="))
		if want := "--" + key + ": expected a value, found an empty text"; message(err) != want || !errors.Is(err, ErrInvalid) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// Completions know every closed choice.
func TestWords(t *testing.T) {
	for key, want := range map[string]string{
		"solver": "nadam", "lower-solver": "adamw", "schedule": "cosine", "upper-schedule": "1cycle", "loss": "focal", "activation": "gelu",
		"metrics": "recall:Ankle boot", "model": "resmlp", "layernorm-form": "none", "progress": "bar", "vm": "lisp",
	} {
		if !slices.Contains(Words()[key], want) {
			t.Errorf("%s: %q lacks %s", key, Words()[key], want)
		}
	}
}
