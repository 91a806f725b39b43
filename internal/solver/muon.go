package solver

import (
	"math"

	"fmtrain/internal/kernel"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// muon moves a weight matrix about equally far in all directions: the singular values of its update are near 1 (Jordan et al. 2024,
// "Muon: An optimizer for hidden layers in neural networks", https://kellerjordan.github.io/posts/muon). For a matrix W with the
// gradient G
//
//	V ← μ·V + G
//	U = polar(G + μ·V), by [newtonSchulz]
//	W ← W − rate·(0.2·√max(rows, columns)·U + decay·W)
//
// The factor 0.2·√max(rows, columns) and the decay come from Liu et al. 2025, "Muon is Scalable for LLM Training", arXiv 2502.16982.
// The entries of an update then have the size of those of AdamW, so a learning rate of AdamW fits. Biases, α and β are no matrices.
// AdamW updates them, with the same rate and decay.
func muon(o Options) rule {
	vectors := adamw(o)
	vectors.momentum = nil // β₁ stays as it is when a schedule changes μ
	keep := o.Momentum
	m := &muonMatrix{decay: o.WeightDecay}
	m.look, m.move = phase(m.doLook), phase(m.doMove)
	return rule{
		slots:     []string{"velocity"},
		momentum:  &keep,
		decoupled: true,
		begin: func(learningRate float64, _ uint64) {
			m.rate, m.friction = learningRate, float32(1-keep)
		},
		whole:   m.update,
		vectors: &vectors,
	}
}

// muonMatrix updates one matrix at a time.
type muonMatrix struct {
	decay    float64
	rate     float64 // of the step, as friction
	friction float32

	matrix *update
	ortho  newtonSchulz
	polar  []float32 // U, before that G + μ·V
	factor float32   // of U
	shrink float32   // weight decay, divided by factor

	look, move team.Job
}

func (m *muonMatrix) update(u *update, t *team.Team) {
	rows := len(u.w) / u.columns
	scale := 0.2 * math.Sqrt(float64(max(rows, u.columns)))
	m.matrix, m.factor, m.shrink = u, float32(m.rate*scale), 0
	if u.decays {
		m.shrink = float32(m.decay / scale)
	}
	m.polar = m.ortho.matrix(rows, u.columns)
	run(t, len(u.w), m.look)
	m.polar = m.ortho.polar(t)
	run(t, len(u.w), m.move)
}

// doLook updates the velocity and looks a step ahead: it computes G + μ·V.
func (m *muonMatrix) doLook(part, parts int) {
	lo, hi := op.Split(len(m.matrix.w), part, parts)
	clear(m.polar[lo:hi])
	kernel.Nesterov(m.polar[lo:hi], m.matrix.parameter.slots[0][lo:hi], m.matrix.g[lo:hi], -1, m.friction, 0)
}

// doMove updates the weights.
func (m *muonMatrix) doMove(part, parts int) {
	lo, hi := op.Split(len(m.matrix.w), part, parts)
	kernel.SGD(m.matrix.w[lo:hi], m.polar[lo:hi], m.factor, m.shrink)
}
