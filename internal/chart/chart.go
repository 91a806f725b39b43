// Package chart draws curves with characters:
//
//	loss  ── training
//	2.0 ┤⢣
//	    │ ⢣
//	1.5 ┤  ⢣
//	1.0 ┤   ⠱⡀
//	    │    ⠈⠒⢄⣀
//	0.5 ┤        ⠉⠑⠒⠢⠤⠤⣀⣀⣀⡀
//	    │                 ⠈⠉⠉⠉⠉⠉⠒⠒⠒⠒⠒⠒⠒⠒⠒
//	    └┬────────────────┬───────────────┬
//	     0                5              10
//
// A character of braille has two columns and four rows of dots (Unicode, block 2800), so a curve is finer than the characters. Where the
// locale is not UTF-8, curves are drawn with ASCII characters, one kind for each series. Without colours, the points of all series but the
// first have marks.
package chart

import (
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"fmtrain/internal/table"
)

// Series is a curve: points joined by straight lines, in the order of the points. A point that is not finite leaves a gap.
type Series struct {
	Name string
	X, Y []float64 // of the same length
}

// Chart is some curves with common axes.
type Chart struct {
	Title  string // before the names of the series
	XLabel string // below the axis; empty: none, and no row for it
	Series []Series

	// Width and Height are the characters of the whole drawing: title, axes and labels included. No line is longer, and there are never
	// more lines; below 12 and 5 nothing is drawn.
	Width, Height int

	LogX   bool // a logarithmic axis; points at or below 0 are left out
	WholeX bool // only whole numbers are marked, as for epochs
	Color  bool
	ASCII  bool
}

// The smallest chart.
const (
	minWidth  = 12
	minHeight = 5
)

// styles are the colours of the series, as parameters of the ANSI sequence.
var styles = []string{"36", "33", "35", "32"}

// marks are the characters of the series where colours or dots are missing.
var marks = []byte("*o+x")

// UTF8 says whether the locale of the environment is UTF-8. env is normally os.Getenv, and goos runtime.GOOS: Windows has no such
// variables, and its terminals understand UTF-8.
func UTF8(env func(string) string, goos string) bool {
	if goos == "windows" {
		return true
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} { // the first that is set decides
		if locale := strings.ToLower(env(name)); locale != "" {
			return strings.Contains(locale, "utf-8") || strings.Contains(locale, "utf8")
		}
	}
	return false
}

// Lines are the lines of the drawing, without spaces or line ends at their ends. Without a finite point there is a text instead of curves.
func (c Chart) Lines() []string {
	if c.Width < minWidth || c.Height < minHeight {
		return nil
	}
	x, y := c.ranges()
	rows := c.Height - 2 // without the axis and its numbers
	lines := make([]string, 0, c.Height)
	if title := c.title(); title != "" {
		lines = append(lines, title)
		rows--
	}
	if c.XLabel != "" && rows > minHeight {
		rows--
	} else {
		c.XLabel = ""
	}
	if !x.known() {
		for range rows / 2 {
			lines = append(lines, "")
		}
		return append(lines, center("no points yet", c.Width))
	}
	x, y = x.widened(), y.widened()

	labels := y.labels(rows, false)
	margin := 0
	for _, l := range labels {
		margin = max(margin, utf8.RuneCountInString(l.text))
	}
	if margin > c.Width/2 { // without room for both, the curve counts
		labels, margin = nil, 0
	}
	plot := newCanvas(c.Width-margin-2, rows, c.ASCII, len(c.Series) > 1 && !c.Color)
	for i, s := range c.Series {
		plot.series(i, s, x, y)
	}
	for row := range rows {
		text, mark := "", c.glyph("│", "|")
		if at := slices.IndexFunc(labels, func(l label) bool { return y.at(l.value, rows) == rows-1-row }); at >= 0 {
			text, mark = labels[at].text, c.glyph("┤", "+")
		}
		var b []byte
		b = append(b, strings.Repeat(" ", margin-utf8.RuneCountInString(text))...)
		b = table.AppendStyled(b, text, table.Dim, c.Color)
		b = append(b, ' ')
		b = table.AppendStyled(b, mark, table.Dim, c.Color)
		b = plot.appendRow(b, row, c.Color)
		lines = append(lines, string(b))
	}
	return append(lines, c.axis(x, margin, plot.columns)...)
}

// Beside puts the lines of two drawings next to each other. The right one begins at the column.
func Beside(left, right []string, column int) (lines []string) {
	for i := range max(len(left), len(right)) {
		line := ""
		if i < len(left) {
			line = left[i]
		}
		if i < len(right) && right[i] != "" {
			line += strings.Repeat(" ", max(0, column-width(line))) + right[i]
		}
		lines = append(lines, line)
	}
	return lines
}

// width is the number of characters of a line without its colours.
func width(line string) (n int) {
	for line != "" {
		if rest, ok := strings.CutPrefix(line, "\x1b["); ok {
			_, line, _ = strings.Cut(rest, "m")
			continue
		}
		_, size := utf8.DecodeRuneInString(line)
		line = line[size:]
		n++
	}
	return n
}

// glyph is a character for the axes.
func (c Chart) glyph(unicode, ascii string) string {
	if c.ASCII {
		return ascii
	}
	return unicode
}

// title is the title and the legend, as much as fits.
func (c Chart) title() string {
	var b []byte
	used := utf8.RuneCountInString(c.Title)
	if used > c.Width {
		return ""
	}
	b = table.AppendStyled(b, c.Title, table.Bold, c.Color)
	for i, s := range c.Series {
		sample := "──"
		switch mark := string(marks[i%len(marks)]); {
		case c.ASCII:
			sample = mark + mark
		case i > 0 && !c.Color:
			sample = "─" + mark
		}
		if used += utf8.RuneCountInString(s.Name) + 5; used > c.Width || s.Name == "" {
			continue
		}
		b = append(b, "  "...)
		b = table.AppendStyled(b, sample, styles[i%len(styles)], c.Color)
		b = append(append(b, ' '), s.Name...)
	}
	return strings.TrimLeft(string(b), " ")
}

// axis is the x axis, its numbers and its label.
func (c Chart) axis(x scale, margin, columns int) []string {
	rule := []rune(strings.Repeat(c.glyph("─", "-"), columns))
	numbers := []rune(strings.Repeat(" ", columns))
	free := 0 // the first column that has no number yet
	for _, l := range x.labels(columns/4, c.WholeX) {
		at := x.at(l.value, columns)
		begin := min(max(0, at-utf8.RuneCountInString(l.text)/2), columns-utf8.RuneCountInString(l.text))
		if begin < free {
			continue
		}
		rule[at] = []rune(c.glyph("┬", "+"))[0]
		copy(numbers[begin:], []rune(l.text))
		free = begin + utf8.RuneCountInString(l.text) + 1
	}
	indent := strings.Repeat(" ", margin+1)
	dim := func(text string) string { return string(table.AppendStyled(nil, text, table.Dim, c.Color)) }
	lines := []string{indent + dim(c.glyph("└", "+")+string(rule))}
	if text := strings.TrimRight(string(numbers), " "); text != "" {
		lines = append(lines, indent+" "+dim(text))
	}
	if c.XLabel != "" {
		lines = append(lines, indent+" "+dim(center(c.XLabel, columns)))
	}
	return lines
}

// center is a text in the middle of a width, without spaces after it.
func center(text string, width int) string {
	return strings.Repeat(" ", max(0, (width-utf8.RuneCountInString(text))/2)) + text
}

// ranges are the ranges of the finite points.
func (c Chart) ranges() (x, y scale) {
	x, y = newScale(c.LogX), newScale(false)
	for _, s := range c.Series {
		for i := range s.X {
			if u, v := x.of(s.X[i]), s.Y[i]; finite(u) && finite(v) {
				x.include(u)
				y.include(v)
			}
		}
	}
	return x, y
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
