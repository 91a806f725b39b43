package main

import (
	"fmt"
	"math"
	"strconv"

	"fmtrain/internal/run"
)

// measure is a result of a run as a number.
type measure struct {
	key, name string // in JSON and CSV; for people
	of        func(*comparedRun) (x float64, ok bool)
	text      func(x float64) string
	change    func(from, to float64) string // empty for none
	whole     bool                          // each run has a whole number
}

// measures are the results that a comparison shows, in their order.
var measures = []measure{
	wholeNumber("epochs_done", "epochs done", func(r *comparedRun) int { return r.summary.Epochs }),
	wholeNumber("best_epoch", "best epoch", func(r *comparedRun) int { return r.Progress.BestEpoch }),
	ofEpoch("train_loss", "train loss", func(e *run.Epoch) *float64 { return e.Loss }),
	ofEpoch("train_accuracy", "train accuracy", func(e *run.Epoch) *float64 { return e.Accuracy }),
	ofEpoch("val_loss", "val loss", func(e *run.Epoch) *float64 { return e.ValLoss }),
	ofEpoch("val_accuracy", "val accuracy", func(e *run.Epoch) *float64 { return e.ValAccuracy }),
	ofTest("test_loss", "test loss", func(t *run.Tested) float64 { return t.Loss }),
	ofTest("test_accuracy", "test accuracy", func(t *run.Tested) float64 { return t.Accuracy }),
	wholeNumber("parameters", "parameters", func(r *comparedRun) int { return r.Parameters }),
	{key: "seconds", name: "time", text: duration, change: percentChange,
		of: func(r *comparedRun) (float64, bool) { return r.Seconds, r.Seconds > 0 }},
	{key: "images_per_second", name: "images/s", text: roundText, change: percentChange,
		of: func(r *comparedRun) (float64, bool) {
			return r.summary.Images / r.summary.Seconds, r.summary.Seconds > 0
		}},
}

// wholeNumber is a measure that is a whole number, such as the epochs done. 0 stands for none, but for the epochs.
func wholeNumber(key, name string, of func(*comparedRun) int) measure {
	return measure{key: key, name: name, text: wholeText, change: wholeChange, whole: true, of: func(r *comparedRun) (float64, bool) {
		n := of(r)
		return float64(n), n > 0 || key == "epochs_done"
	}}
}

// ofEpoch is a value of the best epoch.
func ofEpoch(key, name string, of func(*run.Epoch) *float64) measure {
	return measure{key: key, name: name, text: meanText, change: meanChange, of: func(r *comparedRun) (float64, bool) {
		if e := r.best(); e != nil {
			if x := of(e); x != nil {
				return *x, true
			}
		}
		return 0, false
	}}
}

// ofTest is a value of the evaluation on the test images.
func ofTest(key, name string, of func(*run.Tested) float64) measure {
	return measure{key: key, name: name, text: meanText, change: meanChange, of: func(r *comparedRun) (float64, bool) {
		if r.Test == nil {
			return 0, false
		}
		return of(r.Test), true
	}}
}

func roundText(x float64) string { return thousands(int(math.Round(x))) }

func meanText(x float64) string { return strconv.FormatFloat(x, 'f', 4, 64) }

// meanChange never writes -0.0000.
func meanChange(from, to float64) string {
	return fmt.Sprintf("%+.4f", math.Round((to-from)*1e4)/1e4+0)
}

// wholeText is a whole number, or the mean of some with a digit more.
func wholeText(x float64) string {
	if x == math.Trunc(x) {
		return thousands(int(x))
	}
	return strconv.FormatFloat(x, 'f', 1, 64)
}

func wholeChange(from, to float64) string {
	switch {
	case to == from:
		return ""
	case to < from:
		return "-" + wholeText(from-to)
	}
	return "+" + wholeText(to-from)
}

func percentChange(from, to float64) string {
	if from == 0 {
		return ""
	}
	return fmt.Sprintf("%+.0f %%", 100*(to/from-1))
}

// spread is the mean of some values and their standard deviation, with n − 1; of one value it is 0.
func spread(values []float64) (mean, deviation float64) {
	for _, x := range values {
		mean += x / float64(len(values))
	}
	if len(values) < 2 {
		return mean, 0
	}
	var sum float64
	for _, x := range values {
		sum += float64((x - mean) * (x - mean))
	}
	return mean, math.Sqrt(sum / float64(len(values)-1))
}
