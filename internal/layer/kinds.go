package layer

import "fmt"

// Kind is a kind of layer as --layers knows it.
type Kind struct {
	Word  string // what it is called; of a dense layer the number of units stands in its place
	Usage string // how it is written, with its options
	About string // what it does, in a phrase

	// read makes a layer from what follows the word. The word has been read.
	read func(r *reader, word string) (Layer, error)
}

// Kinds are the kinds of layers, in the order in which help lists them. A new kind is a line here.
func Kinds() []Kind {
	return append([]Kind{
		{"", "UNITS", "a dense layer; UNITS@GROUP also names the group of this and the following layers", readDense},
		{"ln", "ln", "LayerNorm, of --layernorm-form", readNorm},
		{"dropout", "dropout:RATE", fmt.Sprintf("dropout while training; without a rate %v", DefaultDropout), readDropout},
		{"res", "res(LAYERS)", "a residual block, x + f(x) with the f of the layers within", readResidual},
	}, activationKinds()...)
}

// Usages are how the kinds are written.
func Usages() (usages []string) {
	for _, k := range Kinds() {
		usages = append(usages, k.Usage)
	}
	return usages
}

// find is the kind of that word; of a number the dense one.
func find(word string) (Kind, bool) {
	if isNumber(word) {
		word = ""
	} else if word == "" {
		return Kind{}, false
	}
	for _, k := range Kinds() {
		if k.Word == word {
			return k, true
		}
	}
	return Kind{}, false
}
