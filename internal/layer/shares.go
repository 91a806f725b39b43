package layer

import (
	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// A team can share a dense layer by rows of the batch or by inputs.
//
// By rows, each member computes y for its rows of x. It reads all of W. But each part of W was just updated by one member, so most of W
// crosses from core to core in every step. Then it is updated again, which takes the other cores' copies away.
//
// By inputs, each member owns some of the inputs: columns of x and rows of W. It computes the terms of these inputs for all of y, the same
// rows of dW, and updates them. So W, dW and the solver's slots never leave their core. Only sums cross. An entry of y is a sum in the order
// of the inputs, so the members take turns: y is cut into blocks, and each block goes from member to member in a [team.Relay]. Every member
// adds its terms to the sums so far. That is the same sum in the same order, so the bits are the same.
//
// For two members, in values that cross in a step:
//
//	           by rows                         by inputs
//	W          in·out read, in·out taken back  0
//	y          0                               batch·out, and batch·out/2 to the rows' members
//	x, dy      the same                        the same

// sharedByInputs says whether the layer is shared by inputs, if nothing needs dx: dx of a row takes all of W.
//
// While the first block is under way, all members but the first wait. So there must be many blocks. And at a large batch the products take so
// long that the transfers don't matter, and tiles of whole rows are faster.
func (d denseSizes) sharedByInputs() bool {
	return d.batch <= largestShared && d.batch < d.in && d.blocks() >= fewestBlocks
}

const (
	blockColumns  = 16  // of y in a block: the sums of a cache line, and a strip of every instruction set
	fewestBlocks  = 4   // of y
	largestShared = 128 // batch
)

// blocks is the number of blocks of y.
func (d denseSizes) blocks() int { return (d.out + blockColumns - 1) / blockColumns }

// inputShares computes y by shares of the inputs.
type inputShares struct {
	denseSizes
	relay *team.Relay // of the blocks
	sums  []float32   // of the blocks, one after the other, so that no two share a cache line
}

func newInputShares(d denseSizes) *inputShares {
	return &inputShares{d, team.NewRelay(d.blocks()), make([]float32, d.batch*d.out)}
}

// forward adds the terms of a part of the inputs to y, block by block. The first part starts from the bias, and the last writes y.
func (s *inputShares) forward(r *op.Run, part, parts int) {
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
		width := right - left
		sums := s.sums[left*s.batch : right*s.batch]
		into := kernel.RowMajor(sums, s.batch, width)
		s.relay.Take(block, part)
		switch part {
		case 0:
			for i := range s.batch {
				copy(sums[i*width:], r.Inputs[2][left:right])
			}
		case parts - 1:
			for i := range s.batch {
				copy(r.Y[i*s.out+left:i*s.out+right], sums[i*width:])
			}
			into = y.Columns(left, right)
		}
		kernel.Gemm(into, x, w.Columns(left, right), 1, 1)
		s.relay.Pass(block, part, parts)
	}
}
