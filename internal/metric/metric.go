// Package metric has the metrics of a classifier besides its loss, over samples that come in batches.
//
// # A function or a type?
//
// A mean over the samples is a function from one sample's logits and label to a value: [Accuracy], [Top3]. [Mean] divides the
// sum once, at the end, so the result does not depend on how the samples are split into batches.
//
// Precision is no such mean. For a batch it is hits/found, and the mean of two fractions with different denominators is not the
// fraction of the sums. A batch in which the class was never found has no precision at all. So such a metric is a type: it keeps
// counts such as hits and found, each batch updates them, and the result comes at the end. [Precision], [Recall], [MacroF1],
// [ECE] and [AUC] are types. The loss of a training step must be a mean over its batch; a metric need not.
//
// A new metric is a file beside this one and a line of the registry.
package metric

import (
	"fmt"
	"slices"
	"strings"
)

// Metric is a measure over many batches.
type Metric interface {
	// Update adds the samples of a batch. It keeps none of the batch's memory.
	Update(*Batch)
	// Result is the value over all samples since the last Reset.
	Result() float64
	// Reset forgets the samples.
	Reset()
}

// Func is a value of one sample. Its mean over the samples is a [Metric].
type Func func(logits []float32, label int) float64

// named is a metric and its name, as in "precision:Ankle boot".
type named struct {
	name string
	Metric
}

// ofClass ends the names of the metrics of one class. A class's name replaces CLASS.
const ofClass = ":CLASS"

// registry is the metrics, in the order in which they are listed. Those whose name ends with [ofClass] are made for a class.
var registry = []struct {
	name, about string
	make        func(classes, class int) Metric
}{
	{"accuracy", "fraction of samples whose label has the largest logit", func(int, int) Metric { return &Mean{Of: Accuracy} }},
	{"top3", "fraction of samples whose label is among the three largest logits", func(int, int) Metric { return &Mean{Of: Top3} }},
	{"macro-f1", "F1 of each class, averaged over the classes", func(int, int) Metric { return &MacroF1{} }},
	{"precision" + ofClass, "fraction of the samples predicted as CLASS that belong to it",
		func(_, class int) Metric { return &Precision{Class: class} }},
	{"recall" + ofClass, "fraction of CLASS's samples that are predicted as it",
		func(_, class int) Metric { return &Recall{Class: class} }},
	{"ece", "expected calibration error over 15 bins; 0 is best", func(int, int) Metric { return &ECE{} }},
	{"auc", "area under the ROC curve, each class against the others, averaged",
		func(classes, _ int) Metric { return &AUC{Classes: classes} }},
}

// Kind is a metric as the help shows it.
type Kind struct {
	Name  string // CLASS stands for a class's name
	About string // one phrase
}

// Kinds are the metrics, for the help.
func Kinds() (kinds []Kind) {
	for _, r := range registry {
		kinds = append(kinds, Kind{r.name, r.about})
	}
	return kinds
}

// KindNames are the names of the kinds of metrics.
func KindNames() (names []string) {
	for _, r := range registry {
		names = append(names, r.name)
	}
	return names
}

// newMetric makes the metric with that name. classNames are the names of the classes by label. Capitals don't matter, and a
// hyphen or an underscore may stand for a space: precision:ankle-boot.
func newMetric(name string, classNames []string) (named, error) {
	for _, r := range registry {
		kind, perClass := strings.CutSuffix(r.name, ofClass)
		if !perClass && name == r.name {
			return named{name, r.make(len(classNames), -1)}, nil
		}
		class, ok := strings.CutPrefix(name, kind+":")
		if !perClass || !ok {
			continue
		}
		for label, className := range classNames {
			if plain(class) == plain(className) {
				return named{kind + ":" + className, r.make(len(classNames), label)}, nil
			}
		}
	}
	return named{}, fmt.Errorf("expected %s, found %q", Allowed(classNames), name)
}

// plain is a class's name in lower case, with spaces for hyphens and underscores.
func plain(class string) string {
	return strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(class))
}

// Allowed lists the names of metrics. It completes "expected ...".
func Allowed(classNames []string) string {
	return fmt.Sprintf("metrics out of %s, each once, where CLASS is one of %s", strings.Join(KindNames(), ", "), strings.Join(classNames, ", "))
}

// Names are the names of all metrics, with one for each class where a metric has one.
func Names(classNames []string) (names []string) {
	for _, r := range registry {
		kind, perClass := strings.CutSuffix(r.name, ofClass)
		if !perClass {
			names = append(names, r.name)
			continue
		}
		for _, class := range classNames {
			names = append(names, kind+":"+class)
		}
	}
	return names
}

// Set is some metrics, measured over the same batches. A nil Set is none.
type Set struct {
	metrics []named
	batch   Batch
	values  Values
}

// NewSet makes the metrics with these names; it is nil if there are no names. An unknown or repeated name is an error.
func NewSet(names, classNames []string) (*Set, error) {
	if len(names) == 0 {
		return nil, nil
	}
	s := &Set{batch: Batch{Classes: len(classNames)}}
	for _, name := range names {
		m, err := newMetric(name, classNames)
		if err != nil {
			return nil, err
		}
		if slices.Contains(s.Names(), m.name) {
			return nil, fmt.Errorf("expected each metric once, found %s again", m.name)
		}
		s.metrics = append(s.metrics, m)
	}
	return s, nil
}

// Names are the names of the metrics, with the classes as they are spelt in classNames.
func (s *Set) Names() (names []string) {
	if s == nil {
		return nil
	}
	for _, m := range s.metrics {
		names = append(names, m.name)
	}
	return names
}

// PerSample is the set of the metrics that are means of a [Func]. They are cheap enough for every training step. It is nil if
// there are none.
func (s *Set) PerSample() *Set {
	if s == nil {
		return nil
	}
	part := &Set{batch: Batch{Classes: s.batch.Classes}}
	for _, m := range s.metrics {
		if _, ok := m.Metric.(*Mean); ok {
			part.metrics = append(part.metrics, m)
		}
	}
	if len(part.metrics) == 0 {
		return nil
	}
	return part
}

// Update adds the samples of a batch: logits [batch, classes], labels and predictions [batch]. Once it has seen a batch as large,
// it allocates nothing, except for metrics that keep every sample.
func (s *Set) Update(logits []float32, labels, predictions []int32) {
	if s == nil {
		return
	}
	s.batch.set(logits, labels, predictions)
	for _, m := range s.metrics {
		m.Update(&s.batch)
	}
}

// Reset forgets the samples of all metrics.
func (s *Set) Reset() {
	if s == nil {
		return
	}
	for _, m := range s.metrics {
		m.Reset()
	}
}

// AppendSums appends the sums of the metrics, all of the kind that [Set.PerSample] keeps, for [Set.Restore] later.
func (s *Set) AppendSums(sums []float64) []float64 {
	if s == nil {
		return sums
	}
	for _, m := range s.metrics {
		sums = append(sums, m.Metric.(*Mean).sum)
	}
	return sums
}

// Restore makes the set continue from the sums of [Set.AppendSums] and their number of samples. With no sums, or with those of
// another number of metrics, it is a Reset.
func (s *Set) Restore(sums []float64, samples int) {
	s.Reset()
	if s == nil || len(sums) != len(s.metrics) {
		return
	}
	for i, m := range s.metrics {
		mean := m.Metric.(*Mean)
		mean.sum, mean.count = sums[i], samples
	}
}

// Values are the results in the order of [Set.Names]; nil if there are none. They are valid until the next call.
func (s *Set) Values() Values {
	if s == nil {
		return nil
	}
	s.values = s.values[:0]
	for _, m := range s.metrics {
		s.values = append(s.values, Value{m.name, m.Result()})
	}
	return s.values
}
