package loop

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"time"

	"fmtrain/internal/checkpoint"
	"fmtrain/internal/model"
)

// Every is how often a run is saved within an epoch: at each so-manieth iteration, or whenever so much time has passed in the
// training loop. The zero value is never: at the ends of epochs alone.
type Every struct {
	Iterations int
	Time       time.Duration
}

// due says whether to save after an iteration. After an epoch's last one it is not: the epoch's end is saved anyway.
func (e Every) due(it Iteration, saved Progress) bool {
	if it.Iteration == it.Iterations {
		return false
	}
	return e.Iterations > 0 && it.Iteration%e.Iterations == 0 || e.Time > 0 && it.Elapsed-saved.Elapsed >= e.Time
}

// Unsaved ends a run whose checkpoint can't be written.
type Unsaved struct {
	At         Progress // that should have been saved
	Err        error
	Saved      Progress // of the last checkpoint that was written
	Checkpoint string   // the path of that; empty if there is none, or no more
}

func (u *Unsaved) Error() string {
	text := fmt.Sprintf("training stops, because %v can't be saved: %v", u.At, u.Err)
	if u.Checkpoint != "" {
		text += fmt.Sprintf("; the checkpoint of %v is whole in %s", u.Saved, u.Checkpoint)
	}
	return text
}

func (u *Unsaved) Unwrap() error { return u.Err }

// saving is the last save that was begun. It goes on beside the training, with a copy of what there was to save.
type saving struct {
	of    Progress
	ended chan error // gives the save's error; nil once that was received, or if there was no save
}

// save begins to write the checkpoint. What is then written, in this order: what the observers were told, the last checkpoint, and
// the best, if this is the end of the best epoch; so the best is never of an epoch that a run which is taken up has not come to.
// A save that is still going on is waited for. What an observer fails to flush is saved all the same.
func (t *Trainer) save(p Progress) error {
	if err := t.settle(); err != nil {
		return err
	}
	var flushed error
	for _, o := range t.Observers {
		if s, ok := o.(Syncer); ok {
			flushed = errors.Join(flushed, s.Flush())
		}
	}
	image, err := t.Checkpoints.Image(p)
	if err != nil {
		return t.unsaved(p, err)
	}
	if p.isBest() {
		t.lost = false
	}
	ended := make(chan error, 1)
	t.saving = saving{p, ended}
	go func() { ended <- t.write(image, p.isBest()) }()
	return flushed
}

// write is what save leaves to a goroutine of its own. It touches nothing that the training does.
func (t *Trainer) write(image checkpoint.Image, best bool) error {
	for _, o := range t.Observers {
		if s, ok := o.(Syncer); ok {
			if err := s.Sync(); err != nil {
				return err
			}
		}
	}
	if err := t.Checkpoints.SaveLast(image); err != nil || !best {
		return err
	}
	return t.Checkpoints.SaveBest()
}

// settle waits for the end of a save, and returns the error that then ends the run.
func (t *Trainer) settle() error {
	if t.saving.ended == nil {
		return nil
	}
	return t.settled(<-t.saving.ended)
}

// checkSaved is settle of a save that has ended; for another it does not wait.
func (t *Trainer) checkSaved() error {
	select {
	case err := <-t.saving.ended:
		return t.settled(err)
	default:
		return nil
	}
}

// settled takes note of how a save has ended.
func (t *Trainer) settled(err error) error {
	t.saving.ended = nil
	if err != nil {
		return t.unsaved(t.saving.of, err)
	}
	return nil
}

// saveFirst saves a new run, or one that is taken up with other settings, and waits for it: there is then always a checkpoint to go
// back to, and one that can't be written is no surprise after hours. Of a run that is taken up at the end of its best epoch it
// writes the best: the crash may have been between the last and the best.
func (t *Trainer) saveFirst() error {
	if !t.resumed || t.changed {
		if err := t.save(t.done); err != nil {
			return err
		}
		return t.settle()
	}
	if t.done.isBest() {
		if err := t.Checkpoints.SaveBest(); err != nil {
			return t.unsaved(t.done, err)
		}
	}
	return nil
}

// best is the path of the best checkpoint, or of the last if none has been the best yet or the best is lost.
func (t *Trainer) best() string {
	if t.done.BestEpoch == 0 || t.lost {
		return t.Checkpoints.Last()
	}
	return BestPath(t.Checkpoints.Run)
}

// saveWithin saves within an epoch.
func (t *Trainer) saveWithin(it Iteration, running Mean) error {
	if err := t.checkWeights(it); err != nil {
		return err
	}
	return t.save(t.within(it, running))
}

// within is the progress after an iteration; before an epoch's first it is that of the epoch's beginning.
func (t *Trainer) within(it Iteration, running Mean) Progress {
	p := t.done
	if it.Iteration == 0 {
		return p
	}
	p.Iteration, p.Running, p.Metrics, p.Elapsed = it.Iteration, running, t.Metrics.Sums(), it.Elapsed
	return p
}

// unsaved ends the run, which was to be saved.
func (t *Trainer) unsaved(at Progress, err error) error {
	u := &Unsaved{At: at, Err: err}
	u.Saved, u.Checkpoint = t.Checkpoints.left()
	return u
}

// Digest is the SHA-256, in hexadecimal, of a model's weights: of the values of each in the order of the model, row by row,
// float32, little-endian. They are the bytes of the tensors model.… of a checkpoint, in the order in which it has them.
func Digest(weights model.Weights) string {
	h := sha256.New()
	var buffer []byte
	for _, w := range weights {
		buffer = buffer[:0]
		for _, x := range w.Value.Float32s() {
			buffer = binary.LittleEndian.AppendUint32(buffer, math.Float32bits(x))
		}
		h.Write(buffer)
	}
	return hex.EncodeToString(h.Sum(nil))
}
