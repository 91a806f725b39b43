package config

import "errors"

// ErrInvalid matches every error that the user puts right by changing a setting, a file or a flag: a mistake of usage.
var ErrInvalid = errors.New("invalid settings")

// problem is one reason to refuse the settings.
type problem struct {
	where string // the setting with its source: "FILE:LINE: KEY", "--FLAG"
	what  string // what was expected, what was found
}

func (p *problem) Error() string { return p.where + ": " + p.what }

// Is makes a problem match [ErrInvalid].
func (p *problem) Is(target error) bool { return target == ErrInvalid }

// nearest is the candidate with the fewest edits from word, and whether it is near enough to be what was meant: at most a
// third of the word's letters, or one.
func nearest(word string, candidates []string) (string, bool) {
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best, best != ""
}

// edits is the Levenshtein distance: how many bytes must be inserted, deleted or replaced to turn a into b.
func edits(a, b string) int {
	row := make([]int, len(b)+1) // row[j]: from the part of a seen so far to b[:j]
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
