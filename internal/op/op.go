// Package op makes Gorgonia ops out of definitions. A [Definition] is a forward function and the functions of its gradients,
// with their shapes; [Apply] adds it to a graph. The gradient is defined once. Both of Gorgonia's ways to differentiate are made
// from it: nodes, for symbolic differentiation, and values, for the LispMachine.
//
// The ops own their outputs. An op fills the same tensor in each run and returns it, so a training step allocates nothing. Copy
// a value that has to outlive the op's next run.
//
// Gorgonia merges two nodes with the same op hash, type, shape and children. Two layers would then write to one buffer. So the
// hash of every op here has its own number.
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

var lastID atomic.Uint64

// base is the part of [gorgonia.Op] that is the same for every op here.
type base struct {
	name string
	id   uint64
	in   []hm.Type
	out  hm.Type
}

func newBase(name string, out hm.Type, in ...hm.Type) base {
	return base{name: name, id: lastID.Add(1), in: in, out: out}
}

// Arity is the number of inputs.
func (b *base) Arity() int { return len(b.in) }

// Type is the op's function type. Each call makes a new one, because Gorgonia recycles it after type inference.
func (b *base) Type() hm.Type {
	types := append(append(make([]hm.Type, 0, len(b.in)+1), b.in...), b.out)
	return hm.NewFnType(types...)
}

// ReturnsPtr is false: the output is never one of the inputs.
func (b *base) ReturnsPtr() bool { return false }

// CallsExtern is false: the ops are Go and its assembly.
func (b *base) CallsExtern() bool { return false }

// OverwritesInput is -1: the ops don't write to their inputs.
func (b *base) OverwritesInput() int { return -1 }

// WriteHash writes the op's name and its own number.
func (b *base) WriteHash(h hash.Hash) { fmt.Fprintf(h, "%s#%d", b.name, b.id) }

// Hashcode is the hash of the op's name and its own number.
func (b *base) Hashcode() uint32 {
	h := fnv.New32a()
	b.WriteHash(h)
	return h.Sum32()
}

// String is the op's name.
func (b *base) String() string { return b.name }

// typeOf is Gorgonia's type for values of a shape.
func typeOf(shape tensor.Shape, of tensor.Dtype) hm.Type {
	if len(shape) == 0 {
		return of
	}
	return gorgonia.TensorType{Dims: len(shape), Of: of}
}
