package progress

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
	"fmtrain/internal/version"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestJSONLines(t *testing.T) {
	var got bytes.Buffer
	j := NewJSON(&got, 2)
	settings := struct {
		Data string  `json:"data"`
		Rate float64 `json:"lower_lr"`
		Seed uint64  `json:"seed"`
	}{"a & b", 1e-4, 42}
	program := version.Info{Version: "v1.2.3", Commit: "0abc", Go: "go1.26", System: "linux/amd64", Processor: `a "processor"`}
	began := time.Date(2026, 11, 26, 11, 0, 0, 0, time.FixedZone("", 3600))
	for _, err := range []error{
		j.OnStart(&loop.Start{Settings: settings, Epochs: 1, Iterations: 3, Samples: 70, Program: program, Began: began}),
		j.OnIteration(&loop.Iteration{Epoch: 1, Epochs: 1, Iteration: 1, Iterations: 3}),
		j.OnIteration(&loop.Iteration{Epoch: 1, Epochs: 1, Iteration: 2, Iterations: 3,
			BatchLoss: 0.1, Loss: 1. / 3, Accuracy: 0.5, Seen: 64, Elapsed: 5, Rates: rates}),
		j.OnIteration(&loop.Iteration{Epoch: 1, Epochs: 1, Iteration: 3, Iterations: 3}),
		j.OnEpoch(&loop.Epoch{Epoch: 1, Epochs: 1, Iterations: 3, Loss: 2, Accuracy: 1, ValLoss: 1e-7, ValAccuracy: 0.25,
			Seconds: 0.52, SamplesPerSecond: 105432.125, Rates: rates, BestEpoch: 1}),
		j.OnDone(&loop.Done{Epochs: 1, BestEpoch: 1, Checkpoint: `runs\"ä"/best.safetensors`, Seconds: 1e21,
			BestLoss: 0.5, BestAccuracy: 0.75, TotalSeconds: 2e21}),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := `{"event":"start","data":"a & b","lower_lr":0.0001,"seed":42,"version":"v1.2.3","commit":"0abc","go":"go1.26","system":"linux/amd64","processor":"a \"processor\"","date":"2026-11-26T10:00:00Z"}
{"event":"iteration","epoch":1,"iteration":2,"batch_loss":0.1,"loss":0.3333333333333333,"accuracy":0.5,"lr":{"lower":0.0001,"upper":0.001}}
{"event":"epoch","epoch":1,"iterations":3,"loss":2,"accuracy":1,"val_loss":1e-7,"val_accuracy":0.25,"seconds":0.52,"samples_per_second":105432.125,"lr":{"lower":0.0001,"upper":0.001},"best_epoch":1}
{"event":"done","epochs":1,"best_epoch":1,"checkpoint":"runs\\\"ä\"/best.safetensors","weights_sha256":"","seconds":1e+21,"best_loss":0.5,"best_accuracy":0.75,"session_seconds":1e+21,"total_seconds":2e+21}
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The keys of a feature that is off by default appear only if it is on.
func TestJSONOptionalKeys(t *testing.T) {
	var got bytes.Buffer
	j := NewJSON(&got, 0)
	err := errors.Join(
		j.OnEpoch(&loop.Epoch{Epoch: 1, Iterations: 3, BestEpoch: 1, Average: &loop.Validation{Loss: 0.5, Accuracy: 0.75}}),
		j.OnDone(&loop.Done{Epochs: 1, StoppedEarly: true, BestEpoch: 1, Checkpoint: "c"}),
	)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"event":"epoch","epoch":1,"iterations":3,"loss":0,"accuracy":0,"val_loss":0,"val_accuracy":0,"seconds":0,"samples_per_second":0,"lr":{},"best_epoch":1,"ema_val_loss":0.5,"ema_val_accuracy":0.75}
{"event":"done","epochs":1,"stopped_early":true,"best_epoch":1,"checkpoint":"c","weights_sha256":"","seconds":0,"best_loss":0,"best_accuracy":0,"session_seconds":0,"total_seconds":0}
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The chosen metrics appear in their order. A metric without samples is null.
func TestJSONMetrics(t *testing.T) {
	var got bytes.Buffer
	err := NewJSON(&got, 0).OnEpoch(&loop.Epoch{Epoch: 1, Metrics: metric.Values{{Name: "top3", Value: 0.5}, {Name: "auc", Value: math.NaN()}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := `"val_accuracy":0,"metrics":{"top3":0.5,"auc":null},"seconds":0,`; !strings.Contains(got.String(), want) {
		t.Errorf("expected %s, found %s", want, &got)
	}
}

// The lines of any events read back as the events.
func TestJSONReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64)
		name := rapid.StringMatching(`[a-zé"\\\x00-\x1f\x7f]*`)
		e := &loop.Epoch{
			Epoch: rapid.Int().Draw(t, "epoch"), Iterations: rapid.Int().Draw(t, "iterations"),
			Loss: number.Draw(t, "loss"), Accuracy: number.Draw(t, "accuracy"),
			ValLoss: number.Draw(t, "val_loss"), ValAccuracy: number.Draw(t, "val_accuracy"),
			Seconds: number.Draw(t, "seconds"), SamplesPerSecond: number.Draw(t, "samples_per_second"),
			BestEpoch: rapid.Int().Draw(t, "best_epoch"),
			Rates:     loop.Rates{{Group: name.Draw(t, "group"), LearningRate: number.Draw(t, "rate")}},
		}
		d := &loop.Done{Epochs: e.Epoch, BestEpoch: e.BestEpoch, Checkpoint: name.Draw(t, "checkpoint"), WeightsSHA256: "0a", Seconds: e.Loss,
			BestLoss: e.ValLoss, BestAccuracy: e.ValAccuracy, TotalSeconds: e.Seconds}
		var text bytes.Buffer
		j := NewJSON(&text, 0)
		if err := errors.Join(j.OnEpoch(e), j.OnDone(d)); err != nil {
			t.Fatal(err)
		}
		lr := map[string]any{e.Rates[0].Group: e.Rates[0].LearningRate}
		for i, want := range []map[string]any{
			{"event": "epoch", "epoch": e.Epoch, "iterations": e.Iterations, "loss": e.Loss, "accuracy": e.Accuracy,
				"val_loss": e.ValLoss, "val_accuracy": e.ValAccuracy, "seconds": e.Seconds,
				"samples_per_second": e.SamplesPerSecond, "lr": lr, "best_epoch": e.BestEpoch},
			{"event": "done", "epochs": d.Epochs, "best_epoch": d.BestEpoch, "checkpoint": d.Checkpoint, "weights_sha256": "0a", "seconds": d.Seconds,
				"best_loss": d.BestLoss, "best_accuracy": d.BestAccuracy, "session_seconds": d.Seconds, "total_seconds": d.TotalSeconds},
		} {
			var got any
			if err := json.Unmarshal([]byte(strings.Split(text.String(), "\n")[i]), &got); err != nil {
				t.Fatal(err)
			}
			for key, value := range want {
				if n, ok := value.(int); ok {
					want[key] = float64(n) // as encoding/json reads every number
				}
			}
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		}
	})
}

func TestJSONNotFinite(t *testing.T) {
	nan, inf := math.NaN(), math.Inf(1)
	var got bytes.Buffer
	j := NewJSON(&got, 1)
	if err := j.OnIteration(&loop.Iteration{Iteration: 1, BatchLoss: nan, Loss: inf, Accuracy: -inf, Rates: loop.Rates{{Group: "lower", LearningRate: nan}}}); err != nil {
		t.Fatal(err)
	}
	if err := j.OnEpoch(&loop.Epoch{Loss: nan, Accuracy: nan, ValLoss: inf, ValAccuracy: -inf, Seconds: nan, SamplesPerSecond: inf}); err != nil {
		t.Fatal(err)
	}
	if err := j.OnDone(&loop.Done{Seconds: inf, TotalSeconds: inf, BestLoss: nan, BestAccuracy: nan}); err != nil {
		t.Fatal(err)
	}
	want := `{"event":"iteration","epoch":0,"iteration":1,"batch_loss":null,"loss":null,"accuracy":null,"lr":{"lower":null}}
{"event":"epoch","epoch":0,"iterations":0,"loss":null,"accuracy":null,"val_loss":null,"val_accuracy":null,"seconds":null,"samples_per_second":null,"lr":{},"best_epoch":0}
{"event":"done","epochs":0,"best_epoch":0,"checkpoint":"","weights_sha256":"","seconds":null,"best_loss":null,"best_accuracy":null,"session_seconds":null,"total_seconds":null}
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJSONSettings(t *testing.T) {
	for _, c := range []struct {
		settings any
		want     string // the line, or the error
	}{
		{nil, `{"event":"start"}`},
		{struct{}{}, `{"event":"start"}`},
		{map[string]int{"epochs": 5}, `{"event":"start","epochs":5}`},
		{[]int{1}, "settings: expected a JSON object, found [1]"},
		{map[string]float64{"lr": math.NaN()}, "settings: json: unsupported value: NaN"},
	} {
		var got bytes.Buffer
		if err := NewJSON(&got, 0).OnStart(&loop.Start{Settings: c.settings}); err != nil {
			got.WriteString(err.Error())
		}
		if line, _, found := strings.Cut(got.String(), `,"version":`); found && line+"}" != c.want || !found && line != c.want {
			t.Errorf("settings %v: %s, expected %s", c.settings, &got, c.want)
		}
	}
}

// eachLine checks that every Write is one whole line of valid JSON.
type eachLine struct {
	t     *testing.T
	lines int
}

func (e *eachLine) Write(p []byte) (int, error) {
	e.lines++
	if !json.Valid(p) || bytes.Count(p, []byte("\n")) != 1 || p[len(p)-1] != '\n' {
		e.t.Errorf("not a line of JSON: %q", p)
	}
	return len(p), nil
}

func TestJSONOneWriteALine(t *testing.T) {
	for logEvery, want := range map[int]int{0: 0, 1: 1719, 100: 17, 1719: 1, 1720: 0} {
		e := &eachLine{t: t}
		fashion.tell(t, NewJSON(e, logEvery), nil)
		if want = 2 + fashion.epochs*(want+1); e.lines != want {
			t.Errorf("--log-every %d: %d lines, expected %d", logEvery, e.lines, want)
		}
	}
}

type flushes struct {
	bytes.Buffer
	flushes int
}

func (f *flushes) Flush() error { f.flushes++; return nil }

// A buffered writer is flushed each second of training, and after every line that isn't an iteration's.
func TestJSONFlush(t *testing.T) {
	s := script{epochs: 2, iterations: 100, batch: 32, step: 30 * time.Millisecond}
	var file bytes.Buffer
	j := NewJSON(bufio.NewWriterSize(&file, 1<<20), 1)
	var flushed, lines int
	s.tell(t, j, func(event string) {
		lines++
		n := strings.Count(file.String(), "\n")
		if n > flushed && n != lines {
			t.Errorf("%s: %d of %d lines flushed", event, n, lines)
		}
		flushed = n
		if behind := time.Duration(lines-flushed) * s.step; behind > time.Second {
			t.Errorf("%s: %v of training not flushed", event, behind)
		}
		if !strings.HasPrefix(event, "iteration") && flushed != lines {
			t.Errorf("%s: not flushed", event)
		}
	})

	if err := j.OnIteration(s.iteration(1, 1)); err != nil {
		t.Fatal(err)
	}
	if err := j.Flush(); err != nil || strings.Count(file.String(), "\n") != lines+1 {
		t.Errorf("Flush: error %v, %d of %d lines", err, strings.Count(file.String(), "\n"), lines+1)
	}
	var c flushes
	s.tell(t, NewJSON(&c, 1), nil)
	if want := 1 + s.epochs*(2+1) + 1; c.flushes != want {
		t.Errorf("%d flushes, expected %d: at each whole second but the epochs' ends, and at those, the start and the end", c.flushes, want)
	}
	if err := NewJSON(bufio.NewWriter(&failing{}), 0).OnDone(&loop.Done{}); err == nil {
		t.Error("an error of Flush is lost")
	}
}

func TestShortestNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.Float64Range(-math.MaxFloat64, math.MaxFloat64).Draw(t, "x")
		if rapid.Bool().Draw(t, "small") {
			x = math.Ldexp(x, -1000)
		}
		got := string(appendShortest(nil, x))
		want, err := json.Marshal(x)
		if err != nil || got != string(want) {
			t.Errorf("%s, expected %s (%v)", got, want, err)
		}
		if back, err := strconv.ParseFloat(got, 64); err != nil || back != x {
			t.Errorf("%s reads back as %v (%v)", got, back, err)
		}
	})
}

// A resumed run has a start and a resume event. A file that already has its start gets only the resume.
func TestJSONResume(t *testing.T) {
	var got bytes.Buffer
	j := NewJSON(&got, 0)
	s := &loop.Start{Settings: map[string]int{"epochs": 9}, Program: version.Info{Version: "v2"}, Resumed: &loop.Resumed{
		From:         run.Progress{Epoch: 3, Iteration: 20},
		Changed:      map[string]json.RawMessage{"epochs": json.RawMessage("9"), "data": json.RawMessage(`"x"`)},
		TotalSeconds: 1.5,
	}}
	if err := errors.Join(j.OnStart(s), j.OnResume(s)); err != nil {
		t.Fatal(err)
	}
	const program = `"version":"v2","commit":"","go":"","system":"","processor":"","date":"0001-01-01T00:00:00Z"}` + "\n"
	const resume = `{"event":"resume","epoch":3,"iteration":20,"changed":{"data":"x","epochs":9},"total_seconds":1.5,` + program
	if diff := cmp.Diff(`{"event":"start","epochs":9,`+program+resume+resume, got.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
