package model

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"

	"gorgonia.org/tensor"

	"fmtrain/internal/layer"
	"fmtrain/internal/op"
)

// Weight is one trained parameter with its values.
type Weight struct {
	Name  string // such as lower.0.weight
	Group string
	Role  layer.Role
	Value *tensor.Dense // float32
}

// Weights are a model's parameters in the order of its layers.
type Weights []Weight

// NewWeights makes the initial weights. They are a function of the seed and of each parameter's name, shape and initial values.
func (m *Model) NewWeights(seed uint64) (ws Weights) {
	for _, l := range m.Layers() {
		for _, p := range l.Parameters {
			value := op.New(p.Shape...)
			initialise(value.Float32s(), p, seed)
			ws = append(ws, Weight{p.Name, l.Group, p.Role, value})
		}
	}
	return ws
}

// initialise fills w with the initial values of a parameter. Random values come from a stream of their own for each seed and name,
// apart from the streams of other uses. Each draw is a float64 of 53 random bits, rounded once.
func initialise(w []float32, p Described, seed uint64) {
	if p.Initial.Radius == 0 {
		for i := range w {
			w[i] = p.Initial.Value
		}
		return
	}
	h := fnv.New64a()
	h.Write([]byte("initial " + p.Name))
	source := rand.NewPCG(seed, h.Sum64())
	for i := range w {
		unit := float64(float64(source.Uint64()>>11) / (1 << 53)) // converted so that nothing is fused: .ci/fused
		w[i] = float32(p.Initial.Radius * (2*unit - 1))
	}
}

// Clone is a copy of the weights with values of their own.
func (ws Weights) Clone() Weights {
	clones := slices.Clone(ws)
	for i, w := range ws {
		clones[i].Value = w.Value.Clone().(*tensor.Dense)
	}
	return clones
}

// get is the weight of that name, which the model has.
func (ws Weights) get(name string) Weight {
	i := slices.IndexFunc(ws, func(w Weight) bool { return w.Name == name })
	if i < 0 {
		panic("model: no weight " + name)
	}
	return ws[i]
}

// Has says whether the model has a weight of that name.
func (ws Weights) Has(name string) bool {
	return slices.ContainsFunc(ws, func(w Weight) bool { return w.Name == name })
}

// Find is the shape and the values of the weight of that name, for [Weights.Set] of another model; ok is false if there is none.
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

// Total is the number of values in all weights.
func (ws Weights) Total() (n int) {
	for _, w := range ws {
		n += w.Value.Shape().TotalSize()
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
		if !slices.Equal(w.Value.Shape(), shape) { // not Shape.Eq, for which [1,n] and [n] are equal
			return fmt.Errorf("tensor %s: expected shape %v, found %v", w.Name, w.Value.Shape(), tensor.Shape(shape))
		}
		values[i] = v
	}
	for i, w := range ws {
		copy(w.Value.Float32s(), values[i])
	}
	return nil
}
