package loop

import (
	"math"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
)

// clip shortens the gradients of a step if their norm, over the parameters of all groups together, is above the trainer's: then
// all are multiplied by the one factor that makes it that norm. The direction stays, and so do the bits of a gradient that is
// short enough. That is torch.nn.utils.clip_grad_norm_ but for the 1e-6 that it adds to the norm, which would shorten some of
// those too. A frozen group has no gradient and adds nothing.
func (t *Trainer) clip() {
	if t.ClipNorm == 0 {
		return
	}
	if norm := t.norm.of(t); norm > t.ClipNorm {
		t.scaling.by(t.ClipNorm/norm, t)
	}
}

// norm is the square root of the sum of the squares of all gradients. It is taken over blocks of a fixed size whose sums are
// added in order, so that its bits don't depend on who did which.
type norm struct {
	gradients [][]float32
	squares   []float64 // of each block
}

// normBlock is the number of values in a block, but for a gradient's last.
const normBlock = 4096

func (n *norm) of(t *Trainer) float64 {
	n.gradients = t.gradients.values
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

// Do sums every so-manieth block, as a [team.Job].
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

// scaling multiplies all gradients, in place: they are the outputs of ops, which the next run fills anew.
type scaling struct {
	gradients [][]float32
	factor    float64
}

func (s *scaling) by(factor float64, t *Trainer) {
	s.gradients, s.factor = t.gradients.values, factor
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
