package config

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// otherNames are words of other tools for settings and values of this one.
var otherNames = map[string]string{
	"optimizer": "solver", "optim": "solver", "optimiser": "solver",
	"learningrate": "lr", "learnrate": "lr", "rate": "lr", "scheduler": "schedule", "lrscheduler": "schedule", "lrschedule": "schedule",
	"wd": "weight-decay", "batch": "batch-size", "bs": "batch-size", "minibatch": "batch-size", "numepochs": "epochs",
	"hiddensize": "hidden", "units": "hidden", "dropoutrate": "dropout", "network": "model", "arch": "model",
	"validationsplit": "validation", "earlystopping": "patience", "outputdir": "out", "output": "out", "dir": "out",
	"workers": "threads", "cpus": "threads", "randomseed": "seed", "criterion": "loss", "gradclip": "clip-norm",
	"maxgradnorm": "clip-norm", "clipgradnorm": "clip-norm", "gradientclipping": "clip-norm", "dataset": "data", "datadir": "data",
	"from": "init", "load": "init", "checkpoint": "init", "verbose": "progress", "norm": "layernorm-form", "smoothing": "label-smoothing",
	"continue":         "resume",
	"crossentropyloss": "cross-entropy", "ce": "cross-entropy", "nll": "cross-entropy", "squarederror": "mse", "onecycle": "1cycle",
}

// plain is a word without capitals and without what separates its parts.
func plain(word string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsLetter(c) || unicode.IsDigit(c) {
			return unicode.ToLower(c)
		}
		return -1
	}, word)
}

// Suggest is the candidate that was probably meant by a word: the same but for capitals and hyphens, another tool's word for it,
// or the one with the fewest edits, at most a third of the word's letters or one. It is empty if none is near.
func Suggest(word string, candidates []string) string {
	if i := slices.IndexFunc(candidates, func(c string) bool { return plain(c) == plain(word) }); i >= 0 {
		return candidates[i]
	}
	if other := otherNames[plain(word)]; slices.Contains(candidates, other) {
		return other
	}
	best, least := "", max(1, len(word)/3)+1
	for _, c := range candidates {
		if d := edits(word, c); d < least {
			best, least = c, d
		}
	}
	return best
}

// didYouMean is the end of an error that suggests a candidate; empty if none is near.
func didYouMean(word string, candidates []string) string {
	if near := Suggest(word, candidates); near != "" && len(word) <= maxText {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
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
