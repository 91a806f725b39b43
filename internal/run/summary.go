package run

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"time"
)

// Event is one line of metrics.jsonl.
type Event struct {
	Event string          `json:"event"` // start, resume, iteration, epoch, done, diverged
	Line  json.RawMessage `json:"-"`     // the whole object
}

// Events calls visit with each event, in order. It skips lines that are damaged. A run without metrics has no events.
func (d Dir) Events(visit func(Event) error) error {
	f, err := os.Open(d.Metrics())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return eachEvent(f, info.Size(), visit)
}

// eachEvent calls visit with the event of each line.
func eachEvent(r io.Reader, size int64, visit func(Event) error) error {
	return eachLine(r, size, func(line []byte) error { return visitLine(line, visit) })
}

// visitLine calls visit with the event of a line, unless that is damaged.
func visitLine(line []byte, visit func(Event) error) error {
	e := Event{Line: line}
	if json.Unmarshal(line, &e) != nil {
		return nil
	}
	return visit(e)
}

// lastEvent is the last event of the metrics; an empty one if there is none in their last usualLine bytes.
func (d Dir) lastEvent() Event {
	f, err := os.Open(d.Metrics())
	if err != nil {
		return Event{}
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return Event{}
	}
	for _, length := range []int64{min(info.Size(), 1<<10), min(info.Size(), usualLine)} {
		end := make([]byte, length)
		if _, err := f.ReadAt(end, info.Size()-length); err != nil {
			return Event{}
		}
		end = end[:bytes.LastIndexByte(end, '\n')+1] // the rest is a line that is not complete
		for len(end) > 0 {
			begin := bytes.LastIndexByte(end[:len(end)-1], '\n') + 1
			if e := (Event{Line: end[begin:]}); json.Unmarshal(e.Line, &e) == nil {
				return e
			}
			end = end[:begin]
		}
	}
	return Event{}
}

// Summary is a summary of a run from its metrics.
type Summary struct {
	Settings map[string]any // the current ones: those of the start, changed by each resume; nil if there are no metrics
	Epochs   int            // done
	Best     *Epoch         // of the best validation accuracy; nil if there is none
	Last     *Epoch         // nil before the first is done
	Seconds  float64        // of training
	Images   float64        // trained on in these seconds, each once an epoch
	Done     bool           // the training has ended
	Total    float64        // seconds of all sessions, with validation and saving; 0 before the end
	Program  Program        // that started the run, or last resumed it

	WeightsSHA256 string // of the last weights; empty before the end
}

// Program is a version of fmtrain and what it ran on. In metrics without it the texts are empty.
type Program struct {
	Version   string `json:"version"`
	Commit    string `json:"commit"`
	Go        string `json:"go"`
	System    string `json:"system"`
	Processor string `json:"processor"`
}

// Epoch is an event of an epoch. What was not measured is nil.
type Epoch struct {
	Epoch       int      `json:"epoch"`
	Loss        *float64 `json:"loss"`
	Accuracy    *float64 `json:"accuracy"`
	ValLoss     *float64 `json:"val_loss"`
	ValAccuracy *float64 `json:"val_accuracy"`
	Seconds     float64  `json:"seconds"`
	PerSecond   float64  `json:"samples_per_second"`
	BestEpoch   int      `json:"best_epoch"`
}

// Summary reads the metrics.
func (d Dir) Summary() (*Summary, error) {
	s := &Summary{}
	err := d.Events(func(e Event) error {
		s.Done, s.Total, s.WeightsSHA256 = e.Event == "done", 0, "" // nothing follows it, unless the run was resumed
		switch e.Event {
		case "done":
			s.Total = e.totalSeconds()
			var done struct {
				WeightsSHA256 string `json:"weights_sha256"`
			}
			if json.Unmarshal(e.Line, &done) == nil {
				s.WeightsSHA256 = done.WeightsSHA256
			}
		case "start":
			_ = json.Unmarshal(e.Line, &s.Settings) // an object, as it has an event
			delete(s.Settings, "event")
			_ = json.Unmarshal(e.Line, &s.Program)
		case "resume":
			var resumed struct{ Changed map[string]any }
			if json.Unmarshal(e.Line, &resumed) == nil && s.Settings != nil {
				maps.Copy(s.Settings, resumed.Changed)
			}
			_ = json.Unmarshal(e.Line, &s.Program)
		case "epoch":
			var epoch Epoch
			if json.Unmarshal(e.Line, &epoch) != nil {
				break
			}
			s.Epochs, s.Last, s.Seconds = epoch.Epoch, &epoch, s.Seconds+epoch.Seconds
			s.Images += float64(epoch.Seconds * epoch.PerSecond)
			if epoch.BestEpoch == epoch.Epoch {
				s.Best = &epoch
			}
		}
		return nil
	})
	return s, err
}

// totalSeconds is the time of all sessions in the last event of a run. Older programs did not write it.
func (e Event) totalSeconds() float64 {
	var done struct {
		Seconds float64 `json:"total_seconds"`
	}
	_ = json.Unmarshal(e.Line, &done)
	return done.Seconds
}

// Time is the best known time of the training: that of all sessions, or before the end that of the epochs.
func (s *Summary) Time() float64 {
	if s.Total > 0 {
		return s.Total
	}
	return s.Seconds
}

// Spent is the training time of the epochs done so far, from the metrics.
func (d Dir) Spent(p Progress) time.Duration {
	var seconds float64
	_ = d.Events(func(e Event) error { // without metrics it is not known
		var epoch Epoch
		if e.Event == "epoch" && json.Unmarshal(e.Line, &epoch) == nil && epoch.Epoch <= p.Epoch {
			seconds += epoch.Seconds
		}
		return nil
	})
	return time.Duration(seconds * float64(time.Second))
}
