package run

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// Metrics is a run's metrics.jsonl, open for writing. Training continues without it: lines that can't be written give one warning,
// and the file never ends in a part of a line. Each Write is a line.
type Metrics struct {
	Begun bool // the file has lines of earlier sessions

	file   *os.File    // nil if it can't be opened
	warn   func(error) // may be called by Sync at any time
	warned sync.Once
	lines  []byte
	size   int64 // of the file
}

// maxBuffered is the size of the lines above which they are written.
const maxBuffered = 64 << 10

// OpenMetrics opens the metrics of a run. If the run resumes from a progress, the lines beyond it are dropped; for a new run from is
// nil. The first error goes to warn.
func (d Dir) OpenMetrics(warn func(error), from *Progress) *Metrics {
	m := &Metrics{warn: warn}
	if err := m.open(d.Metrics(), from); err != nil {
		m.fail(err)
	}
	return m
}

func (m *Metrics) open(path string, from *Progress) error {
	if from != nil {
		if err := dropBeyond(path, *from); err != nil && !errors.Is(err, fs.ErrNotExist) {
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
	m.file, m.size, m.Begun = f, info.Size(), info.Size() > 0
	return nil
}

// Write keeps a line until there are enough, or Flush is called.
func (m *Metrics) Write(line []byte) (int, error) {
	m.lines = append(m.lines, line...)
	if len(m.lines) >= maxBuffered {
		_ = m.Flush() // which never fails
	}
	return len(line), nil
}

// Flush writes the lines; if that fails, none of them.
func (m *Metrics) Flush() error {
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

// Sync makes the flushed lines outlive a power cut. It may run while other lines are written.
func (m *Metrics) Sync() error {
	if m.file != nil {
		if err := m.file.Sync(); err != nil {
			m.fail(err)
		}
	}
	return nil
}

// Close closes the file.
func (m *Metrics) Close() error {
	if m.file == nil {
		return nil
	}
	return m.file.Close()
}

func (m *Metrics) fail(err error) {
	m.warned.Do(func() { m.warn(err) })
}
