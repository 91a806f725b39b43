package progress

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"time"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"
)

// JSON writes one JSON object a line, each in one Write:
//
//	{"event":"start", the settings' keys, "version":"v1.0.0","commit":"a1e4801","go":"go1.26.0","system":"linux/amd64","processor":"...","date":"2026-11-26T10:00:00Z"}
//	{"event":"resume","epoch":1,"iteration":20,"changed":{"epochs":10},"total_seconds":3.1, version to date as above}
//	{"event":"iteration","epoch":1,"iteration":100,"batch_loss":1.2,"loss":1.6,"accuracy":0.5,"lr":{"lower":0.0001,"upper":0.001}}
//	{"event":"epoch","epoch":1,"iterations":1719,"loss":0.6,"accuracy":0.79,"val_loss":0.45,"val_accuracy":0.84,"seconds":0.52,"samples_per_second":105432.1,"lr":{"lower":0.0001,"upper":0.001},"best_epoch":1}
//	{"event":"done","epochs":5,"best_epoch":5,"checkpoint":"runs/1/checkpoints/best.safetensors","weights_sha256":"...","seconds":3.1,"best_loss":0.4,"best_accuracy":0.86,"session_seconds":3.1,"total_seconds":6.2}
//
// The last line of a run whose loss became NaN or infinite is instead
//
//	{"event":"diverged","epoch":1,"iteration":20,"where":"upper.dense"}
//
// If metrics were chosen, an epoch has their values on the validation images after val_accuracy: "metrics":{"top3":0.97,"ece":0.03}.
//
// An epoch's line ends in "ema_val_loss" and "ema_val_accuracy" if the weights are averaged, and the last line has
// "stopped_early":true after its epochs if the run ended before its last epoch. The rates are those of the step, or of the
// epoch's last step.
//
// A resumed run has a start and then a resume. The resume's epoch and iteration are those done before it. Its changed settings are those
// that differ from the checkpoint's. Total seconds cover all sessions: the epochs trained before the resume, and the session since then.
//
// Numbers are in the shortest form that reads back as the same float64; NaN and infinities, which JSON lacks, are null.
//
// A writer that has a method Flush() error, as a [bufio.Writer] has, is flushed after each line but an iteration's, and
// after each second of training time.
type JSON struct {
	w        io.Writer
	logEvery int
	line     []byte
	flushDue time.Duration // in the epoch's training time
}

// NewJSON makes JSON lines on w, with a line each logEvery iterations of an epoch; with 0, none.
func NewJSON(w io.Writer, logEvery int) *JSON {
	return &JSON{w: w, logEvery: logEvery, flushDue: time.Second}
}

// OnStart writes the settings, which must marshal to a JSON object or be nil, and of a resumed run the resume.
func (j *JSON) OnStart(s *loop.Start) error {
	if err := j.start(s); err != nil || s.Resumed == nil {
		return err
	}
	return j.OnResume(s)
}

// OnResume writes only the resume, to a file that has the start.
func (j *JSON) OnResume(s *loop.Start) error {
	r := s.Resumed
	j.open("resume")
	j.integer("epoch", r.From.Epoch)
	j.integer("iteration", r.From.Iteration)
	changed, err := json.Marshal(r.Changed)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	j.key("changed")
	j.line = append(j.line, changed...)
	j.number("total_seconds", r.TotalSeconds)
	j.program(s)
	return j.writeAndFlush()
}

// program writes the program's version and the date.
func (j *JSON) program(s *loop.Start) {
	for _, field := range []struct{ key, value string }{
		{"version", s.Program.Version}, {"commit", s.Program.Commit}, {"go", s.Program.Go}, {"system", s.Program.System},
		{"processor", s.Program.Processor}, {"date", s.Began.UTC().Format(time.RFC3339)},
	} {
		j.key(field.key)
		j.line = appendString(j.line, field.value)
	}
}

func (j *JSON) start(s *loop.Start) error {
	j.open("start")
	if s.Settings != nil {
		var settings bytes.Buffer
		enc := json.NewEncoder(&settings)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(s.Settings); err != nil {
			return fmt.Errorf("settings: %w", err)
		}
		object := bytes.TrimSpace(settings.Bytes())
		if object[0] != '{' {
			return fmt.Errorf("settings: expected a JSON object, found %s", object)
		}
		if members := object[1 : len(object)-1]; len(members) > 0 {
			j.line = append(append(j.line, ','), members...)
		}
	}
	j.program(s)
	return j.writeAndFlush()
}

// OnIteration writes each logEvery-th iteration of an epoch.
func (j *JSON) OnIteration(it *loop.Iteration) error {
	if j.logEvery > 0 && it.Iteration%j.logEvery == 0 {
		j.open("iteration")
		j.integer("epoch", it.Epoch)
		j.integer("iteration", it.Iteration)
		j.number("batch_loss", it.BatchLoss)
		j.number("loss", it.Loss)
		j.number("accuracy", it.Accuracy)
		j.rates(it.Rates)
		if err := j.write(); err != nil {
			return err
		}
	}
	if it.Elapsed >= j.flushDue {
		j.flushDue = it.Elapsed + time.Second
		return j.Flush()
	}
	return nil
}

// OnEpoch writes the epoch.
func (j *JSON) OnEpoch(e *loop.Epoch) error {
	j.flushDue = time.Second
	j.open("epoch")
	j.integer("epoch", e.Epoch)
	j.integer("iterations", e.Iterations)
	j.number("loss", e.Loss)
	j.number("accuracy", e.Accuracy)
	j.number("val_loss", e.ValLoss)
	j.number("val_accuracy", e.ValAccuracy)
	j.metrics(e.Metrics)
	j.number("seconds", e.Seconds)
	j.number("samples_per_second", e.SamplesPerSecond)
	j.rates(e.Rates)
	j.integer("best_epoch", e.BestEpoch)
	if e.Average != nil {
		j.number("ema_val_loss", e.Average.Loss)
		j.number("ema_val_accuracy", e.Average.Accuracy)
	}
	return j.writeAndFlush()
}

// OnDiverged writes that the loss or a gradient became NaN or infinite, and where it did first. The run has ended.
func (j *JSON) OnDiverged(d *loop.Diverged) error {
	j.open("diverged")
	j.integer("epoch", d.Epoch)
	j.integer("iteration", d.Iteration)
	j.key("where")
	j.line = appendString(j.line, d.Where)
	return j.writeAndFlush()
}

// OnDone writes the end of the run.
func (j *JSON) OnDone(d *loop.Done) error {
	j.open("done")
	j.integer("epochs", d.Epochs)
	if d.StoppedEarly {
		j.key("stopped_early")
		j.line = append(j.line, "true"...)
	}
	j.integer("best_epoch", d.BestEpoch)
	j.key("checkpoint")
	j.line = appendString(j.line, d.Checkpoint)
	j.key("weights_sha256")
	j.line = appendString(j.line, d.WeightsSHA256)
	j.number("seconds", d.Seconds)
	j.number("best_loss", d.BestLoss)
	j.number("best_accuracy", d.BestAccuracy)
	j.number("session_seconds", d.Seconds)
	j.number("total_seconds", d.TotalSeconds)
	return j.writeAndFlush()
}

// Flush flushes the writer if it has a method Flush() error: to be called when a run ends early.
func (j *JSON) Flush() error {
	if f, ok := j.w.(interface{ Flush() error }); ok {
		if err := f.Flush(); err != nil {
			return fmt.Errorf("flush JSON lines: %w", err)
		}
	}
	return nil
}

func (j *JSON) open(event string) {
	j.line = append(append(append(j.line[:0], `{"event":"`...), event...), '"')
}

func (j *JSON) key(name string) {
	j.line = append(append(append(j.line, `,"`...), name...), `":`...)
}

func (j *JSON) integer(name string, n int) {
	j.key(name)
	j.line = strconv.AppendInt(j.line, int64(n), 10)
}

func (j *JSON) number(name string, x float64) {
	j.key(name)
	j.line = appendNumber(j.line, x)
}

func (j *JSON) rates(rates loop.Rates) {
	j.key("lr")
	j.line = append(j.line, '{')
	for i, r := range rates {
		if i > 0 {
			j.line = append(j.line, ',')
		}
		j.line = append(appendString(j.line, r.Group), ':')
		j.line = appendNumber(j.line, r.LearningRate)
	}
	j.line = append(j.line, '}')
}

// metrics writes the chosen metrics on the validation images.
func (j *JSON) metrics(values metric.Values) {
	if len(values) == 0 {
		return
	}
	object, _ := values.MarshalJSON() // the error is part of the interface; there is none
	j.key("metrics")
	j.line = append(j.line, object...)
}

func (j *JSON) write() error {
	j.line = append(j.line, "}\n"...)
	if _, err := j.w.Write(j.line); err != nil {
		return fmt.Errorf("write a JSON line: %w", err)
	}
	return nil
}

func (j *JSON) writeAndFlush() error {
	if err := j.write(); err != nil {
		return err
	}
	return j.Flush()
}

func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return append(b, "null"...)
	}
	return appendShortest(b, x)
}

// appendString appends a JSON string. A plain string, such as a group's name, needs no allocation.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			quoted, _ := json.Marshal(s) // a string always marshals
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
