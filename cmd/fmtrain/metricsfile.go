package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"fmtrain/internal/loop"
	"fmtrain/internal/progress"
)

// metricsFile is a run's metrics.jsonl. Training goes on without it: that lines can't be written is a warning, once, and the file
// never ends in a part of a line. Each Write is a line.
type metricsFile struct {
	file   *os.File  // nil if it can't be opened
	begun  bool      // it has lines of a run that is taken up
	warn   io.Writer // of which a Sync may make use at any time
	warned sync.Once
	lines  []byte
	size   int64 // of what is in the file
}

// mostBuffered is the size of the lines from which on they are written.
const mostBuffered = 64 << 10

// openMetrics makes the file of a new run or, of one that is taken up, takes out of it the lines beyond the checkpoint.
func openMetrics(warn io.Writer, path string, from *savedRun) *metricsFile {
	m := &metricsFile{warn: warn}
	if err := m.open(path, from); err != nil {
		m.fail(err)
	}
	return m
}

func (m *metricsFile) open(path string, from *savedRun) error {
	if from != nil {
		if err := progress.DropBeyond(path, from.Progress); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return err
	}
	m.file, m.size, m.begun = f, info.Size(), info.Size() > 0
	return nil
}

// Write keeps a line until there are enough, or Flush is called.
func (m *metricsFile) Write(line []byte) (int, error) {
	m.lines = append(m.lines, line...)
	if len(m.lines) >= mostBuffered {
		_ = m.Flush() // which never fails
	}
	return len(line), nil
}

// Flush writes the lines; if that fails, none of them.
func (m *metricsFile) Flush() error {
	lines := m.lines
	m.lines = m.lines[:0]
	if m.file == nil || len(lines) == 0 {
		return nil
	}
	if _, err := m.file.WriteAt(lines, m.size); err != nil {
		m.fail(errors.Join(err, m.file.Truncate(m.size)))
		return nil
	}
	m.size += int64(len(lines))
	return nil
}

// Sync has the lines that were flushed outlive a power cut. It may go on while others are written.
func (m *metricsFile) Sync() error {
	if m.file != nil {
		if err := m.file.Sync(); err != nil {
			m.fail(err)
		}
	}
	return nil
}

// Close closes the file.
func (m *metricsFile) Close() error {
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

func (m *metricsFile) fail(err error) {
	m.warned.Do(func() {
		fmt.Fprintf(m.warn, "fmtrain: warning: training goes on, but metrics are lost: %v\n", err)
	})
}

// metricsLines are the lines of a run that are kept in a file.
type metricsLines struct {
	*progress.JSON
	file *metricsFile
}

// OnStart writes nothing to the lines of a run that is taken up: they have their start.
func (m metricsLines) OnStart(s *loop.Start) error {
	if m.file.begun {
		return nil
	}
	return m.JSON.OnStart(s)
}

// Sync is what makes it a [loop.Syncer].
func (m metricsLines) Sync() error { return m.file.Sync() }
