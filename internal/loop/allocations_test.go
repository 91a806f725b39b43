package loop

import (
	"context"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
)

// silent is an observer that costs nothing.
type silent struct{}

func (silent) OnStart(*Start) error         { return nil }
func (silent) OnIteration(*Iteration) error { return nil }
func (silent) OnEpoch(*Epoch) error         { return nil }
func (silent) OnDone(*Done) error           { return nil }

// A training step allocates no more than its matrix products do: an epoch of many steps costs as much as one of few.
func TestStepsAllocateNothing(t *testing.T) {
	s := small()
	s.batch = 4
	hidden := s.spec.Hidden[0]
	epoch := func(images int) float64 {
		s.images = images
		trainer := s.trainer(t, silent{})
		must(t, trainer.epoch(context.Background(), 1)) // the solvers make their slots
		return testing.AllocsPerRun(3, func() { must(t, trainer.epoch(context.Background(), 2)) })
	}
	few, many := 2, 102
	step := (epoch(many*s.batch) - epoch(few*s.batch)) / float64(many-few)

	x, h := make([]float32, s.batch*dataset.Pixels), make([]float32, s.batch*hidden)
	z, w0 := make([]float32, s.batch*dataset.Classes), make([]float32, dataset.Pixels*hidden)
	w1 := make([]float32, hidden*dataset.Classes)
	products := testing.AllocsPerRun(100, func() {
		kernel.MatMul(h, x, w0, s.batch, dataset.Pixels, hidden)
		kernel.MatMul(z, h, w1, s.batch, hidden, dataset.Classes)
		kernel.MatMulTN(w1, h, z, hidden, s.batch, dataset.Classes)
		kernel.MatMulNT(h, z, w1, s.batch, dataset.Classes, hidden)
		kernel.MatMulTN(w0, x, h, dataset.Pixels, s.batch, hidden)
	})
	if step > products+0.5 {
		t.Errorf("a step makes %v allocations, its products %v", step, products)
	}
}
