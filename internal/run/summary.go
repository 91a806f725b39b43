package run

import (
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"time"
)

// Event is one line of metrics.jsonl.
type Event struct {
	Event string          `json:"event"` // start, resume, iteration, epoch, done
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
	return eachLine(f, func(line []byte) error {
		var e Event
		if json.Unmarshal(line, &e) != nil {
			return nil
		}
		e.Line = line
		return visit(e)
	})
}

// Summary is a summary of a run from its metrics.
type Summary struct {
	Settings map[string]any // the current ones: those of the start, changed by each resume; nil if there are no metrics
	Epochs   int            // done
	Best     *Epoch         // of the best validation accuracy; nil if there is none
	Last     *Epoch         // nil before the first is done
	Seconds  float64        // of training
	Done     bool           // the training has ended
}

// Epoch is an event of an epoch. What was not measured is nil.
type Epoch struct {
	Epoch       int      `json:"epoch"`
	Loss        *float64 `json:"loss"`
	Accuracy    *float64 `json:"accuracy"`
	ValLoss     *float64 `json:"val_loss"`
	ValAccuracy *float64 `json:"val_accuracy"`
	Seconds     float64  `json:"seconds"`
	BestEpoch   int      `json:"best_epoch"`
}

// Summary reads the metrics.
func (d Dir) Summary() (*Summary, error) {
	s := &Summary{}
	err := d.Events(func(e Event) error {
		s.Done = e.Event == "done" // nothing follows it, unless the run was resumed
		switch e.Event {
		case "start":
			_ = json.Unmarshal(e.Line, &s.Settings) // an object, as it has an event
			delete(s.Settings, "event")
		case "resume":
			var resumed struct{ Changed map[string]any }
			if json.Unmarshal(e.Line, &resumed) == nil && s.Settings != nil {
				maps.Copy(s.Settings, resumed.Changed)
			}
		case "epoch":
			var epoch Epoch
			if json.Unmarshal(e.Line, &epoch) != nil {
				break
			}
			s.Epochs, s.Last, s.Seconds = epoch.Epoch, &epoch, s.Seconds+epoch.Seconds
			if epoch.BestEpoch == epoch.Epoch {
				s.Best = &epoch
			}
		}
		return nil
	})
	return s, err
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
