package progress

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"

	"fmtrain/internal/table"
)

// part is a piece of a line: a label and its value, one of the two, or a gauge.
type part struct {
	label, value string
	style        string // of the value, one of package table
	gauge        *gauge
}

// layout is one way to arrange the parts of a line, with gap spaces between them. A gauge fills what the other parts leave free.
type layout struct {
	gap   int
	parts []part
}

// gauge is the bar itself, [=====>    ], of min cells or more. The total is positive.
type gauge struct {
	done, total int64
	min         int
}

const (
	gaugeEnds = 2  // the brackets
	gaugeMax  = 40 // cells
)

// appendFirstFit appends the first layout that fits into the columns, or nothing if none does. Without color it appends no
// control characters.
func appendFirstFit(b []byte, layouts []layout, columns int, color bool) []byte {
	for _, l := range layouts {
		if free := columns - l.width(); free >= 0 {
			return l.append(b, free, color)
		}
	}
	return b
}

// width is the smallest number of columns that the layout takes.
func (l layout) width() int {
	w := l.gap * max(0, len(l.parts)-1)
	for _, p := range l.parts {
		w += p.width()
	}
	return w
}

// append appends the parts. A gauge gets the free columns.
func (l layout) append(b []byte, free int, color bool) []byte {
	for i, p := range l.parts {
		if i > 0 {
			b = append(b, strings.Repeat(" ", l.gap)...)
		}
		b = p.append(b, free, color)
	}
	return b
}

func (p part) width() int {
	if p.gauge != nil {
		return p.gauge.min + gaugeEnds
	}
	w := utf8.RuneCountInString(p.label) + utf8.RuneCountInString(p.value)
	if p.label != "" && p.value != "" {
		w++
	}
	return w
}

func (p part) append(b []byte, free int, color bool) []byte {
	if p.gauge != nil {
		return append(b, p.gauge.String(min(p.gauge.min+free, gaugeMax))...)
	}
	b = table.AppendStyled(b, p.label, table.Dim, color)
	if p.label != "" && p.value != "" {
		b = append(b, ' ')
	}
	return table.AppendStyled(b, p.value, p.style, color)
}

// String is the gauge with the given number of cells. progressbar draws it into a text, so that a whole frame is one write.
// Its percentage is cut off, because it rounds 29 of 100 to 28%.
func (g *gauge) String(cells int) string {
	bar := progressbar.NewOptions64(g.total,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetWidth(cells),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetTheme(progressbar.Theme{
			Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "[", BarEnd: "]",
		}))
	_ = bar.Set64(min(g.done, g.total)) // the total is positive and io.Discard doesn't fail
	_ = bar.RenderBlank()
	_, brackets, _ := strings.Cut(bar.String(), "% ")
	return strings.TrimSpace(brackets)
}

// percent is the whole per cent done, rounded down: 100 only at the end.
func (g *gauge) percent() int64 { return 100 * min(g.done, g.total) / g.total }
