// Package op holds what every hand-written Gorgonia op here has in common.
//
// Gorgonia merges two nodes whose op hash, type, shape and children are the same. An op that owns its output buffer, or
// keeps statistics of its forward pass for its backward pass, must never be merged with a twin: two layers would then write
// to one buffer. So every op made from a [Base] carries a number of its own in its hash.
//
// The ops own their outputs: Do fills the same tensor at each call and returns it, so that a training step allocates
// nothing. A value that has to outlive the next run of the op must be copied.
package op

import (
	"fmt"
	"hash"
	"hash/fnv"
	"sync/atomic"

	"github.com/chewxy/hm"
	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"
)

// Scalar, Vector and Matrix are the float32 types of the inputs and outputs of ops; Labels is a vector of int32.
var (
	Scalar hm.Type = tensor.Float32
	Vector         = Tensor(1)
	Matrix         = Tensor(2)
	Labels hm.Type = gorgonia.TensorType{Dims: 1, Of: tensor.Int32}
)

// Tensor is the type of a float32 tensor of so many dimensions.
func Tensor(dims int) hm.Type { return gorgonia.TensorType{Dims: dims, Of: tensor.Float32} }

var lastID atomic.Uint64

// Base is the part of [gorgonia.Op] that is the same for every hand-written op. It is embedded by value; the op adds
// InferShape, Do and its gradient.
type Base struct {
	name string
	id   uint64
	in   []hm.Type
	out  hm.Type
}

// NewBase makes the base of an op of the given name, from inputs of these types to an output of that type.
func NewBase(name string, out hm.Type, in ...hm.Type) Base {
	return Base{name: name, id: lastID.Add(1), in: in, out: out}
}

// Arity is the number of inputs.
func (b *Base) Arity() int { return len(b.in) }

// Type is the op's function type. It is new at each call: Gorgonia recycles it after type inference.
func (b *Base) Type() hm.Type {
	types := append(append(make([]hm.Type, 0, len(b.in)+1), b.in...), b.out)
	return hm.NewFnType(types...)
}

// ReturnsPtr is false: the output is never one of the inputs.
func (b *Base) ReturnsPtr() bool { return false }

// CallsExtern is false: the ops are Go and its assembly.
func (b *Base) CallsExtern() bool { return false }

// OverwritesInput is -1: no input is written to.
func (b *Base) OverwritesInput() int { return -1 }

// WriteHash writes the op's name and its own number.
func (b *Base) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s#%d", b.name, b.id) }

// Hashcode is the hash of the op's name and its own number.
func (b *Base) Hashcode() uint32 {
	h := fnv.New32a()
	b.WriteHash(h)
	return h.Sum32()
}

// String is the op's name.
func (b *Base) String() string { return b.name }

// Pick is an op that returns one of the gradients that its child op has computed on the side. Gorgonia's ops return one
// value each; an op whose backward pass yields several at once (LayerNorm: dx, dα, dβ) returns the first, and the others are
// picked by ops that have the first as their child and so run after it.
type Pick struct {
	Base
	value *tensor.Dense
}

// NewPick makes an op from the backward node's value, of dims dimensions, to value, which the backward op fills.
func NewPick(name string, dims int, value *tensor.Dense) *Pick {
	return &Pick{Base: NewBase(name, Tensor(value.Dims()), Tensor(dims)), value: value}
}

// InferShape is the shape of the picked value.
func (p *Pick) InferShape(...gorgonia.DimSizer) (tensor.Shape, error) { return p.value.Shape(), nil }

// Do returns the picked value.
func (p *Pick) Do(...gorgonia.Value) (gorgonia.Value, error) { return p.value, nil }
