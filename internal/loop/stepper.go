package loop

import "slices"

// Stepper makes the steps of a trainer one by one, to measure them: nobody observes them, nothing is validated or saved. The size of the
// trainer's team stays as it is set.
type Stepper struct {
	trainer *Trainer
	batches [][]int32 // of the first epoch, over and over
	made    int
}

// NewStepper takes over a trainer that is not run otherwise.
func NewStepper(t *Trainer) *Stepper {
	t.share()
	return &Stepper{trainer: t, batches: slices.Collect(slices.Chunk(t.Sampler.Order(1), t.stepSamples()))}
}

// Rows are the rows of the next step and those of the step after it.
func (s *Stepper) Rows() (rows, next []int32) {
	return s.batches[s.made%len(s.batches)], s.batches[(s.made+1)%len(s.batches)]
}

// Step makes the next step.
func (s *Stepper) Step() error {
	rows, next := s.Rows()
	s.made++
	_, err := s.trainer.step(Iteration{}, rows, next)
	return err
}
