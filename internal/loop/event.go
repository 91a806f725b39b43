package loop

import (
	"bytes"
	"encoding/json"
	"time"
)

// Observer watches a run: a progress bar, a log of metrics. It is called by the loop, in order and never at the same time;
// what it is given is the loop's own and is valid until it returns. An error it returns ends the run.
type Observer interface {
	OnStart(*Start) error
	OnIteration(*Iteration) error
	OnEpoch(*Epoch) error
	OnDone(*Done) error
}

// Rates are the learn rates of the parameter groups, in the order of the model's layers. In JSON an object, name to rate.
type Rates []Rate

// Rate is the learn rate of one parameter group in the step just done.
type Rate struct {
	Group     string
	LearnRate float64
}

// MarshalJSON writes {"lower":0.0001,"upper":0.001}, in order.
func (r Rates) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, rate := range r {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(rate.Group)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(rate.LearnRate)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// Start is told before the first epoch.
type Start struct {
	Settings   any // the resolved settings: a struct with JSON names
	Epochs     int // the last epoch to do
	Iterations int // iterations of an epoch
	Samples    int // training images of an epoch
}

// Iteration is told after each training step.
type Iteration struct {
	Epoch, Epochs         int           // from 1
	Iteration, Iterations int           // from 1
	BatchLoss             float64       // mean over the samples of this batch
	Loss, Accuracy        float64       // means over the samples of the epoch so far
	Seen                  int           // samples of the epoch so far
	Elapsed               time.Duration // time in the training loop in this epoch
	Rates                 Rates
}

// Epoch is told at the end of each epoch, after validation.
type Epoch struct {
	Epoch            int     `json:"epoch"`
	Epochs           int     `json:"-"`
	Iterations       int     `json:"iterations"`
	Loss             float64 `json:"loss"`
	Accuracy         float64 `json:"accuracy"`
	ValLoss          float64 `json:"val_loss"`
	ValAccuracy      float64 `json:"val_accuracy"`
	Seconds          float64 `json:"seconds"` // of the training loop alone
	SamplesPerSecond float64 `json:"samples_per_second"`
	Rates            Rates   `json:"lr"`
	BestEpoch        int     `json:"best_epoch"` // the epoch of the best validation accuracy so far
}

// Done is told once, after the last epoch and the last checkpoint.
type Done struct {
	Epochs     int     `json:"epochs"`
	BestEpoch  int     `json:"best_epoch"`
	Checkpoint string  `json:"checkpoint"` // the path of the best checkpoint
	Seconds    float64 `json:"seconds"`    // of the whole run
}
