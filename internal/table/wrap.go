package table

import "strings"

// Wrap wraps the lines of a text between words, so that none is wider than the given width. A wider word has its own line. A
// continuation line begins with the indent. With a width of 0 nothing is wrapped.
func Wrap(text string, width int, indent string) string {
	if width <= 0 {
		return text
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		for length(line) > width {
			at := breakAt(line, width)
			if at < 0 {
				break
			}
			lines = append(lines, strings.TrimRight(line[:at], " "))
			line = indent + strings.TrimLeft(line[at:], " ")
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// breakAt is the last space at which a line can be wrapped to fit the width, else the first space, else -1. Leading spaces don't
// count.
func breakAt(line string, width int) int {
	begin := len(line) - len(strings.TrimLeft(line, " "))
	last, seen := -1, 0
	for i, c := range line {
		if c == ' ' && i > begin {
			if seen > width && last >= 0 {
				break
			}
			last = i
			if seen > width {
				break
			}
		}
		seen++
	}
	return last
}
