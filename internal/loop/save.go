package loop

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"os"
	"time"

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

// save writes the last checkpoint, once what the observers were told is safe.
func (t *Trainer) save(p Progress) error {
	for _, o := range t.Observers {
		if s, ok := o.(Syncer); ok {
			if err := s.Sync(); err != nil {
				return err
			}
		}
	}
	if err := t.Checkpoints.SaveLast(p); err != nil {
		return t.unsaved(p, err)
	}
	t.saved = p
	return nil
}

// saveFirst writes the initial checkpoint of a new run. Of a run that is taken up at the end of its best epoch it writes the best:
// the crash may have been between the last and the best.
func (t *Trainer) saveFirst() error {
	if !t.resumed {
		return t.save(t.done)
	}
	return t.saveBest()
}

// saveEpoch saves at the end of an epoch: the last, and then, if it is the best, that. In this order the best is never of an epoch
// that a run which is taken up has not come to.
func (t *Trainer) saveEpoch() error {
	if err := t.save(t.done); err != nil {
		return err
	}
	return t.saveBest()
}

// saveBest writes the best checkpoint if the run is at the end of its best epoch.
func (t *Trainer) saveBest() error {
	if t.done.Epoch == 0 || t.done.Epoch != t.done.BestEpoch || t.done.Iteration > 0 {
		return nil
	}
	if err := t.Checkpoints.SaveBest(); err != nil {
		return t.unsaved(t.done, err)
	}
	return nil
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
	u := &Unsaved{At: at, Err: err, Saved: t.saved}
	if info, err := os.Stat(t.Checkpoints.Last()); err == nil && info.Mode().IsRegular() {
		u.Checkpoint = t.Checkpoints.Last()
	}
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
