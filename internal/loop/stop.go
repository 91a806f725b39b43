package loop

import "fmt"

// Diverged ends a run whose loss or gradient is not finite: the weights are then those that the step found. Where a step has
// made a weight NaN or infinite of finite gradients, it ends the run too, at the latest before the weights are saved. The last
// checkpoint is whole.
type Diverged struct {
	Epoch, Iteration int
	Where            string // the first node of the graph that is not finite
}

func (d *Diverged) Error() string {
	return fmt.Sprintf("training diverged in epoch %d, iteration %d: NaN or Inf appeared first in %s; try a lower learn rate",
		d.Epoch, d.Iteration, d.Where)
}

// Interrupted ends a run that was asked to stop. What it had done is saved.
type Interrupted struct {
	Epoch, Iteration, Iterations int // the iterations done in the epoch that it was in
	Checkpoint                   string
}

func (i *Interrupted) Error() string {
	return fmt.Sprintf("interrupted in epoch %d after iteration %d of %d; saved to %s", i.Epoch, i.Iteration, i.Iterations, i.Checkpoint)
}
