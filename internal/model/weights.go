package model

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"fmtrain/internal/op"
)

// Weight is one trainable parameter.
type Weight struct {
	Name  string // such as lower.0.weight
	Group string
	Value *tensor.Dense // float32
}

// Weights are a model's parameters in the order of its layers: of a dense one weight [in,out] and bias [out], of LayerNorm
// norm.alpha and norm.beta, as long as a row.
type Weights []Weight

// NewWeights makes the initial weights, a function of the seed and of each parameter's name and shape alone. The products'
// weights are drawn from U(−r, r) with the r that suits what follows (book, chapter 11, table 11-1): He's √(6/in) before ReLU
// and its kin, LeCun's √(3/in) before SELU, Glorot's √(6/(in+out)) before tanh, the logits and another product. Biases and β are
// zeros, α ones.
func NewWeights(spec Spec, seed uint64) Weights {
	var ws Weights
	add := func(m module, name string, shape ...int) []float32 {
		value := op.New(shape...)
		ws = append(ws, Weight{name, m.Group, value})
		return value.Float32s()
	}
	each(spec.modules(), func(m module) {
		switch m.kind {
		case dense:
			uniform(add(m, m.Name+".weight", m.In, m.Out), radius(m.Layer), seed, m.Name+".weight")
			add(m, m.Name+".bias", m.Out)
		case norm:
			alpha := add(m, m.name+".alpha", m.width)
			for i := range alpha {
				alpha[i] = 1
			}
			add(m, m.name+".beta", m.width)
		}
	})
	return ws
}

func radius(l Layer) float64 {
	in, out := float64(l.In), float64(l.Out)
	switch l.Activation {
	case "", "tanh":
		return math.Sqrt(6 / (in + out))
	case "selu":
		return math.Sqrt(3 / in)
	default:
		return math.Sqrt(6 / in)
	}
}

// uniform fills w from U(−r, r), by a stream of its own for each seed and name, apart from the streams of other uses. Each draw
// is a float64 of 53 random bits, rounded once.
func uniform(w []float32, r float64, seed uint64, name string) {
	h := fnv.New64a()
	h.Write([]byte("initial " + name))
	source := rand.NewPCG(seed, h.Sum64())
	for i := range w {
		unit := float64(float64(source.Uint64()>>11) / (1 << 53)) // converted so that nothing is fused: .ci/fused
		w[i] = float32(r * (2*unit - 1))
	}
}

// get is the weight of that name, which the model has.
func (ws Weights) get(name string) *tensor.Dense {
	for _, w := range ws {
		if w.Name == name {
			return w.Value
		}
	}
	panic("model: no weight " + name)
}

// Has says whether the model has a weight of that name.
func (ws Weights) Has(name string) bool {
	return slices.ContainsFunc(ws, func(w Weight) bool { return w.Name == name })
}

// Find is the shape and the values of the weight of that name, for [Weights.Set] of a model that is to have them too; ok is false
// if there is none.
func (ws Weights) Find(name string) (shape []int, values []float32, ok bool) {
	for _, w := range ws {
		if w.Name == name {
			return w.Value.Shape(), w.Value.Float32s(), true
		}
	}
	return nil, nil, false
}

// Groups are the names of the weights' groups in the order of the layers.
func (ws Weights) Groups() (names []string) {
	for _, w := range ws {
		if !slices.Contains(names, w.Group) {
			names = append(names, w.Group)
		}
	}
	return names
}

// Count is the number of values in the weights of a group.
func (ws Weights) Count(group string) (n int) {
	for _, w := range ws {
		if w.Group == group {
			n += w.Value.Shape().TotalSize()
		}
	}
	return n
}

// Set copies values into the weights. lookup gives a weight's shape and values by its name. An error names the weight that is
// missing or whose shape differs, and leaves all weights as they were.
func (ws Weights) Set(lookup func(name string) (shape []int, values []float32, ok bool)) error {
	values := make([][]float32, len(ws))
	for i, w := range ws {
		shape, v, ok := lookup(w.Name)
		if !ok {
			return fmt.Errorf("tensor %s: expected shape %v, found no such tensor", w.Name, w.Value.Shape())
		}
		if !slices.Equal(w.Value.Shape(), shape) { // not Shape.Eq, which takes [1,n] and [n] for equal
			return fmt.Errorf("tensor %s: expected shape %v, found %v", w.Name, w.Value.Shape(), tensor.Shape(shape))
		}
		values[i] = v
	}
	for i, w := range ws {
		copy(w.Value.Float32s(), values[i])
	}
	return nil
}
