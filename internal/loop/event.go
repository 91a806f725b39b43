package loop

import (
	"time"

	"fmtrain/internal/metric"
)

// Observer watches a run: a progress bar, a log of metrics. It is called by the loop, in order and never at the same time;
// what it is given is the loop's own and is valid until it returns. An error it returns ends the run.
type Observer interface {
	OnStart(*Start) error
	OnIteration(*Iteration) error
	OnEpoch(*Epoch) error
	OnDone(*Done) error
}

// Syncer is an [Observer] that keeps lines of a run. Before each checkpoint is written it is to put what it was told where a crash
// does not reach it: a run that is taken up from the checkpoint adds what comes after. Flush is called by the loop like the
// observer's other methods; Sync after it, while the training goes on and the others are called.
type Syncer interface {
	Flush() error
	Sync() error
}

// Rates are the learning rates of the parameter groups, in the order of the model's layers.
type Rates []Rate

// Rate is the learning rate of one parameter group in the step just done.
type Rate struct {
	Group     string
	LearnRate float64
	Scheduled bool // a schedule moves it
}

// Start is told before the first epoch.
type Start struct {
	Settings   any // the resolved settings: a struct with JSON names
	Epochs     int // the last epoch to do
	Iterations int // iterations of an epoch
	Samples    int // training images of an epoch

	Validated bool     // there are validation images
	Averaged  bool     // averaged weights are measured on them
	Metrics   []string // measured on them besides the loss and the accuracy
	Rates     Rates    // before the first step
}

// Iteration is told after each training step.
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

// Epoch is told at the end of each epoch, after validation.
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
	Average              *Validation // what the averaged weights come to; nil if there are none or no validation
}

// Validation is means over the validation images.
type Validation struct{ Loss, Accuracy float64 }

// Done is told once, after the last epoch and the last checkpoint.
type Done struct {
	Epochs        int     // done
	StoppedEarly  bool    // before the last epoch, because the validation accuracy stood still
	BestEpoch     int     // of the best validation accuracy; 0 if none was measured
	Checkpoint    string  // the path of the best checkpoint, or of the last if there is no best or it is lost
	BestLost      bool    // the best epoch's checkpoint was gone, or another's, when the run was taken up
	WeightsSHA256 string  // the [Digest] of the weights after the last epoch: those of the last checkpoint
	Seconds       float64 // of the whole run or, if it was taken up, since then
}
