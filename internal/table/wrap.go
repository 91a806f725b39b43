package table

import "strings"

// Wrap breaks the lines of a text between words, so that none is wider than the given width. A word that is wider has a line
// of its own. A line that goes on from a broken one begins with the indent. With a width of 0 nothing is broken.
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

// breakAt is the last space at which a line can be broken to fit the width, else the first at all, else -1. The spaces that the line
// begins with are none.
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
