package main

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"fmtrain/internal/loop"
	"fmtrain/internal/schedule"
)

// A run warns before it starts of learning rates that stay 0 and of warm-ups longer than the run.
func TestWarningsOfRates(t *testing.T) {
	rates := func(lower, upper float64) loop.Rates {
		return loop.Rates{{Group: "lower", LearningRate: lower}, {Group: "upper", LearningRate: upper}}
	}
	const short = "warning: the warm-up of %s takes 5000 steps, but the run has only 172: the learning rate never reaches its full value\n"
	for name, c := range map[string]struct {
		rates        loop.Rates
		lower, upper string // schedules
		want         string
	}{
		"nothing":            {rates(1, 1), "", "", ""},
		"frozen":             {rates(0, 1), "", "", ""},
		"all frozen":         {rates(0, 0), "", "cosine", "warning: no weight will change: every learning rate is 0\n"},
		"long warm-up":       {rates(1, 1), "", "cosine:warmup=5000", strings.Replace(short, "%s", "upper", 1)},
		"two long warm-ups":  {rates(1, 1), "cosine:warmup=5000", "cosine:warmup=5000", strings.Replace(short, "%s", "lower and upper", 1)},
		"frozen and warm-up": {rates(0, 1), "cosine:warmup=5000", "", ""},
		"warm-up that ends":  {rates(1, 1), "cosine:warmup=171", "cosine:warmup=0.9", ""},
		"other schedules":    {rates(1, 1), "1cycle", "plateau", ""},
	} {
		var out bytes.Buffer
		w := &warnings{out: &out}
		for _, text := range []string{c.lower, c.upper} {
			var s schedule.Schedule
			if text != "" {
				var err error
				s, err = schedule.Parse(text)
				must(t, err)
			}
			w.schedules = append(w.schedules, s)
		}
		must(t, w.OnStart(&loop.Start{Epochs: 1, Iterations: 172, Rates: c.rates}))
		if out.String() != c.want {
			t.Errorf("%s: expected %q, found %q", name, c.want, out.String())
		}
		// After such a warning, there is no second one about the accuracy.
		out.Reset()
		must(t, w.OnEpoch(&loop.Epoch{Epoch: 1, Accuracy: 0.1, ValAccuracy: 0.1}))
		if (out.Len() > 0) != (c.want == "") {
			t.Errorf("%s: after %q said %q", name, c.want, out.String())
		}
	}
}

// A run warns once of a model that guesses, at the first epoch that ends so.
func TestWarningOfGuessing(t *testing.T) {
	nan := math.NaN()
	for _, c := range []struct {
		accuracies [][2]float64 // training and validation
		want       string
	}{
		{[][2]float64{{0.8, 0.85}}, ""},
		{[][2]float64{{0.3, 0.1}, {0.6, 0.1}}, ""},
		{[][2]float64{{0.1, 0.098}, {0.1, 0.1}}, "warning: after epoch 1 the accuracy is 0.100, no better than guessing; try another learning rate\n"},
		{[][2]float64{{0.5, nan}, {0.1004, nan}}, "warning: after epoch 2 the accuracy is 0.100, no better than guessing; try another learning rate\n"},
	} {
		var out bytes.Buffer
		w := &warnings{out: &out}
		for i, a := range c.accuracies {
			must(t, w.OnEpoch(&loop.Epoch{Epoch: i + 1, Accuracy: a[0], ValAccuracy: a[1]}))
		}
		if out.String() != c.want {
			t.Errorf("%v: expected %q, found %q", c.accuracies, c.want, out.String())
		}
	}
}
