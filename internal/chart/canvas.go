package chart

import (
	"math"

	"fmtrain/internal/table"
)

// The dots of a character of braille.
const (
	dotColumns = 2
	dotRows    = 4
	blank      = '⠀' // U+2800, without dots
)

// dot is the bit of a dot in a character of braille, by row and column.
var dot = [dotRows][dotColumns]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// canvas is the part of a chart inside the axes.
type canvas struct {
	columns, rows int
	cells         []cell
	ascii         bool
	marked        bool // the points of series after the first have marks: colours don't tell the series apart
}

// markDistance is how many columns apart marks are.
const markDistance = 4

// cell is a character: dots of braille, or a mark. It has the colour of the last series that was drawn in it.
type cell struct {
	dots   rune
	mark   byte
	series int
}

func newCanvas(columns, rows int, ascii, marked bool) *canvas {
	return &canvas{columns, rows, make([]cell, columns*rows), ascii, marked}
}

// series draws a curve.
func (c *canvas) series(index int, s Series, x, y scale) {
	mark := byte(0) // for dots
	columns, rows := c.columns*dotColumns, c.rows*dotRows
	if c.ascii {
		mark = marks[index%len(marks)]
		columns, rows = c.columns, c.rows
	}
	set := func(column, row int) {
		if column < 0 || column >= columns || row < 0 || row >= rows {
			return
		}
		row = rows - 1 - row
		if mark != 0 {
			c.cells[row*c.columns+column] = cell{mark: mark, series: index}
			return
		}
		at := &c.cells[row/dotRows*c.columns+column/dotColumns]
		at.dots |= dot[row%dotRows][column%dotColumns]
		at.series = index
	}
	joined := false
	var lastColumn, lastRow int
	marked := -markDistance // the column of the last mark
	for i := range s.X {
		u, v := x.of(s.X[i]), s.Y[i]
		if !finite(u) || !finite(v) {
			joined = false
			continue
		}
		column, row := x.at(u, columns), y.at(v, rows)
		if joined {
			line(lastColumn, lastRow, column, row, set)
		}
		set(column, row)
		if alone := !joined && (i+1 == len(s.X) || !finite(x.of(s.X[i+1])) || !finite(s.Y[i+1])); alone && mark == 0 { // a dot is easily missed
			set(column-1, row)
			set(column, row-1)
			set(column-1, row-1)
		}
		joined, lastColumn, lastRow = true, column, row
		if at := column / dotColumns; c.marked && mark == 0 && index > 0 && at >= marked+markDistance && column >= 0 && column < columns && row >= 0 && row < rows {
			c.cells[(rows-1-row)/dotRows*c.columns+at].mark = marks[index%len(marks)]
			marked = at
		}
	}
}

// line sets the cells of a straight line, one in each column or row, whichever are more.
func line(x0, y0, x1, y1 int, set func(x, y int)) {
	n := max(abs(x1-x0), abs(y1-y0))
	for i := range n {
		t := float64(i) / float64(n)
		set(x0+int(math.Round(float64(t*float64(x1-x0)))), y0+int(math.Round(float64(t*float64(y1-y0)))))
	}
}

func abs(n int) int { return max(n, -n) }

// appendRow appends a row of characters, without spaces at its end.
func (c *canvas) appendRow(b []byte, row int, color bool) []byte {
	cells := c.cells[row*c.columns : (row+1)*c.columns]
	for len(cells) > 0 && cells[len(cells)-1].empty() {
		cells = cells[:len(cells)-1]
	}
	for len(cells) > 0 {
		n := 1 // cells of one colour
		for n < len(cells) && cells[n].series == cells[0].series && cells[n].empty() == cells[0].empty() {
			n++
		}
		text := make([]rune, n)
		for i, cell := range cells[:n] {
			text[i] = cell.character()
		}
		style := styles[cells[0].series%len(styles)]
		if cells[0].empty() {
			style = ""
		}
		b = table.AppendStyled(b, string(text), style, color)
		cells = cells[n:]
	}
	return b
}

func (c cell) empty() bool { return c.dots == 0 && c.mark == 0 }

func (c cell) character() rune {
	switch {
	case c.mark != 0:
		return rune(c.mark)
	case c.dots != 0:
		return blank | c.dots
	}
	return ' '
}
