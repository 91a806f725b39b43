package loop

import (
	"errors"
	"fmt"
	"sync/atomic"

	"fmtrain/internal/kernel"
	"fmtrain/internal/model"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// Diverged ends a run whose loss or gradient is not finite: the weights are then those that the step found. Where a step has
// made a weight NaN or infinite of finite gradients, it ends the run too, at the latest before the weights are saved. The last
// checkpoint is whole.
type Diverged struct {
	Epoch, Iteration int
	Where            string   // the first node of the graph that is not finite
	Saved            Progress // of the last checkpoint
	Checkpoint       string   // the path of that; empty if there is none any more
}

func (d *Diverged) Error() string {
	text := fmt.Sprintf("training diverged in epoch %d, iteration %d: NaN or Inf appeared first in %s; ", d.Epoch, d.Iteration, d.Where)
	if d.Checkpoint != "" {
		text += fmt.Sprintf("the weights after %v are in %s; ", d.Saved, d.Checkpoint)
	}
	return text + "try a lower learning rate"
}

// Interrupted ends a run before its time: it was asked to stop, or an observer has failed. What it had done is saved.
type Interrupted struct {
	Epoch, Iteration, Iterations int // the iterations done in the epoch that it was in
	Checkpoint                   string
	Err                          error // of the observer; nil if it was asked to stop
}

func (i *Interrupted) Error() string {
	why := "interrupted"
	if i.Err != nil {
		why = i.Err.Error() + "; stopped"
	}
	return fmt.Sprintf("%s in epoch %d, step %d of %d; saved", why, i.Epoch, i.Iteration, i.Iterations)
}

func (i *Interrupted) Unwrap() error { return i.Err }

// checkFinite is an error if the loss or a gradient of the last run is NaN or infinite.
func (t *Trainer) checkFinite(it Iteration) error {
	if err := t.gradients.read(t.Graph.Groups); err != nil {
		return err
	}
	if finite(t.Graph.Loss.LossSum) && t.gradients.finite(t.Team) {
		return nil
	}
	return t.diverged(it, t.Graph.FirstNonFinite())
}

// gradients are the values of all gradients of a step.
type gradients struct {
	values [][]float32
	broken atomic.Bool
}

// read takes the gradients of the last run.
func (g *gradients) read(groups []model.Group) error {
	g.values = g.values[:0]
	for _, group := range groups {
		for _, p := range group.Parameters {
			gradient, err := p.Grad()
			if err != nil {
				return err
			}
			values, err := op.Floats(gradient)
			if err != nil {
				return err
			}
			g.values = append(g.values, values)
		}
	}
	return nil
}

// finite says whether none is NaN or infinite; each member of the team looks at a share.
func (g *gradients) finite(t *team.Team) bool {
	g.broken.Store(false)
	t.Run(g)
	return !g.broken.Load()
}

// Do looks at a share of each, as a [team.Job].
func (g *gradients) Do(part, parts int) {
	for _, values := range g.values {
		lo, hi := op.Split(len(values), part, parts)
		if !kernel.AllFinite(values[lo:hi]) {
			g.broken.Store(true)
		}
	}
}

// Finished says whether nothing is left to do: of a run that was taken up, too.
func (t *Trainer) Finished() bool { return t.done.Epoch >= t.Epochs || t.patienceIsOver() }

// patienceIsOver says whether the best validation accuracy is so many epochs old that the run ends. A resumed run knows both
// epochs from its progress.
func (t *Trainer) patienceIsOver() bool {
	return t.Patience > 0 && t.Validation != nil && t.done.Epoch-t.done.BestEpoch >= t.Patience
}

// restoreBest gives the model the weights of the best epoch if the run ends early. The last checkpoint stays what it is: weights
// and solvers of the last epoch, from which the training can go on.
func (t *Trainer) restoreBest() error {
	if t.done.Epoch >= t.Epochs {
		return nil
	}
	_, err := LoadWeights(t.best(), t.Checkpoints.Weights)
	return err
}

// checkWeights is an error if a step has made a weight NaN or infinite, as an absurd learn rate does of finite gradients. The
// next run of the graph would show it; before a save there is none.
func (t *Trainer) checkWeights(it Iteration) error {
	for _, w := range t.Checkpoints.Weights {
		if !kernel.AllFinite(w.Value.Float32s()) {
			return t.diverged(it, w.Name)
		}
	}
	for _, w := range t.Checkpoints.Average {
		if !kernel.AllFinite(w.Value.Float32s()) {
			return t.diverged(it, "the average of "+w.Name)
		}
	}
	return nil
}

// interrupt saves what was done and ends the run: because it was asked to or, with an error, because an observer has failed.
func (t *Trainer) interrupt(it Iteration, p Progress, why error) error {
	err := t.checkWeights(it)
	if err == nil && it.Iteration > t.done.Iteration { // else it is saved
		err = t.save(p)
	}
	if err == nil {
		err = t.settle()
	}
	if err != nil {
		return errors.Join(why, err)
	}
	return &Interrupted{Epoch: it.Epoch, Iteration: it.Iteration, Iterations: it.Iterations, Checkpoint: t.Checkpoints.Last(), Err: why}
}

// diverged ends the run at an iteration.
func (t *Trainer) diverged(it Iteration, where string) error {
	failed := t.settle()
	d := &Diverged{Epoch: it.Epoch, Iteration: it.Iteration, Where: where}
	d.Saved, d.Checkpoint = t.Checkpoints.left()
	return errors.Join(d, failed)
}
