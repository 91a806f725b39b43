package loop

import (
	"encoding/json"
	"errors"
	"math"
	"time"

	"fmtrain/internal/metric"
	"fmtrain/internal/run"
	"fmtrain/internal/version"
)

// Observer gets the events of a run: a progress bar, a log of metrics. The loop calls it in order and never concurrently. An event belongs
// to the loop and is valid until the method returns. An error of the method ends the run.
type Observer interface {
	OnStart(*Start) error
	OnIteration(*Iteration) error
	OnEpoch(*Epoch) error
	OnDone(*Done) error
}

// Syncer is an [Observer] that stores lines of a run. Its lines must survive a crash before each checkpoint is written, because a run that
// resumes from the checkpoint only adds later lines. The loop calls Flush like the other methods. After it, it calls Sync while the
// training continues and calls the other methods.
type Syncer interface {
	Flush() error
	Sync() error
}

// Rates are the learning rates of the groups, in the order of the model's layers.
type Rates []Rate

// Rate is the learning rate of a group in the step just done.
type Rate struct {
	Group        string
	LearningRate float64
	Scheduled    bool // a schedule changes it
}

// Start comes before the first epoch of a session.
type Start struct {
	Settings   any // the resolved settings: a struct with JSON names
	Epochs     int // the last epoch to do
	Iterations int // of an epoch
	Samples    int // training images of an epoch

	Validated bool     // there are validation images
	Averaged  bool     // averaged weights are measured on them
	Metrics   []string // measured on them besides the loss and the accuracy
	Rates     Rates    // before the first step

	Program version.Info
	Began   time.Time
	Resumed *Resumed // nil for a new run
}

// Resumed says where a run continues.
type Resumed struct {
	From         run.Progress
	Changed      map[string]json.RawMessage // the settings that differ from the checkpoint's, with their new values
	TotalSeconds float64                    // of training, in earlier sessions
}

// Iteration comes after each step.
type Iteration struct {
	Epoch, Epochs         int           // from 1
	Iteration, Iterations int           // from 1
	BatchLoss             float64       // mean over the samples of this batch
	Loss, Accuracy        float64       // means over the samples of the epoch so far
	Metrics               metric.Values // of the samples of the epoch so far; none unless asked for
	Seen                  int           // samples of the epoch so far
	Elapsed               time.Duration // time in the training loop in this epoch
	Rates                 Rates
}

// step is the number of the step in the run, from 1.
func (it Iteration) step() int { return (it.Epoch-1)*it.Iterations + it.Iteration }

// Epoch comes at the end of each epoch, after validation.
type Epoch struct {
	Epoch, Epochs        int           // from 1
	Iterations           int           // of this epoch
	Loss, Accuracy       float64       // means over the epoch's samples
	ValLoss, ValAccuracy float64       // means over the validation images; NaN if there are none
	Metrics              metric.Values // of the validation images; none unless asked for
	Seconds              float64       // of the training loop alone
	SamplesPerSecond     float64
	Rates                Rates       // of the epoch's last step
	BestEpoch            int         // the epoch of the best validation accuracy so far; 0 if there is no validation
	Average              *Validation // of the averaged weights; nil if there are none or no validation
}

// Validation is means over the validation images.
type Validation struct{ Loss, Accuracy float64 }

// Done comes once, after the last epoch and the last checkpoint.
type Done struct {
	Epochs                 int     // done
	StoppedEarly           bool    // before the last epoch, because the validation accuracy did not improve
	BestEpoch              int     // of the best validation accuracy; 0 if none was measured
	BestLoss, BestAccuracy float64 // on the validation images; NaN if there are none, the loss also if an older program measured it
	Checkpoint             string  // the best checkpoint, or the last if there is no best or it is lost; empty if nothing is saved
	BestLost               bool    // the best epoch's checkpoint is gone
	WeightsSHA256          string  // the [run.Digest] of the weights after the last epoch: those of the last checkpoint
	Seconds                float64 // of this session: since this process began or resumed the run
	TotalSeconds           float64 // of all sessions: this one, and the training in those before it
}

// notify calls all observers, even if one of them fails.
func (t *Trainer) notify(event func(Observer) error) (err error) {
	for _, o := range t.observers {
		if failed := event(o); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// notifyStart announces the session. Before is the training time of earlier ones.
func (t *Trainer) notifyStart(began time.Time, before time.Duration) error {
	if t.resumed != nil {
		t.resumed.TotalSeconds = before.Seconds()
	}
	start := &Start{
		Settings: t.Settings, Epochs: t.Epochs, Iterations: t.iterations(), Samples: t.Train.Len(),
		Validated: t.Validation != nil, Averaged: t.Average != nil && t.Average.evaluator != nil, Rates: t.rates(),
		Program: t.Program, Began: began, Resumed: t.resumed,
	}
	if t.Validation != nil {
		start.Metrics = t.Validation.Metrics.Names()
	}
	return t.notify(func(o Observer) error { return o.OnStart(start) })
}

// notifyDone announces the end.
func (t *Trainer) notifyDone(session, before time.Duration) (*Done, error) {
	if t.Checkpoints != nil && t.Checkpoints.Dir.CheckBest(t.done) != nil {
		t.bestLost = true
	}
	done := &Done{
		Epochs:        t.done.Epoch,
		StoppedEarly:  t.done.Epoch < t.Epochs,
		BestEpoch:     t.done.BestEpoch,
		BestLoss:      math.NaN(),
		BestAccuracy:  math.NaN(),
		Checkpoint:    t.best(),
		BestLost:      t.bestLost,
		WeightsSHA256: run.Digest(t.Weights),
		Seconds:       session.Seconds(),
		TotalSeconds:  (before + session).Seconds(),
	}
	if t.done.BestEpoch > 0 {
		done.BestAccuracy = t.done.BestAccuracy
		if t.done.BestLoss != 0 {
			done.BestLoss = t.done.BestLoss
		}
	}
	return done, t.notify(func(o Observer) error { return o.OnDone(done) })
}
