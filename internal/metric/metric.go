// Package metric holds what a classifier can be measured by besides its loss, over samples that come in batches.
//
// # A function or a type?
//
// A metric that is the mean of a value of each sample is a function, from the logits and the label to that value: [Accuracy],
// [Top3]. The mean is taken of the sums ([Mean]), and however the samples fall into batches it is the same.
//
// Precision is no such mean. Of a batch it is hits/found, and the mean of two fractions with different denominators is not the
// fraction of the sums; a batch in which the class was never found has no precision at all. So a metric of this kind is a type
// that keeps what its value depends on, such as the hits and the found, is updated by each batch, and has a result at the end:
// [Precision], [Recall], [MacroF1], [ECE], [AUC]. The loss of a training step must be a mean over its batch; a metric need not.
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
	// Update takes the samples of a batch in. It keeps nothing of the batch's memory.
	Update(*Batch)
	// Result is the value over all samples since the last Reset.
	Result() float64
	// Reset forgets the samples.
	Reset()
}

// Func is a metric of one sample: its mean over the samples is a [Metric].
type Func func(logits []float32, label int) float64

// Named is a metric and its name, as in "precision:Ankle boot".
type Named struct {
	Name string
	Metric
}

// ofClass ends the names of the metrics of one class, which takes its place.
const ofClass = ":CLASS"

// registry is the metrics, in the order in which they are listed. Those whose name ends with [ofClass] are made for a class.
var registry = []struct {
	name string
	make func(classes, class int) Metric
}{
	{"accuracy", func(int, int) Metric { return &Mean{Of: Accuracy} }},
	{"top3", func(int, int) Metric { return &Mean{Of: Top3} }},
	{"macro-f1", func(int, int) Metric { return &MacroF1{} }},
	{"precision" + ofClass, func(_, class int) Metric { return &Precision{Class: class} }},
	{"recall" + ofClass, func(_, class int) Metric { return &Recall{Class: class} }},
	{"ece", func(int, int) Metric { return &ECE{} }},
	{"auc", func(classes, _ int) Metric { return &AUC{Classes: classes} }},
}

// New makes the metric of that name. A class is named as in classNames, which are the names by label; capitals don't matter,
// and a hyphen or an underscore will do for a space: precision:ankle-boot.
func New(name string, classNames []string) (Named, error) {
	for _, r := range registry {
		kind, perClass := strings.CutSuffix(r.name, ofClass)
		if !perClass && name == r.name {
			return Named{name, r.make(len(classNames), -1)}, nil
		}
		class, ok := strings.CutPrefix(name, kind+":")
		if !perClass || !ok {
			continue
		}
		for label, className := range classNames {
			if plain(class) == plain(className) {
				return Named{kind + ":" + className, r.make(len(classNames), label)}, nil
			}
		}
	}
	return Named{}, fmt.Errorf("expected %s, found %q", Allowed(classNames), name)
}

// plain is a class's name without what need not be typed as it is.
func plain(class string) string {
	return strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(class))
}

// Kinds are the names of the metrics, with CLASS in the place of a class's name.
func Kinds() (names []string) {
	for _, r := range registry {
		names = append(names, r.name)
	}
	return names
}

// Allowed says what the names of metrics are; it completes "expected ...".
func Allowed(classNames []string) string {
	return fmt.Sprintf("metrics out of %s, each once, where CLASS is one of %s", strings.Join(Kinds(), ", "), strings.Join(classNames, ", "))
}

// Names are the names of all metrics, those of each class included.
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
	metrics []Named
	batch   Batch
	values  Values
}

// NewSet makes the metrics of these names, nil if there are no names. A name that [New] refuses, or that is there twice, is an
// error.
func NewSet(names, classNames []string) (*Set, error) {
	if len(names) == 0 {
		return nil, nil
	}
	s := &Set{batch: Batch{Classes: len(classNames)}}
	for _, name := range names {
		m, err := New(name, classNames)
		if err != nil {
			return nil, err
		}
		if slices.Contains(s.Names(), m.Name) {
			return nil, fmt.Errorf("expected each metric once, found %s again", m.Name)
		}
		s.metrics = append(s.metrics, m)
	}
	return s, nil
}

// Names are the names of the metrics, those of classes in the form that the classes have.
func (s *Set) Names() (names []string) {
	if s == nil {
		return nil
	}
	for _, m := range s.metrics {
		names = append(names, m.Name)
	}
	return names
}

// PerSample are the metrics of the set that are means of a [Func]: cheap enough for every step of a training. It is nil if none
// are.
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

// Update takes in the samples of a batch: logits [batch, classes], labels and predictions [batch]. It allocates nothing once it
// has seen as large a batch, but for metrics that keep every sample.
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

// Values are the results of the metrics, in the order of their names, nil if there are none. They are valid until the next call.
func (s *Set) Values() Values {
	if s == nil {
		return nil
	}
	s.values = s.values[:0]
	for _, m := range s.metrics {
		s.values = append(s.values, Value{m.Name, m.Result()})
	}
	return s.values
}
