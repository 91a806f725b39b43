package progress

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/loop"
)

// DropBeyond takes out of a file of [JSON] lines what a run that is taken up from this progress writes again: the iterations and
// epochs after it, and the end of the run. A line that is cut off, no JSON or longer than a MiB goes too. The file is replaced as a
// whole, or left alone if there is nothing to drop.
func DropBeyond(path string, p loop.Progress) error {
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

// longestLine is what a line may be long at the most; the longest there is, of the settings, has a few KiB.
const longestLine = 1 << 20

// copyKept copies the lines that stay and counts their bytes.
func copyKept(w io.Writer, r io.Reader, p loop.Progress) (n int64, err error) {
	lines := bufio.NewReaderSize(r, longestLine)
	tooLong := false // the line that is being read
	for {
		piece, err := lines.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			tooLong = true
			continue
		case errors.Is(err, io.EOF):
			return n, nil // what is left has no end of line
		case err != nil:
			return n, err
		case tooLong:
			tooLong = false // the piece was its end
			continue
		case !stays(piece, p):
			continue
		}
		if _, err := w.Write(piece); err != nil {
			return n, err
		}
		n += int64(len(piece))
	}
}

// stays says whether a line is of what was done by then.
func stays(line []byte, p loop.Progress) bool {
	var event struct {
		Event            string
		Epoch, Iteration int
	}
	if json.Unmarshal(line, &event) != nil {
		return false
	}
	switch event.Event {
	case "start":
		return true
	case "iteration":
		return event.Epoch <= p.Epoch || event.Epoch == p.Epoch+1 && event.Iteration <= p.Iteration
	case "epoch":
		return event.Epoch <= p.Epoch
	}
	return false
}
