package run

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Follower reads the events of a run that another process writes, as they come. It only reads.
type Follower struct {
	dir  Dir
	file os.FileInfo // that was read last; nil before the first
	at   int64       // the end of what was read
}

// Follow makes a follower that begins with the first event.
func (d Dir) Follow() *Follower { return &Follower{dir: d} }

// Next calls visit with the events that were written since the last call, or with the first of very many. If the file is another one, as after a resume, restart is called
// first, and the events begin again.
func (f *Follower) Next(restart func(), visit func(Event) error) error {
	file, err := os.Open(f.dir.Metrics())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	if f.file != nil && (!os.SameFile(f.file, info) || info.Size() < f.at) {
		restart()
		f.at = 0
	}
	f.file = info
	written := make([]byte, min(info.Size()-f.at, maxFollowed))
	n, err := file.ReadAt(written, f.at)
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	end := bytes.LastIndexByte(written[:n], '\n') + 1 // the rest is a line that is not complete yet
	if end == 0 && n == maxFollowed {
		end = n // of a line that no run writes
	}
	f.at += int64(end)
	return eachEvent(bytes.NewReader(written[:end]), int64(end), visit)
}

// maxFollowed is how many bytes one call of Next reads.
const maxFollowed = 16 << 20
