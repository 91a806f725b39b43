package run

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"strings"
	"sync"

	"fmtrain/internal/checkpoint"
)

// Overview is what a list of runs shows of one. It is read from the header of the last checkpoint, from the end of the metrics
// and from the last evaluation on the test images, so that a thousand runs take less than a second.
type Overview struct {
	Info
	Status Status
	Reason error // why the run is damaged

	Settings   json.RawMessage // nil if they are not known
	Data       Data
	Parameters int      // of the model; 0 if they are not known
	Progress   Progress // of the last checkpoint
	Seconds    float64  // of training
	Test       *Tested  // nil if it was not measured
}

// Tested is what is kept of an evaluation.
type Tested struct {
	Checkpoint string  `json:"checkpoint"`
	Epoch      int     `json:"epoch"` // of the checkpoint
	Loss       float64 `json:"loss"`
	Accuracy   float64 `json:"accuracy"`
	Data       string  `json:"data"`
	EMA        bool    `json:"ema"` // of the averaged weights
}

// Overviews reads the overviews of runs, in their order.
func Overviews(runs []Info) []Overview {
	all := make([]Overview, len(runs))
	next := make(chan int)
	var readers sync.WaitGroup
	for range min(len(runs), 2*runtime.GOMAXPROCS(0)) {
		readers.Go(func() {
			for i := range next {
				all[i] = runs[i].Overview()
			}
		})
	}
	for i := range runs {
		next <- i
	}
	close(next)
	readers.Wait()
	return all
}

// Overview reads the overview of a run. A damaged run has a reason, and what else could be read.
func (i Info) Overview() Overview {
	status, last := i.Dir.status()
	o := Overview{Info: i, Status: status}
	if err := o.readHeader(); err != nil && o.Status != Imported && o.Status != Running { // which saves its first checkpoint soon
		o.Status, o.Reason = Damaged, err
	}
	o.readTime(last)
	var tested Tested
	if i.Dir.ReadEvaluation("test", &tested) == nil {
		o.Test = &tested
	}
	return o
}

// readHeader reads the header of the last checkpoint, or of the one before it, from which the run would resume.
func (o *Overview) readHeader() error {
	file, err := checkpoint.LoadHeader(o.Dir.Last())
	if err != nil {
		previous, previousErr := checkpoint.LoadHeader(o.Dir.Previous())
		if errors.Is(err, fs.ErrNotExist) && errors.Is(previousErr, fs.ErrNotExist) {
			return fmt.Errorf("expected a checkpoint %s, found none", o.Dir.Last())
		}
		if previousErr != nil {
			return err
		}
		file = previous
	}
	if err := readMetadata(file, "progress", &o.Progress); err != nil {
		return err
	}
	if err := readMetadata(file, "settings", &o.Settings); err != nil {
		return err
	}
	_ = json.Unmarshal([]byte(file.Metadata["data"]), &o.Data) // the oldest checkpoints lack it
	for _, t := range file.Tensors {
		if strings.HasPrefix(t.Name, modelPrefix) {
			n := 1
			for _, size := range t.Shape {
				n *= size
			}
			o.Parameters += n
		}
	}
	return nil
}

// readTime reads the training time. The last event of a finished run has it. Of another run all epochs are read.
func (o *Overview) readTime(last Event) {
	if last.Event == "done" {
		o.Seconds = last.totalSeconds()
	}
	if o.Seconds > 0 {
		return
	}
	if s, err := o.Dir.Summary(); err == nil {
		o.Seconds = s.Time()
	}
}
