package run

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"fmtrain/internal/metric"
)

// Progress says how far a run has come. With the weights, their averages and the solvers it is all that a checkpoint keeps. A
// checkpoint is only written between two steps, so no gradient is ever half accumulated.
type Progress struct {
	Epoch        int           `json:"epoch"`             // epochs done
	Iteration    int           `json:"iteration"`         // iterations done in the epoch after those
	Running      metric.Tally  `json:"running"`           // what these iterations counted
	Metrics      []float64     `json:"metrics,omitempty"` // the sums of the metrics in these iterations, if any are measured
	Elapsed      time.Duration `json:"elapsed,omitempty"` // in the training loop in these iterations
	BestEpoch    int           `json:"best_epoch"`
	BestAccuracy float64       `json:"best_accuracy"`        // on the validation images
	BestLoss     float64       `json:"best_loss,omitempty"`  // on the validation images in the best epoch; 0 in older checkpoints
	ValLosses    []float64     `json:"val_losses,omitempty"` // of the epochs done, if a schedule uses them
}

// IsBest says whether this is the end of the best epoch.
func (p Progress) IsBest() bool { return p.Epoch > 0 && p.Epoch == p.BestEpoch && p.Iteration == 0 }

// Begun is the number of epochs that have begun.
func (p Progress) Begun() int {
	if p.Iteration > 0 {
		return p.Epoch + 1
	}
	return p.Epoch
}

// reached says whether the run had reached this iteration of this epoch.
func (p Progress) reached(epoch, iteration int) bool {
	return epoch <= p.Epoch || epoch == p.Epoch+1 && iteration <= p.Iteration
}

// String is "epoch 3" for its end, or "epoch 4, iteration 20" for a place within.
func (p Progress) String() string {
	if p.Iteration > 0 {
		return fmt.Sprintf("epoch %d, iteration %d", p.Epoch+1, p.Iteration)
	}
	return fmt.Sprintf("epoch %d", p.Epoch)
}

// Data identifies a data set: the SHA-256 of the training files, by their names. It is nil if they are not known.
type Data map[string]string

// Check is an error unless these are the data of a checkpoint.
func (d Data) Check(checkpoint Data) error {
	if checkpoint == nil && d != nil {
		return errors.New("expected the SHA-256 of the training files, found none, so it can't be told whether the data are the same; " +
			"--override trains on any data")
	}
	if name := d.Differs(checkpoint); name != "" {
		return fmt.Errorf("expected the run's own %.100s, with the SHA-256 %.100s, found another, %s; --override trains on it",
			name, checkpoint[name], d[name])
	}
	return nil
}

// Differs is the name of the first file that is not the checkpoint's; empty if there is none, or if the checkpoint names no files.
func (d Data) Differs(checkpoint Data) string {
	for _, name := range slices.Sorted(maps.Keys(checkpoint)) {
		if d[name] != checkpoint[name] {
			return name
		}
	}
	return ""
}
