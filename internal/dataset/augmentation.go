package dataset

import (
	"fmt"
	"strconv"
	"strings"
)

// Augmentation says how training images are changed at random. The zero value changes nothing.
type Augmentation struct {
	Flip   Flip
	Shift  int  // largest shift in each direction, in pixels; 0 for none
	Cutout int  // width and height of the square that is set to 0; 0 for none
	Erase  bool // whether a rectangle becomes noise
}

// Flip says which images are mirrored left-right.
type Flip uint8

// The kinds of Flip.
const (
	NoFlip          Flip = iota
	RandomFlip           // each image with a probability of one half, in each epoch
	AlternatingFlip      // a random half of the images in the first epoch, the other half in the second, and so on
)

// The words of an augmentation, in the order in which they are written.
const (
	flipWord    = "flip"
	altFlipWord = "altflip"
	shiftWord   = "shift"
	cutoutWord  = "cutout"
	eraseWord   = "erase"
	noneWord    = "none"
)

// The largest numbers. A shift by 28 pixels would leave nothing of an image.
const (
	maxShift  = Cols - 1
	maxCutout = Cols
)

// AugmentationAllowed completes "expected ...".
var AugmentationAllowed = fmt.Sprintf("none, or a list of %s or %s, %s:N (N from 1 to %d), %s:N (N from 1 to %d) and %s, each once",
	flipWord, altFlipWord, shiftWord, maxShift, cutoutWord, maxCutout, eraseWord)

// AugmentationWords are entries of a list, with a number where they have one.
func AugmentationWords() []string {
	return []string{noneWord, flipWord, altFlipWord, shiftWord + ":1", cutoutWord + ":8", eraseWord}
}

// AugmentationError is an entry that [ParseAugmentation] refuses.
type AugmentationError struct{ Entry, Problem string }

func (e *AugmentationError) Error() string {
	if e.Problem != "" {
		return e.Problem
	}
	return fmt.Sprintf("expected %s, found %.100q", AugmentationAllowed, e.Entry)
}

// ParseAugmentation reads a list such as flip,shift:2. The order of the entries does not matter. A bad list is an [*AugmentationError].
func ParseAugmentation(text string) (a Augmentation, err error) {
	if strings.TrimSpace(text) == noneWord {
		return a, nil
	}
	seen := map[string]string{} // the entry of a kind; flip and altflip are one kind
	for entry := range strings.SplitSeq(text, ",") {
		entry = strings.ToLower(strings.TrimSpace(entry))
		word, number, numbered := strings.Cut(entry, ":")
		kind, fine := word, false
		switch word {
		case flipWord:
			a.Flip, fine = RandomFlip, !numbered
		case altFlipWord:
			a.Flip, fine, kind = AlternatingFlip, !numbered, flipWord
		case shiftWord:
			a.Shift, fine = upTo(number, maxShift)
		case cutoutWord:
			a.Cutout, fine = upTo(number, maxCutout)
		case eraseWord:
			a.Erase, fine = true, !numbered
		}
		if !fine {
			return Augmentation{}, &AugmentationError{Entry: entry}
		}
		if first, twice := seen[kind]; twice {
			problem := fmt.Sprintf("expected %s once, found %s and %s", word, first, entry)
			if kind != word && first == flipWord || kind == word && first == altFlipWord {
				problem = fmt.Sprintf("expected %s or %s, found both", flipWord, altFlipWord)
			}
			return Augmentation{}, &AugmentationError{entry, problem}
		}
		seen[kind] = entry
	}
	return a, nil
}

// upTo reads a whole number from 1 to most.
func upTo(text string, most int) (n int, ok bool) {
	n, err := strconv.Atoi(text)
	return n, err == nil && n >= 1 && n <= most
}

// String is the list that [ParseAugmentation] reads back.
func (a Augmentation) String() string {
	var entries []string
	switch a.Flip {
	case RandomFlip:
		entries = append(entries, flipWord)
	case AlternatingFlip:
		entries = append(entries, altFlipWord)
	}
	if a.Shift > 0 {
		entries = append(entries, fmt.Sprintf("%s:%d", shiftWord, a.Shift))
	}
	if a.Cutout > 0 {
		entries = append(entries, fmt.Sprintf("%s:%d", cutoutWord, a.Cutout))
	}
	if a.Erase {
		entries = append(entries, eraseWord)
	}
	if entries == nil {
		return noneWord
	}
	return strings.Join(entries, ",")
}
