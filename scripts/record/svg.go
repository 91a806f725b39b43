package main

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image/color"
	"strings"
	"unicode/utf8"

	uv "github.com/charmbracelet/ultraviolet"
	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
)

// span is a piece of a line with one style.
type span struct {
	column int
	text   string
	style  style
}

type style struct {
	color       ansi.BasicColor
	colored     bool // or else in the color of the text
	bold, faint bool
}

// spans is a line of the screen, cut where the style changes and at two spaces or more, which viewers of a picture may draw as
// one. Spaces need no span: nothing that is drawn here has a background.
func spans(screen *vt.Emulator, y int) (line []span) {
	spaces := 1 // before the cell
	for x := range screen.Width() {
		cell := screen.CellAt(x, y)
		if cell == nil || cell.Content == "" || cell.Content == " " {
			spaces++
			continue
		}
		s, last := styleOf(cell.Style), len(line)-1
		if last >= 0 && spaces < 2 && line[last].style == s {
			line[last].text += strings.Repeat(" ", spaces) + cell.Content
		} else {
			line = append(line, span{x, cell.Content, s})
		}
		spaces = 0
	}
	return line
}

func styleOf(s uv.Style) style {
	found := style{bold: s.Attrs&uv.AttrBold != 0, faint: s.Attrs&uv.AttrFaint != 0}
	found.color, found.colored = basic(s.Fg)
	return found
}

func basic(c color.Color) (ansi.BasicColor, bool) {
	b, ok := c.(ansi.BasicColor)
	return b % 8, ok // bright colors as the others
}

// theme is the colors of a picture.
type theme struct {
	name                            string
	background, border, text, faint string
	colors                          [8]string
}

// The colors are those of GitHub's pages, on which they are easy to read.
var themes = []theme{
	{
		"light", "#ffffff", "#d1d9e0", "#1f2328", "#6a737d",
		[8]string{"#1f2328", "#cf222e", "#1a7f37", "#9a6700", "#0969da", "#8250df", "#1b7c83", "#59636e"},
	},
	{
		"dark", "#0d1117", "#3d444d", "#e6edf3", "#848d97",
		[8]string{"#6e7681", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#e6edf3"},
	},
}

// Sizes in pixels. A character is as wide as in the usual monospace fonts; textLength makes it so in the others.
const (
	fontSize   = 14
	charWidth  = 8.4
	lineHeight = 20
	margin     = 22
	bar        = 38 // height of the window's bar
)

// draw makes the picture of a window with these lines.
func draw(lines [][]span, columns int, t theme, title string) []byte {
	width := 2*margin + charWidth*float64(columns)
	height := bar + lineHeight*len(lines) + margin
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%d" viewBox="0 0 %.0f %d" role="img">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, "<title>%s</title>\n", escape(title))
	fmt.Fprintf(&b, `<rect x=".5" y=".5" width="%.0f" height="%d" rx="10" fill="%s" stroke="%s"/>`+"\n", width-1, height-1, t.background, t.border)
	for i, dot := range []string{"#ff5f57", "#febc2e", "#28c840"} {
		fmt.Fprintf(&b, `<circle cx="%d" cy="19" r="6" fill="%s"/>`+"\n", margin+i*20, dot)
	}
	fmt.Fprintf(&b, `<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'Liberation Mono','DejaVu Sans Mono',monospace" font-size="%d" fill="%s">`+"\n", fontSize, t.text)
	for y, line := range lines {
		for _, s := range line {
			fmt.Fprintf(&b, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n",
				margin+charWidth*float64(s.column), bar+lineHeight*y+fontSize+2, charWidth*float64(utf8.RuneCountInString(s.text)), attributes(s.style, t), escape(s.text))
		}
	}
	b.WriteString("</g>\n</svg>\n")
	return b.Bytes()
}

func attributes(s style, t theme) (a string) {
	switch {
	case s.colored:
		a = ` fill="` + t.colors[s.color] + `"`
	case s.faint:
		a = ` fill="` + t.faint + `"`
	}
	if s.bold {
		a += ` font-weight="bold"`
	}
	return a
}

func escape(text string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(text))
	return b.String()
}
