package loop

import (
	"math"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// clip limits the norm of a step's gradient, over the parameters of all groups. A larger gradient is multiplied by one factor, so its
// direction stays; a smaller one keeps its bits. This is torch.nn.utils.clip_grad_norm_ without the 1e-6 that PyTorch adds to the
// norm, which would change gradients at the limit. A frozen group has no gradient and adds nothing.
func (t *Trainer) clip() {
	if t.ClipNorm == 0 {
		return
	}
	if norm := t.norm.of(t); norm > t.ClipNorm {
		t.scaling.by(t.ClipNorm/norm, t)
	}
}

// norm is the square root of the sum of the squares of all gradients. Blocks of a fixed size are summed, and the sums are added in
// order, so the bits don't depend on the number of threads.
type norm struct {
	gradients [][]float32
	squares   []float64 // of each block
}

// normBlock is the number of values in a block. A gradient's last block may be shorter.
const normBlock = 4096

func (n *norm) of(t *Trainer) float64 {
	n.gradients = t.gradients.values()
	if n.squares == nil {
		blocks := 0
		for _, g := range n.gradients {
			blocks += (len(g) + normBlock - 1) / normBlock
		}
		n.squares = make([]float64, blocks)
	}
	t.Team.Run(n)
	var sum float64
	for _, s := range n.squares {
		sum += s
	}
	return math.Sqrt(sum)
}

// Do sums a share of the blocks, as a [team.Job].
func (n *norm) Do(part, parts int) {
	block := 0
	for _, g := range n.gradients {
		for first := 0; first < len(g); first += normBlock {
			if block%parts == part {
				n.squares[block] = kernel.SumSquares(g[first:min(first+normBlock, len(g))])
			}
			block++
		}
	}
}

// scaling multiplies all gradients in place. They are the outputs of ops, and the next run overwrites them.
type scaling struct {
	gradients [][]float32
	factor    float64
}

func (s *scaling) by(factor float64, t *Trainer) {
	s.gradients, s.factor = t.gradients.values(), factor
	t.Team.Run(s)
}

// Do multiplies a share of each gradient, as a [team.Job].
func (s *scaling) Do(part, parts int) {
	for _, gradient := range s.gradients {
		lo, hi := op.Split(len(gradient), part, parts)
		g := gradient[lo:hi]
		for i, x := range g {
			g[i] = float32(s.factor * float64(x))
		}
	}
}
