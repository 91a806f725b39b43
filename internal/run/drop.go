package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"fmtrain/internal/atomicfile"
)

// dropBeyond removes from a file of events what a run that resumes from this progress writes again: later iterations and epochs, and
// the end of the run. A line that is cut off, no JSON or longer than a MiB goes too. The file is replaced as a whole, or left alone
// if there is nothing to drop. Seconds is the training time of the epochs whose lines stay.
func dropBeyond(path string, p Progress) (seconds float64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, fmt.Errorf("%s: expected a file of metrics, found none that can be read to its end (%v)", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	kept, seconds, err := copyKept(io.Discard, f, p)
	if err != nil || kept == info.Size() {
		return seconds, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	return seconds, atomicfile.Write(path, info.Mode().Perm(), func(w io.Writer) error {
		_, _, err := copyKept(w, f, p)
		return err
	})
}

// copyKept copies the lines that stay. It counts their bytes, and the seconds of their epochs.
func copyKept(w io.Writer, r io.Reader, p Progress) (n int64, seconds float64, err error) {
	err = eachLine(r, func(line []byte) error {
		e, ok := stays(line, p)
		if !ok {
			return nil
		}
		if e.Event == "epoch" {
			seconds += e.Seconds
		}
		written, err := w.Write(line)
		n += int64(written)
		return err
	})
	return n, seconds, err
}

// position is the part of an event that says when it was, and how long it took.
type position struct {
	Event            string
	Epoch, Iteration int
	Seconds          float64
}

// stays says whether a line tells of something that was done by then.
func stays(line []byte, p Progress) (e position, ok bool) {
	if json.Unmarshal(line, &e) != nil {
		return e, false
	}
	switch e.Event {
	case "start":
		return e, true
	case "resume": // its epoch is the number of epochs done
		return e, p.reached(e.Epoch+1, e.Iteration)
	case "iteration":
		return e, p.reached(e.Epoch, e.Iteration)
	case "epoch":
		return e, e.Epoch <= p.Epoch
	}
	return e, false
}
