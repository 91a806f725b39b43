package run

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"fmtrain/internal/atomicfile"
)

// dropBeyond removes the events that a run writes again when it resumes from this progress: later iterations and epochs, and the end of
// the run. It also removes lines that are cut off, not JSON, or longer than a MiB. The file is replaced as a whole, or not changed if
// there is nothing to drop.
func dropBeyond(path string, p Progress) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s: expected a file of metrics, found none that can be read to its end (%v)", path, info.Mode())
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	kept, err := copyKept(io.Discard, f, p)
	if err != nil || kept == info.Size() {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return atomicfile.Write(path, info.Mode().Perm(), func(w io.Writer) error {
		_, err := copyKept(w, f, p)
		return err
	})
}

// copyKept copies the lines that stay, and counts their bytes.
func copyKept(w io.Writer, r io.Reader, p Progress) (n int64, err error) {
	err = eachLine(r, longestLine, func(line []byte) error {
		if !stays(line, p) {
			return nil
		}
		written, err := w.Write(line)
		n += int64(written)
		return err
	})
	return n, err
}

// stays says whether the event of a line is not later than the progress.
func stays(line []byte, p Progress) bool {
	var e struct {
		Event            string
		Epoch, Iteration int
	}
	if json.Unmarshal(line, &e) != nil {
		return false
	}
	switch e.Event {
	case "start":
		return true
	case "resume": // its epoch is the number of epochs done
		return p.reached(e.Epoch+1, e.Iteration)
	case "iteration":
		return p.reached(e.Epoch, e.Iteration)
	case "epoch":
		return e.Epoch <= p.Epoch
	}
	return false
}
