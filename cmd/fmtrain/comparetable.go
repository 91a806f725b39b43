package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"fmtrain/internal/table"
)

// value is a cell of a comparison.
type value struct {
	text, deviation, change string // change: from the baseline
}

// String is the cell for people, such as 0.8442 ± 0.0012 (+0.0031).
func (v value) String() string { return v.join(" ± ", "(", ")") }

func (v value) join(plusMinus, open, end string) string {
	text := v.text
	if v.deviation != "" {
		text += plusMinus + v.deviation
	}
	if v.change != "" {
		text += " " + open + v.change + end
	}
	return text
}

// line is a row of a comparison.
type line struct {
	name  string
	cells []value // one for each column
}

// lines are the rows: first what differs, then the results.
func (c *comparison) lines() (differing, results []line) {
	if c.grouped() {
		n := line{name: "runs"}
		for _, col := range c.columns {
			n.cells = append(n.cells, value{text: fmt.Sprint(len(col.runs))})
		}
		differing = append(differing, n)
	}
	for _, p := range c.settings {
		l := line{name: p.name}
		for _, col := range c.columns {
			l.cells = append(l.cells, value{text: strings.Join(col.texts(p.of), ", ")})
		}
		differing = append(differing, l)
	}
	for _, m := range measures {
		l := line{name: m.name}
		baseline := c.columns[0].values(m)
		known := false
		for i, col := range c.columns {
			values := col.values(m)
			var cell value
			if len(values) > 0 {
				known = true
				mean, deviation := spread(values)
				cell.text = m.text(mean)
				if len(values) > 1 && (deviation > 0 || !m.whole) {
					cell.deviation = m.text(deviation)
				}
				if len(values) < len(col.runs) {
					cell.text += fmt.Sprintf(" in %d of %d runs", len(values), len(col.runs))
				}
				if i > 0 && len(baseline) > 0 {
					from, _ := spread(baseline)
					cell.change = m.change(from, mean)
				}
			}
			l.cells = append(l.cells, cell)
		}
		if known {
			results = append(results, l)
		}
	}
	return differing, results
}

// grouped says whether a column has several runs.
func (c *comparison) grouped() bool {
	return slices.ContainsFunc(c.columns, func(col column) bool { return len(col.runs) > 1 })
}

// write writes the comparison for people. On a narrow terminal the columns follow in blocks below each other, and long texts take
// several lines.
func (c *comparison) write(w io.Writer) error {
	differing, results := c.lines()
	all := slices.Concat(differing, results)
	names := 0
	for _, l := range all {
		names = max(names, utf8.RuneCountInString(l.name))
	}
	const gap = 2
	room := widthOf(w) - names - gap // for the columns
	longest := 0                     // text in a cell; 0: any
	if widthOf(w) > 0 {
		longest = max(min(room, 32), 8)
	}
	for begin := 0; begin < len(c.columns); {
		end, used := begin, 0
		for end < len(c.columns) {
			width := utf8.RuneCountInString(c.heading(end))
			for _, l := range all {
				width = max(width, utf8.RuneCountInString(l.cells[end].String()))
			}
			if longest > 0 {
				width = min(width, longest)
			}
			if used += width + gap; longest > 0 && used > room+gap && end > begin {
				break
			}
			end++
		}
		if begin > 0 {
			fmt.Fprintln(w)
		}
		if err := c.writeBlock(w, all, len(differing), begin, end, longest); err != nil {
			return err
		}
		begin = end
	}
	if len(c.columns) > 1 {
		say(w, "\n(differences from %s)\n", inCell(quoted(c.columns[0].name())))
	}
	return nil
}

// heading is the heading of a column.
func (c *comparison) heading(i int) string { return inCell(quoted(c.columns[i].name())) }

// writeBlock writes the columns from begin to end. Texts longer than longest are broken.
func (c *comparison) writeBlock(w io.Writer, all []line, differing, begin, end, longest int) error {
	columns := []table.Column{{Left: true, Keep: 1}}
	heading := []string{""}
	for i := begin; i < end; i++ {
		columns = append(columns, table.Column{Left: true, Keep: 1})
		heading = append(heading, c.heading(i))
	}
	rows := brokenRows(heading, longest)
	for i, l := range all {
		if i == differing {
			rows = append(rows, make([]string, len(columns)))
		}
		cells := []string{l.name}
		for _, cell := range l.cells[begin:end] {
			cells = append(cells, inCell(cell.String()))
		}
		rows = append(rows, brokenRows(cells, longest)...)
	}
	return table.Write(w, 0, colorOn(w), columns, rows)
}

// brokenRows are the cells as one row, or as several if a text is longer than longest. The first cell is never broken.
func brokenRows(cells []string, longest int) (rows [][]string) {
	for i, cell := range cells {
		pieces := []string{cell}
		if i > 0 && longest > 0 {
			pieces = broken(cell, longest)
		}
		for at, piece := range pieces {
			if at == len(rows) {
				rows = append(rows, make([]string, len(cells)))
			}
			rows[at][i] = piece
		}
	}
	return rows
}

// broken breaks a text into pieces of at most the given width: after a space, a comma, a dash or a slash if there is one.
func broken(text string, width int) (pieces []string) {
	for utf8.RuneCountInString(text) > width {
		runes := []rune(text)
		at := width
		if last := strings.LastIndexAny(string(runes[:width]), " ,-/"); last > 0 {
			at = utf8.RuneCountInString(string(runes[:width])[:last+1])
		}
		pieces = append(pieces, strings.TrimRight(string(runes[:at]), " "))
		text = string(runes[at:])
	}
	return append(pieces, text)
}

// result is a measure of a column in JSON.
type result struct {
	Mean       float64  `json:"mean"`
	Deviation  *float64 `json:"std,omitempty"` // with n − 1; none for one run
	N          int      `json:"n"`
	Difference *float64 `json:"difference,omitempty"` // from the baseline
}

// writeJSON writes the comparison as one JSON object.
func (c *comparison) writeJSON(w io.Writer) error {
	type columnJSON struct {
		Runs     []string            `json:"runs"`
		Settings map[string][]string `json:"settings"` // that differ between the runs: the values of the column
		Results  map[string]result   `json:"results"`
	}
	object := struct {
		Columns  []columnJSON `json:"columns"` // the first is the baseline
		Warnings []string     `json:"warnings"`
	}{Warnings: append([]string{}, c.warnings...)}
	for i, col := range c.columns {
		j := columnJSON{Settings: map[string][]string{}, Results: map[string]result{}}
		for _, r := range col.runs {
			j.Runs = append(j.Runs, string(r.Dir))
		}
		for _, p := range c.settings {
			j.Settings[p.name] = col.texts(p.of)
		}
		for _, m := range measures {
			values := col.values(m)
			if len(values) == 0 {
				continue
			}
			mean, deviation := spread(values)
			r := result{Mean: mean, N: len(values)}
			if len(values) > 1 {
				r.Deviation = &deviation
			}
			if baseline := c.columns[0].values(m); i > 0 && len(baseline) > 0 {
				from, _ := spread(baseline)
				difference := mean - from
				r.Difference = &difference
			}
			j.Results[m.key] = r
		}
		object.Columns = append(object.Columns, j)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return encoder.Encode(object)
}

// writeCSV writes a line for each column of the comparison, below a heading. A value that is not known is empty.
func (c *comparison) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	heading := []string{"run", "runs"}
	for _, p := range c.settings {
		heading = append(heading, p.name)
	}
	for _, m := range measures {
		heading = append(heading, m.key)
		if c.grouped() {
			heading = append(heading, m.key+"_std")
		}
	}
	rows := [][]string{heading}
	number := func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }
	for _, col := range c.columns {
		row := []string{col.name(), fmt.Sprint(len(col.runs))}
		for _, p := range c.settings {
			row = append(row, strings.Join(col.texts(p.of), " "))
		}
		for _, m := range measures {
			mean, deviation := "", ""
			if values := col.values(m); len(values) > 0 {
				x, d := spread(values)
				mean = number(x)
				if len(values) > 1 {
					deviation = number(d)
				}
			}
			row = append(row, mean)
			if c.grouped() {
				row = append(row, deviation)
			}
		}
		rows = append(rows, row)
	}
	return out.WriteAll(rows)
}

// writeLaTeX writes the comparison as a table for LaTeX.
func (c *comparison) writeLaTeX(w io.Writer) error {
	var b strings.Builder
	row := func(cells []string) { fmt.Fprintf(&b, "  %s \\\\\n", strings.Join(cells, " & ")) }
	fmt.Fprintf(&b, "%% in the preamble: \\usepackage{booktabs}\n\\begin{tabular}{l%s}\n  \\toprule\n", strings.Repeat("l", len(c.columns)))
	heading := []string{""}
	for _, col := range c.columns {
		heading = append(heading, latex(col.name()))
	}
	row(heading)
	differing, results := c.lines()
	for _, part := range [][]line{differing, results} {
		if len(part) > 0 {
			b.WriteString("  \\midrule\n")
		}
		for _, l := range part {
			cells := []string{latex(l.name)}
			for _, cell := range l.cells {
				cells = append(cells, value{latex(cell.text), latex(cell.deviation), strings.ReplaceAll(latex(cell.change), ",", "{,}")}.join(" $\\pm$ ", "($", "$)"))
			}
			row(cells)
		}
	}
	b.WriteString("  \\bottomrule\n\\end{tabular}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// latexSpecial are the characters that mean something else in LaTeX.
var latexSpecial = strings.NewReplacer(
	`\`, `\textbackslash{}`, `{`, `\{`, `}`, `\}`, `&`, `\&`, `%`, `\%`, `$`, `\$`, `#`, `\#`, `_`, `\_`,
	`~`, `\textasciitilde{}`, `^`, `\textasciicircum{}`, `<`, `\textless{}`, `>`, `\textgreater{}`, `|`, `\textbar{}`, `"`, `\textquotedbl{}`)

// latex is a text as LaTeX shows it.
func latex(text string) string { return latexSpecial.Replace(inCell(text)) }
