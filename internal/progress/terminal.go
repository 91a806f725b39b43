package progress

import (
	"io"
	"time"

	"golang.org/x/term"
)

// interval is the shortest time between two redraws of a bar.
const interval = 100 * time.Millisecond

// Terminal is where a bar or lines are written.
type Terminal struct {
	Writer io.Writer
	Width  func() int // columns; asked each time, so that a resize is followed
	Color  bool
}

// IsTerminal says whether w is a terminal. It may be a file, or anything else with a descriptor.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(descriptor)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width is the function that a [Terminal] asks for its columns. On anything else than a terminal it answers 80.
func Width(w io.Writer) func() int {
	f, ok := w.(descriptor)
	if !ok {
		return func() int { return 80 }
	}
	fd := int(f.Fd())
	return func() int {
		if columns, _, err := term.GetSize(fd); err == nil && columns > 0 {
			return columns
		}
		return 80
	}
}

// Size is the columns and rows of a terminal; of anything else 80 and 24.
func Size(w io.Writer) (columns, rows int) {
	if f, ok := w.(descriptor); ok {
		if columns, rows, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 && rows > 0 {
			return columns, rows
		}
	}
	return 80, 24
}

// ColorEnabled says whether to write colours: on a terminal, unless NO_COLOR is set and not empty
// (https://no-color.org) or TERM is "dumb". env is normally os.Getenv.
func ColorEnabled(terminal bool, env func(string) string) bool {
	return terminal && env("NO_COLOR") == "" && env("TERM") != "dumb"
}

type descriptor interface{ Fd() uintptr }

// screen is the last line of a terminal, drawn over and over. Every frame is one Write. It leaves one column free, so that
// the terminal never wraps it. The cursor stays at the first column: a terminal that becomes narrower breaks the frame into rows
// below the cursor, and the next frame erases them.
//
// A failed write must not end a run, so after it nothing more is drawn.
type screen struct {
	Terminal
	frame  []byte
	drawn  bool
	failed bool
}

// draw replaces the frame by the first of the layouts that fits.
func (s *screen) draw(layouts []layout) {
	s.frame = append(s.frame[:0], '\r')
	s.frame = appendFirstFit(s.frame, layouts, s.Width()-1, s.Color)
	s.frame = append(s.frame, "\x1b[J\r"...)
	s.write(s.frame)
	s.drawn = true
}

// clear erases the frame, if there is one.
func (s *screen) clear() {
	if s.drawn {
		s.write([]byte("\r\x1b[J"))
		s.drawn = false
	}
}

func (s *screen) write(frame []byte) {
	if s.failed {
		return
	}
	_, err := s.Writer.Write(frame)
	s.failed = err != nil
}
