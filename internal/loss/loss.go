// Package loss holds the losses that a classifier can be trained by. Each is that of one sample: from a row of logits and a
// label to the loss and its gradient by the logits. The batch, its mean and the graph are no business of a loss; the op of
// internal/layer runs any of them over the rows.
//
// # A function or a type?
//
// A loss without settings is a function: [SquaredError], [Hinge]. It keeps nothing, so there is nothing to make, to save or to
// restore; its name says all about it. A loss with settings is a type: [CrossEntropy], [Focal], [Huber]. A closure over γ would
// train as well, but nobody could ask it for its γ: a checkpoint could not store it, and what is restored by name alone would
// be another loss. So a type tells its [Setting]s, and [Named] writes and reads them. [Func] lets a function stand where a type
// is expected, as http.HandlerFunc does for a handler.
//
// A new loss is a file beside this one and a line of the registry.
package loss

import (
	"fmt"
	"strings"

	"fmtrain/internal/bounds"
)

// Loss is the loss of one sample.
type Loss interface {
	// Row is the loss of the logits of a sample whose class is label, and sets dlogits to its gradient by them. The sums are
	// taken in float64. work is working memory; it and dlogits are as long as the logits, of which label is an index. Row
	// allocates nothing, and rows that have memory of their own may be computed at the same time.
	Row(dlogits []float32, work []float64, logits []float32, label int) float64

	// Settings are what the loss is configured by, to be read or, before its first row, to be set. A function has none.
	Settings() []Setting
}

// Func is a loss without settings.
type Func func(dlogits []float32, work []float64, logits []float32, label int) float64

// Row calls the function.
func (f Func) Row(dlogits []float32, work []float64, logits []float32, label int) float64 {
	return f(dlogits, work, logits, label)
}

// Settings are none.
func (f Func) Settings() []Setting { return nil }

// Setting is a number that a loss is configured by.
type Setting struct {
	Name    string   // unlike that of any other loss, as it is the name of a flag too: focal-gamma
	Value   *float64 // in the loss
	Allowed bounds.Range
}

// registry is the losses, in the order in which they are listed, each with its default settings.
var registry = []struct {
	name, about string
	make        func() Loss
}{
	{"cross-entropy", "softmax cross-entropy, with optional label smoothing", func() Loss { return &CrossEntropy{} }},
	{"focal", "cross-entropy that counts hard samples more; gamma says how much", func() Loss { return &Focal{Gamma: 2} }},
	{"huber", "squared error near the one-hot target, absolute error beyond delta", func() Loss { return &Huber{Delta: 1} }},
	{"mse", "mean squared error between the logits and the one-hot target", func() Loss { return Func(SquaredError) }},
	{"hinge", "what each other logit lacks of a margin of 1 below the label's", func() Loss { return Func(Hinge) }},
}

// Kind is a loss as the help shows it.
type Kind struct {
	Name  string
	About string    // one phrase
	Has   []Setting // at their defaults
}

// Kinds are the losses, for the help.
func Kinds() (kinds []Kind) {
	for _, r := range registry {
		kinds = append(kinds, Kind{r.name, r.about, r.make().Settings()})
	}
	return kinds
}

// Names are the names of the losses.
func Names() (names []string) {
	for _, r := range registry {
		names = append(names, r.name)
	}
	return names
}

// New makes the loss of that name, with its default settings.
func New(name string) (Named, error) {
	for _, r := range registry {
		if r.name == name {
			return Named{Name: name, Loss: r.make()}, nil
		}
	}
	return Named{}, fmt.Errorf("loss: expected one of %s, found %.100q", strings.Join(Names(), ", "), name)
}

// Default is the loss of a run that names none, and of a checkpoint from before there was a choice: the plain cross-entropy.
func Default() Named { return Named{Name: registry[0].name, Loss: registry[0].make()} }

// Find is the setting of that name at its default, and the name of the loss that has it; ok is false if none has.
func Find(setting string) (s Setting, of string, ok bool) {
	for _, r := range registry {
		for _, s := range r.make().Settings() {
			if s.Name == setting {
				return s, r.name, true
			}
		}
	}
	return Setting{}, "", false
}
