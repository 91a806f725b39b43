package config

import (
	"testing"

	"github.com/spf13/pflag"
)

// The defaults that the help shows are those that a run has: typing them all changes nothing.
func TestFlagDefaults(t *testing.T) {
	fs := flags(t)
	n := 0
	fs.VisitAll(func(f *pflag.Flag) {
		n++
		if f.Usage == "" {
			t.Errorf("--%s has no help", f.Name)
		}
		if err := fs.Set(f.Name, f.DefValue); err != nil {
			t.Errorf("--%s %q: %v", f.Name, f.DefValue, err)
		}
	})
	if n != len(settings) {
		t.Errorf("%d flags for %d settings", n, len(settings))
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
