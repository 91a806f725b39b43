package config

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"fmtrain/internal/bounds"
	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/schedule"
)

// auto is the word for a setting's default, or for the value that follows from other settings and the data.
const auto = "auto"

// kind is how one field of a Config is read and written.
type kind struct {
	noun    string          // the value's name in the help
	allowed string          // completes "expected ..."
	words   []string        // all values, if the choice is closed
	at      any             // a pointer to the field
	read    func(raw) error // sets the field, unless the value is refused
	get     func() any      // for YAML and JSON: a string, number, bool, list, or nil for auto
	inYAML  bool            // the text is YAML, which a file contains directly
}

// text is the value as one would type it.
func (k kind) text() string { return textOf(k.get()) }

func textOf(v any) string {
	switch v := v.(type) {
	case nil:
		return auto
	case []int:
		return strings.Trim(strings.Join(strings.Fields(fmt.Sprint(v)), ","), "[]")
	case []string:
		return strings.Join(v, ",")
	}
	return fmt.Sprint(v)
}

// raw is a value as its source has it: the text of a flag, or the node of a file or a checkpoint.
type raw struct {
	text string
	node *yaml.Node // nil at a flag
}

// found is the value for the words "found ...".
func (r raw) found() string {
	if r.node != nil {
		return describe(r.node)
	}
	return fmt.Sprintf("%.*q", maxText, r.text)
}

// isAuto says whether the value is the word auto.
func (r raw) isAuto() bool {
	text, ok := r.scalar(texts, false)
	return ok && strings.EqualFold(text, auto)
}

// scalar is the value's text, with commas between the entries of a list. It is false if the YAML type is none of these.
func (r raw) scalar(types []string, list bool) (string, bool) {
	if r.node == nil {
		return r.text, true
	}
	nodes := []*yaml.Node{r.node}
	if r.node.Kind == yaml.SequenceNode && list {
		nodes = r.node.Content
	}
	var all []string
	length := 0
	for _, n := range nodes {
		n = target(n)
		length += len(n.Value) // aliases may repeat a long text again and again
		if n.Kind != yaml.ScalarNode || !slices.Contains(types, n.ShortTag()) || length > maxFile {
			return "", false
		}
		all = append(all, n.Value)
	}
	return strings.Join(all, ","), true
}

// The YAML types that a value may have. A number in quotes is a text.
var (
	texts       = []string{"!!str"}
	wholes      = []string{"!!int"}
	numbers     = []string{"!!int", "!!float"}
	booleans    = []string{"!!bool"}
	textOrWhole = []string{"!!int", "!!str"}
)

// form is how the values of a kind are written.
type form[T any] struct {
	noun, allowed string
	words         []string
	types         []string
	list          bool                         // a file may have a list of such values
	nodes         bool                         // a file may have a list of anything, which parse reads as YAML
	parse         func(text string) (T, error) // errNotAllowed stands for the standard words
	get           func(T) any                  // nil: the value itself
}

// errNotAllowed is the error of parse for a value if the error only has to say what is allowed.
var errNotAllowed = errors.New("not allowed")

// of is the kind of this form at a field.
func (f form[T]) of(at *T) kind {
	k := kind{noun: f.noun, allowed: f.allowed, words: f.words, inYAML: f.nodes, at: at, get: func() any { return *at }}
	if f.get != nil {
		k.get = func() any { return f.get(*at) }
	}
	k.read = func(r raw) error {
		text, ok := r.scalar(f.types, f.list)
		if f.nodes && r.node != nil && r.node.Kind == yaml.SequenceNode {
			text, ok = asText(r.node), true
		}
		if !ok {
			return fmt.Errorf("expected %s, found %s", f.allowed, r.found())
		}
		v, err := f.parse(text)
		if errors.Is(err, errNotAllowed) {
			return fmt.Errorf("expected %s, found %s%s", f.allowed, r.found(), didYouMean(text, f.words))
		}
		if err == nil {
			*at = v
		}
		return err
	}
	return k
}

// orAuto makes a form of values that may be left out: nil stands for auto. The table reads the word auto.
func orAuto[T any](f form[T]) form[*T] {
	return form[*T]{
		noun: f.noun, allowed: "auto or " + f.allowed, types: f.types, list: f.list,
		parse: func(text string) (*T, error) {
			v, err := f.parse(text)
			return &v, err
		},
		get: func(p *T) any {
			if p == nil {
				return nil
			}
			return *p
		},
	}
}

func textual(noun string) form[string] {
	return form[string]{
		noun:    noun,
		allowed: "UTF-8 text (in a file, in quotes if YAML takes it for something else)",
		types:   texts,
		parse: func(s string) (string, error) {
			if !utf8.ValidString(s) {
				return "", errNotAllowed
			}
			return s, nil
		},
	}
}

func boolean() form[bool] {
	return form[bool]{
		noun:    "bool",
		allowed: "true or false",
		types:   booleans,
		parse: func(s string) (bool, error) {
			b, err := strconv.ParseBool(strings.ToLower(s))
			if err != nil {
				return false, errNotAllowed
			}
			return b, nil
		},
	}
}

// choice is one of some words, in any case.
func choice[T ~string](words []string) form[T] {
	return form[T]{
		noun:    "NAME",
		allowed: "one of " + strings.Join(words, ", "),
		words:   words,
		types:   texts,
		parse: func(s string) (T, error) {
			i := slices.IndexFunc(words, func(word string) bool { return strings.EqualFold(word, s) })
			if i < 0 {
				return "", errNotAllowed
			}
			return T(words[i]), nil
		},
		get: func(v T) any { return string(v) },
	}
}

// whole is a whole number from low to high.
func whole(low, high int) form[int] {
	allowed := bounds.Whole(low, high)
	if high < math.MaxInt {
		allowed.Text = fmt.Sprintf("a whole number from %d to %d", low, high) // bounds.Whole would write a large number as 1e9
	}
	return form[int]{
		noun:    "N",
		allowed: allowed.Text,
		types:   wholes,
		parse: func(s string) (int, error) {
			n, err := strconv.Atoi(s)
			if err == nil && n >= low && n <= high {
				return n, nil
			}
			if x, numErr := strconv.ParseFloat(s, 64); err != nil && numErr == nil && allowed.Has(x) {
				return 0, fmt.Errorf("expected %s, found %q; write %.0f", allowed.Text, s, x)
			}
			return 0, errNotAllowed
		},
	}
}

func seed() form[uint64] {
	return form[uint64]{
		noun:    "N",
		allowed: fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)),
		types:   wholes,
		parse: func(s string) (uint64, error) {
			n, err := strconv.ParseUint(s, 10, 64)
			if err != nil {
				return 0, errNotAllowed
			}
			return n, nil
		},
	}
}

// number is a number of a range.
func number(noun string, allowed bounds.Range) form[float64] {
	return form[float64]{
		noun:    noun,
		allowed: allowed.Text,
		types:   numbers,
		parse: func(s string) (float64, error) {
			x, err := strconv.ParseFloat(s, 64)
			if err != nil || !allowed.Has(x) {
				return 0, errNotAllowed
			}
			return x, nil
		},
	}
}

// every is a number of iterations or a duration.
func every() form[Every] {
	return form[Every]{
		noun:    "N|DURATION",
		allowed: "a whole number of iterations of at least 0, or a duration above 0 as in 90s or 5m",
		types:   textOrWhole,
		parse: func(s string) (Every, error) {
			if n, err := strconv.Atoi(s); err == nil && n >= 0 {
				return Every{Iterations: n}, nil
			}
			period, err := time.ParseDuration(s)
			if err != nil || period <= 0 {
				return Every{}, errNotAllowed
			}
			return Every{Time: period}, nil
		},
		get: func(e Every) any { return e.String() },
	}
}

// String is the number or the duration as one types it: 100, 60s, 5m, 1h.
func (e Every) String() string {
	switch t := e.Time; {
	case t == 0:
		return strconv.Itoa(e.Iterations)
	case t%time.Hour == 0:
		return fmt.Sprintf("%dh", t/time.Hour)
	case t%time.Minute == 0 && t > time.Minute:
		return fmt.Sprintf("%dm", t/time.Minute)
	case t%time.Second == 0:
		return fmt.Sprintf("%ds", t/time.Second)
	}
	return e.Time.String()
}

// schedules is a schedule of the learning rate. It is written with all its options, so that a run's settings show them.
func schedules() form[schedule.Schedule] {
	allowed := "a schedule of " + strings.Join(schedule.Names(), ", ") + ", with options as in step:epochs=10,factor=0.1"
	return form[schedule.Schedule]{
		noun:    "SCHEDULE",
		allowed: allowed,
		words:   schedule.Names(),
		types:   texts,
		parse: func(s string) (schedule.Schedule, error) {
			name, _, _ := strings.Cut(strings.ToLower(s), ":")
			if !slices.Contains(schedule.Names(), name) {
				return nil, fmt.Errorf("expected %s; found %.*q%s", allowed, maxText, s, didYouMean(name, schedule.Names()))
			}
			return schedule.Parse(strings.ToLower(s))
		},
		get: func(s schedule.Schedule) any { return schedule.Text(s) },
	}
}

// augmentations is a list of changes of the training images.
func augmentations() form[dataset.Augmentation] {
	return form[dataset.Augmentation]{
		noun:    "LIST",
		allowed: dataset.AugmentationAllowed,
		words:   dataset.AugmentationWords(),
		types:   texts,
		list:    true,
		parse: func(s string) (dataset.Augmentation, error) {
			a, err := dataset.ParseAugmentation(s)
			if refused, ok := errors.AsType[*dataset.AugmentationError](err); ok {
				err = fmt.Errorf("%w%s", err, meantAugmentation(refused.Entry))
			}
			return a, err
		},
		get: func(a dataset.Augmentation) any { return a.String() },
	}
}

// meantAugmentation is the end of an error about an entry of such a list. It suggests another word, if one is near.
func meantAugmentation(entry string) string {
	word, _, _ := strings.Cut(entry, ":")
	var candidates []string
	for _, example := range dataset.AugmentationWords() {
		candidate, _, _ := strings.Cut(example, ":")
		if candidate == word {
			return "" // its number is wrong
		}
		candidates = append(candidates, candidate)
	}
	return didYouMean(word, candidates)
}

// widths is a list of the widths of layers.
func widths(of string) form[[]int] {
	width := whole(1, maxSize)
	return form[[]int]{
		noun:    "N,N,...",
		allowed: "at least one " + of + ", each width " + width.allowed,
		types:   wholes,
		list:    true,
		parse: func(s string) (all []int, err error) {
			for _, part := range splitList(s) {
				n, err := width.parse(part)
				if err != nil {
					return nil, errNotAllowed
				}
				all = append(all, n)
			}
			return all, nil
		},
	}
}

// channels is the widths of convolutions, or an empty text for none.
func channels() form[[]int] {
	f := widths("convolution")
	some := f.parse
	f.parse = func(s string) ([]int, error) {
		if s == "" {
			return nil, nil
		}
		return some(s)
	}
	f.get = func(all []int) any {
		return append([]int{}, all...) // a list even if there are none
	}
	return f
}

// metrics is a list of names of metrics.
func metrics() form[[]string] {
	return form[[]string]{
		noun:    "NAME,NAME,...",
		allowed: metric.Allowed(dataset.ClassNames[:]),
		words:   metric.Names(dataset.ClassNames[:]),
		types:   texts,
		list:    true,
		parse: func(s string) ([]string, error) {
			if s == "" {
				return nil, errNotAllowed
			}
			set, err := Metrics(s)
			return set.Names(), err
		},
	}
}

// Metrics makes the metrics that a list names, as in top3,precision:bag. An error suggests the name that was probably meant.
func Metrics(list string) (*metric.Set, error) {
	names, classes := splitList(list), dataset.ClassNames[:]
	for i, name := range names {
		names[i] = strings.ToLower(name)
		if _, err := metric.NewSet(names[i:i+1], classes); err != nil {
			return nil, fmt.Errorf("expected %s, found %.*q%s", metric.Allowed(classes), maxText, name, didYouMean(name, metric.Names(classes)))
		}
	}
	return metric.NewSet(names, classes)
}

// splitList is the entries of a list, without the spaces around them.
func splitList(text string) (entries []string) {
	for entry := range strings.SplitSeq(text, ",") {
		entries = append(entries, strings.TrimSpace(entry))
	}
	return entries
}
