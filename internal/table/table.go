// Package table lays out text for a terminal: tables that leave out columns if there is no room, and lines
// wrapped between words.
package table

import (
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// gap is the number of spaces between two columns.
const gap = 2

// Column is a column of a table.
type Column struct {
	Heading string // one line, or two with "\n" between them
	Width   int    // at least; the heading may be wider
	Left    bool   // aligned to the left, not to the right
	Keep    int    // if there is no room for all, the columns with the lowest numbers are left out first
	Cut     int    // if positive, [Write] may cut longer texts down to this width to make room
}

// Cell is the text in one column of a row.
type Cell struct{ Text, Style string }

// Styles of texts: parameters of the ANSI sequence "select graphic rendition".
const (
	Bold  = "1"
	Dim   = "2"
	Green = "32"
)

// width is the number of characters that the column takes.
func (c Column) width() int {
	over, under := c.headings()
	return max(c.Width, length(over), length(under))
}

// headings are the two lines of the heading. If there is only one, it is the lower.
func (c Column) headings() (over, under string) {
	over, under, two := strings.Cut(c.Heading, "\n")
	if !two {
		return "", over
	}
	return over, under
}

// Fit is the columns that have room on a line of the given width, as indices. One column is always left. With a width of 0 all
// are.
func Fit(columns []Column, width int) (kept []int) {
	free := width + gap
	for i, c := range columns {
		kept = append(kept, i)
		free -= c.width() + gap
	}
	for width > 0 && free < 0 && len(kept) > 1 {
		least := slices.MinFunc(kept, func(a, b int) int { return columns[a].Keep - columns[b].Keep })
		free += columns[least].width() + gap
		kept = slices.DeleteFunc(kept, func(i int) bool { return i == least })
	}
	return kept
}

// AppendHeading appends the heading of the kept columns: a line, or two if one of them has two.
func AppendHeading(b []byte, columns []Column, kept []int, color bool) []byte {
	over, under := make([]Cell, len(columns)), make([]Cell, len(columns))
	two := false
	for _, i := range kept {
		over[i].Style, under[i].Style = Dim, Dim
		over[i].Text, under[i].Text = columns[i].headings()
		two = two || over[i].Text != ""
	}
	if two {
		b = AppendRow(b, columns, kept, over, color)
	}
	return AppendRow(b, columns, kept, under, color)
}

// AppendRow appends the line of a row, of which it shows the kept columns. There are no spaces at its end.
func AppendRow(b []byte, columns []Column, kept []int, cells []Cell, color bool) []byte {
	spaces := 0
	for at, i := range kept {
		c, cell := columns[i], cells[i]
		padding := max(0, c.width()-length(cell.Text))
		if at > 0 {
			spaces += gap
		}
		if !c.Left {
			spaces += padding
		}
		if cell.Text != "" {
			b = append(b, strings.Repeat(" ", spaces)...)
			b = AppendStyled(b, cell.Text, cell.Style, color)
			spaces = 0
		}
		if c.Left {
			spaces += padding
		}
	}
	return append(b, '\n')
}

// AppendStyled appends a text, in its style if there are colours.
func AppendStyled(b []byte, text, style string, color bool) []byte {
	if !color || style == "" || text == "" {
		return append(b, text...)
	}
	b = append(append(append(b, "\x1b["...), style...), 'm')
	return append(append(b, text...), "\x1b[0m"...)
}

// Write writes a whole table. Columns become as wide as their longest text, and those that have no room on a line of the given
// width are left out. A table without headings has none.
func Write(w io.Writer, width int, color bool, columns []Column, rows [][]string) error {
	columns = slices.Clone(columns)
	headed := false
	longest := make([]int, len(columns))
	for i := range columns {
		headed = headed || columns[i].Heading != ""
		for _, row := range rows {
			longest[i] = max(longest[i], length(row[i]))
		}
		columns[i].Width = max(columns[i].Width, longest[i])
		if width > 0 && columns[i].Cut > 0 {
			columns[i].Width = min(columns[i].Width, columns[i].Cut)
		}
	}
	kept := Fit(columns, width)
	widen(columns, kept, longest, width)
	var b []byte
	if headed {
		b = AppendHeading(b, columns, kept, color)
	}
	cells := make([]Cell, len(columns))
	for _, row := range rows {
		for i, text := range row {
			if width > 0 && columns[i].Cut > 0 {
				text = Cut(text, columns[i].width())
			}
			cells[i].Text = text
		}
		b = AppendRow(b, columns, kept, cells, color)
	}
	_, err := w.Write(b)
	return err
}

// widen gives the columns whose texts would be cut the room that is free, from the left.
func widen(columns []Column, kept, longest []int, width int) {
	free := width + gap
	for _, i := range kept {
		free -= columns[i].width() + gap
	}
	for _, i := range kept {
		if more := min(free, longest[i]-columns[i].width()); more > 0 {
			columns[i].Width = columns[i].width() + more
			free -= more
		}
	}
}

// Cut is a text of at most the given width, at least 1. What is cut off is shown as an ellipsis.
func Cut(text string, width int) string {
	if length(text) <= width {
		return text
	}
	return strings.TrimRight(string([]rune(text)[:width-1]), " ,") + "…"
}

// length is the number of characters of a text.
func length(text string) int { return utf8.RuneCountInString(text) }
