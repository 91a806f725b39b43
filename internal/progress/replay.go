package progress

import (
	"encoding/json"
	"maps"
	"math"
	"slices"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/schedule"
)

// Replay calls an observer with the events in a run's metrics, as the loop called the observers that wrote them. So [Lines] shows a run of
// another process as it shows one of this process. What the metrics don't have is 0: an iteration's seen samples and elapsed time.
type Replay struct {
	Observer loop.Observer
	Diverged func(*loop.Diverged) // nil: nothing

	settings map[string]json.RawMessage // of the run so far
	start    loop.Start
}

// Event passes one event on. One that can't be read is left out. An error is the observer's.
func (r *Replay) Event(e run.Event) error {
	switch e.Event {
	case "start":
		r.settings = map[string]json.RawMessage{}
		if json.Unmarshal(e.Line, &r.settings) != nil {
			return nil
		}
		return r.begin(nil)
	case "resume":
		var resumed struct {
			Epoch     int                        `json:"epoch"`
			Iteration int                        `json:"iteration"`
			Changed   map[string]json.RawMessage `json:"changed"`
		}
		if r.settings == nil || json.Unmarshal(e.Line, &resumed) != nil {
			return nil
		}
		maps.Copy(r.settings, resumed.Changed)
		return r.begin(&loop.Resumed{From: run.Progress{Epoch: resumed.Epoch, Iteration: resumed.Iteration}, Changed: resumed.Changed})
	}
	if r.settings == nil { // the metrics have lost their beginning
		return nil
	}
	switch e.Event {
	case "iteration":
		return r.iteration(e.Line)
	case "epoch":
		return r.epoch(e.Line)
	case "done":
		return r.done(e.Line)
	case "diverged":
		var d loop.Diverged
		if json.Unmarshal(e.Line, &d) == nil && r.Diverged != nil {
			r.Diverged(&d)
		}
	}
	return nil
}

// LogEvery is the run's --log-every.
func (r *Replay) LogEvery() (n int) {
	r.setting("log_every", &n)
	return n
}

// setting reads a setting of the run, if it has it.
func (r *Replay) setting(key string, value any) { _ = json.Unmarshal(r.settings[key], value) }

// begin announces the run, or its resume.
func (r *Replay) begin(resumed *loop.Resumed) error {
	var validation int
	var average float64
	var names []string
	r.setting("validation", &validation)
	r.setting("ema", &average)
	r.setting("metrics", &names)
	r.start = loop.Start{
		Iterations: r.start.Iterations, Validated: validation > 0, Averaged: average > 0 && validation > 0, Rates: r.rates(), Resumed: resumed,
	}
	r.setting("epochs", &r.start.Epochs)
	if r.start.Validated {
		names = slices.DeleteFunc(names, func(name string) bool { return name == "accuracy" })
		if set, err := metric.NewSet(names, dataset.ClassNames[:]); err == nil { // a newer program may have others
			r.start.Metrics = set.Names()
		}
	}
	return r.Observer.OnStart(&r.start)
}

// rates are the groups of the run in their order, and which rates a schedule changes. The rates are not known yet.
func (r *Replay) rates() (rates loop.Rates) {
	type group struct{ Name, Schedule string }
	var list string
	var groups []group
	r.setting("groups", &list)
	if json.Unmarshal([]byte(list), &groups) != nil {
		groups = []group{{Name: model.Lower}, {Name: model.Upper}}
		r.setting("lower_schedule", &groups[0].Schedule)
		r.setting("upper_schedule", &groups[1].Schedule)
	}
	for _, g := range groups {
		rates = append(rates, loop.Rate{Group: g.Name, LearningRate: math.NaN(), Scheduled: g.Schedule != schedule.Text(&schedule.Constant{})})
	}
	return rates
}

// number is a number of JSON; null stands for NaN.
type number float64

func (n *number) UnmarshalJSON(text []byte) error {
	x := math.NaN()
	if string(text) != "null" {
		if err := json.Unmarshal(text, &x); err != nil {
			return err
		}
	}
	*n = number(x)
	return nil
}

// found are the rates of an event.
func (r *Replay) found(lr map[string]number) loop.Rates {
	rates := slices.Clone(r.start.Rates)
	for i := range rates {
		if x, ok := lr[rates[i].Group]; ok {
			rates[i].LearningRate = float64(x)
		}
	}
	return rates
}

func (r *Replay) iteration(line []byte) error {
	var e struct {
		Epoch     int               `json:"epoch"`
		Iteration int               `json:"iteration"`
		BatchLoss number            `json:"batch_loss"`
		Loss      number            `json:"loss"`
		Accuracy  number            `json:"accuracy"`
		LR        map[string]number `json:"lr"`
	}
	if json.Unmarshal(line, &e) != nil {
		return nil
	}
	return r.Observer.OnIteration(&loop.Iteration{
		Epoch: e.Epoch, Epochs: r.start.Epochs, Iteration: e.Iteration, Iterations: r.start.Iterations,
		BatchLoss: float64(e.BatchLoss), Loss: float64(e.Loss), Accuracy: float64(e.Accuracy), Rates: r.found(e.LR),
	})
}

func (r *Replay) epoch(line []byte) error {
	e := struct {
		Epoch       int               `json:"epoch"`
		Iterations  int               `json:"iterations"`
		Loss        number            `json:"loss"`
		Accuracy    number            `json:"accuracy"`
		ValLoss     number            `json:"val_loss"`
		ValAccuracy number            `json:"val_accuracy"`
		Metrics     map[string]number `json:"metrics"`
		Seconds     float64           `json:"seconds"`
		PerSecond   number            `json:"samples_per_second"`
		LR          map[string]number `json:"lr"`
		BestEpoch   int               `json:"best_epoch"`
		EMALoss     number            `json:"ema_val_loss"`
		EMAAccuracy number            `json:"ema_val_accuracy"`
	}{}
	if json.Unmarshal(line, &e) != nil {
		return nil
	}
	r.start.Iterations = e.Iterations
	event := &loop.Epoch{
		Epoch: e.Epoch, Epochs: r.start.Epochs, Iterations: e.Iterations, Loss: float64(e.Loss), Accuracy: float64(e.Accuracy),
		ValLoss: float64(e.ValLoss), ValAccuracy: float64(e.ValAccuracy), Seconds: e.Seconds, SamplesPerSecond: float64(e.PerSecond),
		Rates: r.found(e.LR), BestEpoch: e.BestEpoch,
	}
	for _, name := range r.start.Metrics {
		value := math.NaN()
		if x, ok := e.Metrics[name]; ok {
			value = float64(x)
		}
		event.Metrics = append(event.Metrics, metric.Value{Name: name, Value: value})
	}
	if r.start.Averaged {
		event.Average = &loop.Validation{Loss: float64(e.EMALoss), Accuracy: float64(e.EMAAccuracy)}
	}
	return r.Observer.OnEpoch(event)
}

func (r *Replay) done(line []byte) error {
	var e struct {
		Epochs       int     `json:"epochs"`
		StoppedEarly bool    `json:"stopped_early"`
		BestEpoch    int     `json:"best_epoch"`
		Checkpoint   string  `json:"checkpoint"`
		Weights      string  `json:"weights_sha256"`
		Seconds      float64 `json:"seconds"`
		BestLoss     number  `json:"best_loss"`
		BestAccuracy number  `json:"best_accuracy"`
		Total        float64 `json:"total_seconds"`
	}
	if json.Unmarshal(line, &e) != nil {
		return nil
	}
	return r.Observer.OnDone(&loop.Done{
		Epochs: e.Epochs, StoppedEarly: e.StoppedEarly, BestEpoch: e.BestEpoch, BestLoss: float64(e.BestLoss), BestAccuracy: float64(e.BestAccuracy),
		Checkpoint: e.Checkpoint, WeightsSHA256: e.Weights, Seconds: e.Seconds, TotalSeconds: e.Total,
	})
}
