package layer

import (
	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// A team can share a dense layer by rows of the batch or by inputs.
//
// By rows, each member computes y for its rows of x, and reads all of W. But each part of W was just updated by one member. So in every
// step, half of W (of two members) crosses from core to core. The next update takes the copy away again, line by line.
//
// By inputs, each member owns some of the inputs: columns of x and rows of W. It adds the terms of these inputs to all of y. It computes
// the same rows of dW and updates them. So W, dW and the solver's slots stay where they are. Only sums cross. An entry of y is summed in
// the order of the inputs. So y is cut into blocks, and each block goes from member to member in a [team.Relay]. The order of the sum is
// the same as by rows, and so are the bits.
//
// These values cross in a step of two members, from both to both:
//
//	               by rows   by inputs
//	W, to read     in·out    0
//	W, to update   in·out    0
//	y, sums        0         batch·out
//	y, its rows    0         batch·out/2
//	x and dy       batch·(in/2 + out) either way
//
// For 784 inputs, 100 units and a batch of 32 that is 627 KB and 19 KB, besides 63 KB of x and dy. Sharing by columns of y would cross
// nearly as little. But then the parts of W lie in every row of W beside each other, and the processors prefetch each other's cache lines:
// an update took ten times as long.

// sharedByInputs says whether a layer is shared by inputs, if nothing needs its dx. (A row of dx takes all of W.) The bits are the same
// either way.
//
// During the first block all members but the first wait, so there must be some blocks. At a large batch the products take so long that the
// transfers don't matter.
func (d denseSizes) sharedByInputs() bool {
	return d.batch <= largestByInputs && d.batch < d.in && d.blocks() >= fewestBlocks
}

const (
	blockColumns    = 16  // of y in a block: a cache line of sums, and a strip of a product
	fewestBlocks    = 4   // of y
	largestByInputs = 128 // batch: at 256 it was measured to be as fast as by rows, at 512 slower
)

// blocks is the number of blocks of y.
func (d denseSizes) blocks() int { return (d.out + blockColumns - 1) / blockColumns }

// byInputs computes y by shares of the inputs.
type byInputs struct {
	denseSizes
	relay *team.Relay // of the blocks
	sums  []float32   // block after block, so that no two blocks share a cache line
}

func newByInputs(d denseSizes) *byInputs {
	return &byInputs{d, team.NewRelay(d.blocks()), make([]float32, d.batch*d.out)}
}

// forward adds the terms of a part of the inputs to all blocks. The first part starts from the bias, and the last writes y.
func (s *byInputs) forward(r *op.Run, part, parts int) {
	if parts == 1 {
		s.denseSizes.forward(r, part, parts)
		return
	}
	first, last := op.Split(s.in, part, parts)
	x := kernel.RowMajor(r.Inputs[0], s.batch, s.in).Columns(first, last)
	w := kernel.RowMajor(r.Inputs[1], s.in, s.out).Rows(first, last)
	y := kernel.RowMajor(r.Y, s.batch, s.out)
	for block := range s.blocks() {
		left, right := block*blockColumns, min((block+1)*blockColumns, s.out)
		sums := kernel.RowMajor(s.sums[left*s.batch:right*s.batch], s.batch, right-left)
		start, into := sums, sums
		if part == 0 {
			start = kernel.Repeat(r.Inputs[2][left:right], s.batch)
		}
		if part == parts-1 {
			into = y.Columns(left, right)
		}
		s.relay.Take(block, part)
		kernel.AddProduct(into, start, x, w.Columns(left, right))
		s.relay.Pass(block, part, parts)
	}
}
