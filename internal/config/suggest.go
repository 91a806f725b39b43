package config

import (
	"fmt"
	"maps"
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
	"workers": "threads", "numworkers": "threads", "cpus": "threads", "randomseed": "seed", "criterion": "loss", "gradclip": "clip-norm",
	"maxgradnorm": "clip-norm", "clipgradnorm": "clip-norm", "gradientclipping": "clip-norm", "dataset": "data", "datadir": "data",
	"from": "init", "load": "init", "checkpoint": "init", "verbose": "progress", "norm": "layernorm-form", "smoothing": "label-smoothing",
	"continue": "resume", "clip": "clip-norm", "savedir": "out", "modeldir": "out", "logdir": "out", "loginterval": "log-every",
	"quiet": "progress", "silent": "progress", "noprogress": "progress", "maxepochs": "epochs", "nepochs": "epochs",
	"crossentropyloss": "cross-entropy", "ce": "cross-entropy", "nll": "cross-entropy", "nllloss": "cross-entropy", "softmax": "cross-entropy",
	"categoricalcrossentropy": "cross-entropy", "sparsecategoricalcrossentropy": "cross-entropy",
	"squarederror": "mse", "meansquarederror": "mse", "mseloss": "mse", "l2": "mse", "huberloss": "huber", "smoothl1": "huber", "focalloss": "focal",
	"onecycle": "1cycle", "onecyclelr": "1cycle", "cosineannealing": "cosine", "cosineannealinglr": "cosine", "cosinedecay": "cosine",
	"steplr": "step", "exponentiallr": "exponential", "reducelronplateau": "plateau", "none": "constant",
	"resnet": "resmlp", "dnn": "mlp", "convnet": "cnn", "lenet": "cnn", "filters": "channels", "f1": "macro-f1", "f1score": "macro-f1", "macrof1score": "macro-f1", "rocauc": "auc", "calibration": "ece",
	"val": "validation", "valid": "validation", "dev": "validation", "training": "train", "testing": "test",
	"sgdm": "momentum", "nag": "nesterov",
	"augmentation": "augment", "augmentations": "augment", "transforms": "augment", "mirror": "flip", "hflip": "flip", "horizontalflip": "flip",
	"randomhorizontalflip": "flip", "translate": "shift", "randomcrop": "shift", "randomerasing": "erase", "alternatingflip": "altflip",
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

// Suggest is the candidate that was probably meant by a word: the same except for capitals and hyphens, another tool's word for it,
// or the one with the fewest edits, at most a third of the word's letters or one. Then come the misspelt words of other tools. It is
// empty if none is near.
func Suggest(word string, candidates []string) string {
	if i := slices.IndexFunc(candidates, func(c string) bool { return plain(c) == plain(word) }); i >= 0 {
		return candidates[i]
	}
	if other := otherNames[plain(word)]; slices.Contains(candidates, other) {
		return other
	}
	if len(word) > maxText {
		return ""
	}
	// In precision:shoe only shoe can be misspelt, once the rest is right.
	word = strings.ToLower(word)
	right := strings.IndexByte(word, ':') + 1
	if !slices.ContainsFunc(candidates, func(c string) bool { return strings.HasPrefix(c, word[:right]) }) {
		right = 0
	}
	best, least := "", max(1, len(word[right:])/3)+1
	for _, c := range candidates {
		if d := edits(word, strings.ToLower(c)); d < least && strings.HasPrefix(c, word[:right]) {
			best, least = c, d
		}
	}
	if best != "" {
		return best
	}
	// Another tool's word may be misspelt, too. A short one is too near to too many.
	const short, maxEdits = 6, 2
	word = plain(word)
	least = maxEdits + 1
	for _, name := range slices.Sorted(maps.Keys(otherNames)) {
		if len(name) <= short || len(word) < len(name)-maxEdits || len(word) > len(name)+maxEdits || !slices.Contains(candidates, otherNames[name]) {
			continue
		}
		if d := edits(word, name); d < least {
			best, least = otherNames[name], d
		}
	}
	return best
}

// didYouMean is the end of an error that suggests a candidate; empty if none is near.
func didYouMean(word string, candidates []string) string {
	if near := Suggest(word, candidates); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ""
}

// edits is how many bytes must be inserted, deleted, replaced or swapped with the next to turn a into b (the optimal string
// alignment distance).
func edits(a, b string) int {
	rows := make([][]int, len(a)+1) // rows[i][j]: from a[:i] to b[:j]
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range len(b) {
		rows[0][j+1] = j + 1
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replaced := rows[i-1][j-1]
			if a[i-1] != b[j-1] {
				replaced++
			}
			rows[i][j] = min(replaced, rows[i-1][j]+1, rows[i][j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
