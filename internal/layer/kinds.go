package layer

import (
	"fmt"

	"fmtrain/internal/kernel"
)

// Kind is a kind of layer as --layers knows it.
type Kind struct {
	Word  string // its name in --layers; a dense layer has its number of units instead of a word
	Usage string // how it is written, with its options
	About string // what it does, in a phrase

	// Activation is the layer itself if it is an activation.
	Activation *Activation

	// read makes any other layer from the word and what follows it. The word has been read.
	read func(r *reader, word string) (Layer, error)

	weight bool // it has a weight, so the text may name its group: UNITS@GROUP
}

// Kinds are the kinds of layers, in the order in which help lists them. A new kind is a line here.
func Kinds() []Kind {
	return []Kind{
		{Usage: "UNITS", About: "a dense layer; UNITS@GROUP also names the group of this layer and the next ones", read: readDense, weight: true},
		{Word: "conv", Usage: "conv:C[xK][sS][v]", About: "a convolution of a map: C channels out, a window of K x K [3], stride S [1]; zeros around the map, with v none", read: readConv, weight: true},
		{Word: "maxpool", Usage: "maxpool[:K]", About: "the largest value of each window of K x K [2]; the windows lie side by side", read: readPool},
		{Word: "avgpool", Usage: "avgpool[:K]", About: "the mean of each window of K x K [2]", read: readPool},
		{Word: "globalmax", Usage: "globalmax", About: "the largest value of each channel over all places: a vector", read: readGlobal},
		{Word: "globalavg", Usage: "globalavg", About: "the mean of each channel over all places: a vector", read: readGlobal},
		{Word: "ln", Usage: "ln", About: "LayerNorm, in the form of --layernorm-form", read: readNorm},
		activation("relu", "max(0, x)", he, elementwise(kernel.ReLU)),
		activation("gelu", "x times the normal distribution of x", he, elementwise(kernel.GELU)),
		activation("tanh", "the hyperbolic tangent", glorot, elementwise(kernel.Tanh)),
		activation("elu", "x, or exp(x) − 1 below 0", he, elementwise(kernel.ELU)),
		activation("selu", "elu scaled so that values keep their variance", lecun, elementwise(kernel.SELU)),
		{Word: "dropout", Usage: "dropout:RATE", About: fmt.Sprintf("sets a fraction of the values to 0 in training [%v]", DefaultDropout), read: readDropout},
		{Word: "res", Usage: "res(LAYERS)", About: "a residual block: x + f(x), where f is the layers in the brackets", read: readResidual},
	}
}

// Usages are how the kinds are written.
func Usages() (usages []string) {
	for _, k := range Kinds() {
		usages = append(usages, k.Usage)
	}
	return usages
}

// find is the kind with that word; for a number it is the dense layer.
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
