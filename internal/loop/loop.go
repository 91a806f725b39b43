// Package loop is the training loop: epochs and iterations over a data set, the means of what it counts, validation,
// checkpoints, and the observers that show it.
//
// One iteration is: the next batch, one run of the graph forward and backward, one step of each group's solver, counting. The
// order of the samples is a function of the seed and the epoch, so a run is a function of its settings and its data.
package loop

import (
	"context"
	"fmt"
	"math"
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/solver"
	"fmtrain/internal/team"
)

// Trainer is a run: what is trained, on what, how, and who watches.
type Trainer struct {
	Graph       *model.Graph    // for batches of the run's size
	Solvers     []solver.Solver // one for each of the graph's groups
	Train       *dataset.Set
	Sampler     *dataset.Sampler // of the training set
	Validation  *Evaluator       // nil if no images are set apart
	Metrics     *metric.Set      // of the samples that are trained on; nil for none
	Epochs      int
	Checkpoints *Checkpoints
	Observers   []Observer
	Settings    any        // the resolved settings, for the observers
	Team        *team.Team // does the steps; nil for the caller alone

	done      Progress
	pace      *team.Pace
	feed      feed
	gradients gradients
}

// Run trains until the last epoch. It writes the initial checkpoint first, so that there is always one to go back to. When
// the context is cancelled it finishes the step, saves, and returns an [*Interrupted]; when a loss or a gradient is not
// finite it stops before the weights are touched, and returns a [*Diverged].
func (t *Trainer) Run(ctx context.Context) (*Done, error) {
	begin := time.Now()
	t.share()
	start := &Start{Settings: t.Settings, Epochs: t.Epochs, Iterations: t.iterations(), Samples: t.Train.Len()}
	if err := t.tell(func(o Observer) error { return o.OnStart(start) }); err != nil {
		return nil, err
	}
	if err := t.Checkpoints.SaveLast(t.done); err != nil {
		return nil, err
	}
	for t.done.Epoch < t.Epochs {
		if err := t.epoch(ctx, t.done.Epoch+1); err != nil {
			return nil, err
		}
	}
	done := &Done{
		Epochs:     t.done.Epoch,
		BestEpoch:  t.done.BestEpoch,
		Checkpoint: t.Checkpoints.Best(t.done),
		Seconds:    time.Since(begin).Seconds(),
	}
	return done, t.tell(func(o Observer) error { return o.OnDone(done) })
}

// epoch trains on every sample once, validates, and saves.
func (t *Trainer) epoch(ctx context.Context, epoch int) error {
	begin := time.Now()
	batch := len(t.Graph.Labels)
	order := t.Sampler.Order(epoch)
	it := Iteration{Epoch: epoch, Epochs: t.Epochs, Iterations: t.iterations(), Rates: t.rates()}
	var running Mean
	t.Metrics.Reset()
	t.pace.Begin()
	for it.Iteration < it.Iterations {
		if ctx.Err() != nil {
			return t.interrupt(it, running)
		}
		rows := order[:min(batch, len(order))]
		order = order[len(rows):]
		it.Iteration++

		if err := t.step(it, rows); err != nil {
			return err
		}
		loss := t.Graph.Loss
		running.Add(loss.LossSum, loss.Correct, loss.Count)
		t.Metrics.Update(loss.Logits, t.Graph.Labels, loss.Predictions)

		it.BatchLoss = loss.LossSum / float64(loss.Count)
		it.Loss, it.Accuracy, it.Seen = running.Loss(), running.Accuracy(), running.Seen
		it.Metrics = t.Metrics.Values()
		it.Elapsed = time.Since(begin)
		if err := t.tell(func(o Observer) error { return o.OnIteration(&it) }); err != nil {
			return err
		}
		t.pace.Step()
	}
	return t.finish(it)
}

// step trains on one batch: forward and backward once, and then each group's solver, unless something is not finite.
func (t *Trainer) step(it Iteration, rows []int32) error {
	t.feed.fill(t.Team, rows)
	if err := t.Graph.Run(); err != nil {
		return fmt.Errorf("epoch %d, iteration %d: %w", it.Epoch, it.Iteration, err)
	}
	if err := t.checkFinite(it); err != nil {
		return err
	}
	for i, group := range t.Graph.Groups {
		if err := t.Solvers[i].Step(group.Parameters); err != nil {
			return fmt.Errorf("epoch %d, iteration %d: %s solver: %w", it.Epoch, it.Iteration, group.Name, err)
		}
	}
	return nil
}

// finish validates and saves at the end of an epoch, and tells the observers. The best epoch is the first of the highest
// validation accuracy; without validation there is none.
func (t *Trainer) finish(it Iteration) error {
	if err := t.checkWeights(it); err != nil {
		return err
	}
	seconds := it.Elapsed.Seconds()
	t.done.Epoch = it.Epoch
	e := &Epoch{
		Epoch: it.Epoch, Epochs: it.Epochs, Iterations: it.Iterations,
		Loss: it.Loss, Accuracy: it.Accuracy, ValLoss: math.NaN(), ValAccuracy: math.NaN(),
		Seconds: seconds, SamplesPerSecond: float64(it.Seen) / seconds, Rates: it.Rates,
	}
	if t.Validation != nil {
		v, err := t.Validation.Evaluate()
		if err != nil {
			return err
		}
		if !finite(v.Loss) {
			return t.diverged(it, "the validation loss")
		}
		e.ValLoss, e.ValAccuracy, e.Metrics = v.Loss, v.Accuracy, v.Metrics
		if t.done.BestEpoch == 0 || v.Accuracy > t.done.BestAccuracy {
			t.done.BestEpoch, t.done.BestAccuracy = it.Epoch, v.Accuracy
			if err := t.Checkpoints.SaveBest(t.done); err != nil {
				return err
			}
		}
	}
	e.BestEpoch = t.done.BestEpoch
	if err := t.Checkpoints.SaveLast(t.done); err != nil {
		return err
	}
	return t.tell(func(o Observer) error { return o.OnEpoch(e) })
}

// share gives everything that takes time in a run to the team.
func (t *Trainer) share() {
	t.Graph.Share(t.Team)
	for _, s := range t.Solvers {
		s.Share(t.Team)
	}
	if t.Validation != nil {
		t.Validation.Share(t.Team)
	}
	t.feed = feed{graph: t.Graph, set: t.Train}
	t.pace = team.NewPace(t.Team)
}

// iterations is the number of batches of an epoch, the short last one counted.
func (t *Trainer) iterations() int {
	batch := len(t.Graph.Labels)
	return (t.Train.Len() + batch - 1) / batch
}

func (t *Trainer) rates() (rates Rates) {
	for i, group := range t.Graph.Groups {
		rates = append(rates, Rate{Group: group.Name, LearnRate: t.Solvers[i].LearnRate()})
	}
	return rates
}

func (t *Trainer) tell(event func(Observer) error) error {
	for _, o := range t.Observers {
		if err := event(o); err != nil {
			return err
		}
	}
	return nil
}
