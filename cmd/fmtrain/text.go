package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"

	"fmtrain/internal/progress"
	"fmtrain/internal/table"
)

// widthOf is the width for texts on w: one column less than the terminal's, or 0, no limit, if w is not a terminal.
func widthOf(w io.Writer) int {
	if !progress.IsTerminal(w) {
		return 0
	}
	return max(1, progress.Width(w)()-1)
}

// colorOn says whether texts on w have colours.
func colorOn(w io.Writer) bool { return progress.ColorEnabled(progress.IsTerminal(w), os.Getenv) }

// writeTable writes a table to a person.
func writeTable(w io.Writer, columns []table.Column, rows [][]string) error {
	return table.Write(w, widthOf(w), colorOn(w), columns, rows)
}

// say writes lines to a person. On a terminal they are broken between words.
func say(w io.Writer, format string, args ...any) {
	fmt.Fprint(w, table.Wrap(fmt.Sprintf(format, args...), widthOf(w), "  "))
}

// warn writes a warning.
func warn(w io.Writer, format string, args ...any) {
	say(w, "warning: %s\n", printable(fmt.Sprintf(format, args...)))
}

// sayCommand writes the purpose of a command and, on the next line so that it can be copied, the command.
func sayCommand(w io.Writer, purpose, command string) {
	fmt.Fprintf(w, "%s:\n  %s %s\n", purpose, program(), command)
}

// printable is a text without control sequences for a terminal, which a path or a file may contain.
func printable(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || !unicode.IsControl(r) {
			b.WriteRune(r)
			continue
		}
		b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
	}
	return b.String()
}

// inCell is a text in a table: without control sequences, and on one line.
func inCell(text string) string { return strings.ReplaceAll(printable(text), "\n", `\n`) }

// duration is a time span: 12.3 s, 5:32 or 1:02:03.
func duration(seconds float64) string {
	if seconds < 99.95 {
		return strconv.FormatFloat(seconds, 'f', 1, 64) + " s"
	}
	whole := int64(seconds + 0.5)
	if whole < 3600 {
		return fmt.Sprintf("%d:%02d", whole/60, whole%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", whole/3600, whole/60%60, whole%60)
}

// advised is an error with the command to type next.
type advised struct {
	error
	purpose, command string
}

func (a *advised) Unwrap() error { return a.error }

// sayError writes an error, and the command that it advises.
func sayError(w io.Writer, err error) {
	say(w, "fmtrain: %s\n", printable(err.Error()))
	var a *advised
	if errors.As(err, &a) {
		sayCommand(w, a.purpose, a.command)
	}
}
