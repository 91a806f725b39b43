package progress

import (
	"regexp"
	"strings"
	"testing"
)

// emulator is a small terminal: the control characters and sequences that a bar may use, and wrapping. Anything else fails
// the test. When it is made narrower, lines that no longer fit are broken into rows, or cut where reflow is false; the
// cursor stays on its character. Both kinds of terminal exist.
type emulator struct {
	t        *testing.T
	columns  int
	reflow   bool
	rows     []row
	row, col int
	writes   int
	widest   int // the most columns left of the cursor so far
}

type row struct {
	cells   []rune
	wrapped bool // continues in the next row
}

func newEmulator(t *testing.T, columns int) *emulator {
	return &emulator{t: t, columns: columns, reflow: true, rows: make([]row, 1)}
}

func (e *emulator) width() int { return e.columns }

var control = regexp.MustCompile(`^\x1b\[([0-9]*)([A-Za-z])`)

func (e *emulator) Write(p []byte) (int, error) {
	e.writes++
	for s := string(p); s != ""; {
		n := 1
		switch c := s[0]; {
		case c == '\r':
			e.col = 0
		case c == '\n':
			e.down()
			e.col = 0
		case c == 0x1b:
			m := control.FindStringSubmatch(s)
			if m == nil {
				e.t.Fatalf("not a control sequence: %q", s)
			}
			e.sequence(m[2] + m[1])
			n = len(m[0])
		case c >= ' ' && c <= '~':
			e.put(rune(c))
		default:
			e.t.Fatalf("unexpected byte %#x in %q", c, p)
		}
		s = s[n:]
	}
	return len(p), nil
}

func (e *emulator) sequence(s string) {
	switch s {
	case "J": // erase from the cursor to the end of the screen
		e.rows = e.rows[:e.row+1]
		e.rows[e.row].cells = e.rows[e.row].cells[:min(e.col, len(e.rows[e.row].cells))]
		e.rows[e.row].wrapped = false
	case "m0", "m1", "m2", "m32":
	default:
		e.t.Fatalf("unexpected control sequence %q", s)
	}
}

func (e *emulator) put(c rune) {
	if e.col == e.columns {
		e.rows[e.row].wrapped = true
		e.down()
		e.col = 0
	}
	r := &e.rows[e.row]
	for len(r.cells) <= e.col {
		r.cells = append(r.cells, ' ')
	}
	r.cells[e.col] = c
	e.col++
	e.widest = max(e.widest, e.col)
}

func (e *emulator) down() {
	e.row++
	if e.row == len(e.rows) {
		e.rows = append(e.rows, row{})
	}
}

func (e *emulator) resize(columns int) {
	e.columns = columns
	if !e.reflow {
		for i := range e.rows {
			e.rows[i].cells = e.rows[i].cells[:min(columns, len(e.rows[i].cells))]
		}
		e.col = min(e.col, columns-1)
		return
	}
	var rows []row
	var line []rune
	cursor, cursorRow := -1, 0
	for i, r := range e.rows {
		if i == e.row {
			cursor = len(line) + e.col
		}
		line = append(line, r.cells...)
		if r.wrapped {
			continue
		}
		if cursor >= 0 {
			cursorRow, e.col, cursor = len(rows)+cursor/columns, cursor%columns, -1
		}
		for ; len(line) > columns; line = line[columns:] {
			rows = append(rows, row{line[:columns:columns], true})
		}
		rows = append(rows, row{cells: line})
		line = nil
	}
	e.rows, e.row = rows, cursorRow
}

// screen is the visible text: the rows, with wrapped rows joined, without trailing spaces and empty rows at the end.
func (e *emulator) screen() string {
	var b, line strings.Builder
	for _, r := range e.rows {
		line.WriteString(string(r.cells))
		if !r.wrapped {
			b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
			line.Reset()
		}
	}
	return strings.TrimRight(b.String(), "\n")
}
