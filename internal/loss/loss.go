// Package loss holds the losses that a classifier can be trained with. A loss maps one row's logits and label to a loss and its
// gradient by the logits. It knows nothing of batches, means or graphs: an op in internal/layer runs it over the rows.
//
// # A function or a type?
//
// A loss without settings is a function: [SquaredError], [Hinge]. It keeps nothing, so its name is all that a checkpoint needs.
// A loss with settings is a type: [CrossEntropy], [Focal], [Huber]. A closure over γ would train as well, but γ could
// not be read from it, so a checkpoint could not store it. A type lists its [Setting]s, and [Named] writes and reads them. [Func] turns
// a function into a Loss, as http.HandlerFunc does for a handler.
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
	// Row returns the loss of a sample with these logits and this label, and sets dlogits to its gradient by the logits. Sums
	// are taken in float64. dlogits and work, which is working memory, are as long as logits; label is an index into them. Row
	// allocates nothing. Rows with separate memory may be computed at the same time.
	Row(dlogits []float32, work []float64, logits []float32, label int) float64

	// Settings are the numbers that configure the loss. They may be set before the first row. A function has none.
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

// Setting is a number that configures a loss.
type Setting struct {
	Name    string   // unique among all losses, because it is also the name of a flag: focal-gamma
	Value   *float64 // in the loss
	Allowed bounds.Range
	Help    string // a phrase
}

// registry is the losses, in the order in which they are listed, each with its default settings.
var registry = []struct {
	name, about string
	make        func() Loss
}{
	{"cross-entropy", "softmax cross-entropy, with optional label smoothing", func() Loss { return &CrossEntropy{} }},
	{"focal", "cross-entropy that gives hard samples more weight; gamma sets how much", func() Loss { return &Focal{Gamma: 2} }},
	{"huber", "squared error near the one-hot target, absolute error beyond delta", func() Loss { return &Huber{Delta: 1} }},
	{"mse", "mean squared error between the logits and the one-hot target", func() Loss { return Func(SquaredError) }},
	{"hinge", "how far each other logit is above the label's logit minus 1", func() Loss { return Func(Hinge) }},
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

// New makes the loss with that name and its default settings.
func New(name string) (Named, error) {
	for _, r := range registry {
		if r.name == name {
			return Named{Name: name, Loss: r.make()}, nil
		}
	}
	return Named{}, fmt.Errorf("loss: expected one of %s, found %.100q", strings.Join(Names(), ", "), name)
}

// Default is the plain cross-entropy, for runs and old checkpoints that name no loss.
func Default() Named { return Named{Name: registry[0].name, Loss: registry[0].make()} }

// Find returns the setting with that name at its default, and the name of the loss that has it. ok is false if none has.
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
