package config

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// differing are the settings of a run with these flags that differ from a plain run's, as KEY TEXT.
func differing(t *testing.T, flags ...string) string {
	t.Helper()
	fs := pflag.NewFlagSet("", pflag.ContinueOnError)
	AddFlags(fs)
	if err := fs.Parse(flags); err != nil {
		t.Fatal(err)
	}
	c, err := Resolve("", fs)
	if err != nil {
		t.Fatal(err)
	}
	c.Data, c.Out, c.Loss = "/some/where", "runs/x", "cross-entropy" // as a run resolves them
	if fs.Changed("loss") {
		c.Loss = fs.Lookup("loss").Value.String()
	}
	validation := 5000
	if c.Validation == nil {
		c.Validation = &validation
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	all, err := RunSettings(text)
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, s := range Differing(all) {
		words = append(words, s.Key+" "+s.Text)
	}
	return strings.Join(words, ", ")
}

// Only settings that make another run are listed: no values that follow from others, and no places of files.
func TestDiffering(t *testing.T) {
	for _, c := range []struct{ flags, want string }{
		{"", ""},
		{"--threads 1 --log-every 5 --json --progress none --checkpoint-every 9 --metrics top3 --vm lisp", ""},
		{"--hidden 300,100 --seed 7 --epochs 9", "epochs 9, hidden 300,100, seed 7"},
		{"--lr 0.5", "lr 0.5"},
		{"--lower-lr 0.5", "lower-lr 0.5"},
		{"--solver adamw", "solver adamw"},
		{"--solver adamw --upper-weight-decay 0.1", "solver adamw, upper-weight-decay 0.1"},
		{"--solver adamw --upper-weight-decay 0", "solver adamw, upper-weight-decay 0"},
		{"--loss focal", "loss focal"},
		{"--loss focal --focal-gamma 2", "loss focal"},
		{"--loss focal --focal-gamma 3", "loss focal, focal-gamma 3"},
		{"--validation 100 --shuffle=false", "validation 100, shuffle false"},
		{"--upper-schedule cosine:warmup=5", "upper-schedule cosine:warmup=5,end=0"},
	} {
		if got := differing(t, strings.Fields(c.flags)...); got != c.want {
			t.Errorf("%s: expected %q, found %q", c.flags, c.want, got)
		}
	}
}

// The settings of older and newer programs can be read, too.
func TestRunSettingsOfOtherPrograms(t *testing.T) {
	all, err := RunSettings([]byte(`{"data":"sample","epochs":3,"new_one":[1,2],"other":{"a":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range Differing(all) {
		got = append(got, fmt.Sprintf("%s=%s=%s", s.JSONKey(), s.Text, s.JSON))
	}
	want := []string{`data=sample="sample"`, "epochs=3=3", "new_one=1,2=[1,2]", `other={"a":1}={"a":1}`}
	if !slices.Equal(got, want) {
		t.Errorf("expected %q, found %q", want, got)
	}
	for _, bad := range []string{"", "3", "[]"} {
		if _, err := RunSettings([]byte(bad)); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
