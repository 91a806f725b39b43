// Package loop is the training loop: epochs and iterations over a data set, the means of what it counts, validation,
// checkpoints, and the observers that show it.
//
// One iteration is: the next batch, one run of the graph forward and backward, one step of each group's solver, counting. Where
// gradients are accumulated it is so many batches and runs, and one step. The order of the samples is a function of the seed and
// the epoch, so a run is a function of its settings and its data.
//
// What may be switched on has a file of its own: rates.go the schedules, accumulate.go, clip.go, maxnorm.go and average.go what is
// done with gradients and weights, stop.go early stopping. save.go and resume.go are how a run outlives its process.
package loop

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/schedule"
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

	Schedules  []schedule.Schedule // one for each group, nil for a constant rate; may be empty
	Accumulate int                 // batches of a step; 0 is 1
	ClipNorm   float64             // largest norm of a step's gradients; 0 for any
	MaxNorm    float64             // largest norm of the weights of a unit; 0 for any
	Average    *Average            // of the weights; nil for none
	Patience   int                 // epochs without a better validation accuracy that end the run; 0 for any number
	Every      Every               // when to save within an epoch

	done      Progress // at the last epoch's end or, of a run that is taken up, where it was
	saving    saving
	resumed   bool
	changed   bool  // it was taken up with other settings than the checkpoint's
	lost      bool  // the best checkpoint was not there when the run was taken up, and no epoch has been better since
	start     Rates // those that the schedules multiply
	pace      *team.Pace
	feed      feed
	gradients gradients
	sums      sums
	norm      norm
	scaling   scaling
	columns   columns
}

// Run trains until the last epoch. It writes the initial checkpoint first, so that there is always one to go back to. When
// the context is cancelled or an observer fails it finishes the step, saves, and returns an [*Interrupted]; when a loss or a
// gradient is not finite it stops before the weights are touched, and returns a [*Diverged]; when a checkpoint can't be written, an
// [*Unsaved]. But for the initial one, checkpoints are written while the training goes on; when Run returns, they are whole.
func (t *Trainer) Run(ctx context.Context) (*Done, error) {
	done, err := t.run(ctx)
	return done, errors.Join(err, t.settle())
}

func (t *Trainer) run(ctx context.Context) (*Done, error) {
	begin := time.Now()
	t.share()
	start := &Start{
		Settings: t.Settings, Epochs: t.Epochs, Iterations: t.iterations(), Samples: t.Train.Len(),
		Validated: t.Validation != nil, Averaged: t.Average != nil && t.Average.evaluator != nil, Rates: t.rates(),
	}
	if t.Validation != nil {
		start.Metrics = t.Validation.Metrics.Names()
	}
	if err := t.tell(func(o Observer) error { return o.OnStart(start) }); err != nil {
		return nil, err
	}
	if err := t.saveFirst(); err != nil {
		return nil, err
	}
	for !t.Finished() {
		if err := t.epoch(ctx, t.done.Epoch+1); err != nil {
			return nil, err
		}
	}
	digest := Digest(t.Checkpoints.Weights)
	if err := t.settle(); err != nil {
		return nil, err
	}
	if err := t.restoreBest(); err != nil {
		return nil, err
	}
	done := &Done{
		Epochs:        t.done.Epoch,
		StoppedEarly:  t.done.Epoch < t.Epochs,
		BestEpoch:     t.done.BestEpoch,
		Checkpoint:    t.best(),
		BestLost:      t.lost,
		WeightsSHA256: digest,
		Seconds:       time.Since(begin).Seconds(),
	}
	return done, t.tell(func(o Observer) error { return o.OnDone(done) })
}

// epoch trains on every sample once, or on those that are left of an epoch that is taken up, validates, and saves.
func (t *Trainer) epoch(ctx context.Context, epoch int) error {
	batch := t.stepSamples()
	running := t.done.Running
	order := t.Sampler.Order(epoch)[running.Seen:]
	it := Iteration{
		Epoch: epoch, Epochs: t.Epochs, Iteration: t.done.Iteration, Iterations: t.iterations(),
		Elapsed: t.done.Elapsed, Rates: t.rates(),
	}
	t.Metrics.Restore(t.done.Metrics, running.Seen)
	var told error // what an observer failed to show
	begin := time.Now().Add(-it.Elapsed)
	t.pace.Begin()
	for it.Iteration < it.Iterations {
		if ctx.Err() != nil {
			return t.interrupt(it, t.within(it, running), nil)
		}
		rows := order[:min(batch, len(order))]
		order = order[len(rows):]
		it.Iteration++

		counted, err := t.step(it, rows, order[:min(batch, len(order))])
		if err != nil {
			return err
		}
		running.Add(counted.LossSum, counted.Correct, counted.Seen)

		it.BatchLoss = counted.Loss()
		it.Loss, it.Accuracy, it.Seen = running.Loss(), running.Accuracy(), running.Seen
		it.Metrics = t.Metrics.Values()
		it.Elapsed = time.Since(begin)
		told = t.tell(func(o Observer) error { return o.OnIteration(&it) })
		if told != nil && it.Iteration < it.Iterations {
			return t.interrupt(it, t.within(it, running), told)
		}
		t.pace.Step()
		if err := t.checkSaved(); err != nil {
			return err
		}
		if t.Every.due(it, t.saving.of) {
			if err := t.saveWithin(it, running); err != nil {
				return err
			}
			begin = time.Now().Add(-it.Elapsed)
			t.pace.Begin()
		}
	}
	return t.finish(it, told)
}

// step trains on the rows of one batch, or of as many as are accumulated: forward and backward, and then each group's solver,
// unless something is not finite. What it counted is of the weights before. next are the rows of the step after it.
func (t *Trainer) step(it Iteration, rows, next []int32) (counted Mean, err error) {
	if counted, err = t.differentiate(it, rows, next); err != nil {
		return counted, err
	}
	t.clip()
	if err := t.schedule(it); err != nil {
		return counted, err
	}
	for i, group := range t.Graph.Groups {
		if err := t.Solvers[i].Step(group.ValueGrads()); err != nil {
			return counted, fmt.Errorf("epoch %d, iteration %d: %s solver: %w", it.Epoch, it.Iteration, group.Name, err)
		}
	}
	t.constrain()
	t.average(it)
	return counted, nil
}

// finish validates at the end of an epoch, tells the observers, and saves. The best epoch is the first of the highest
// validation accuracy; without validation there is none. What an observer has failed to show, now or at the last iteration, ends
// the run once that is saved.
func (t *Trainer) finish(it Iteration, told error) error {
	if err := t.checkWeights(it); err != nil {
		return err
	}
	seconds := it.Elapsed.Seconds()
	t.done = Progress{Epoch: it.Epoch, BestEpoch: t.done.BestEpoch, BestAccuracy: t.done.BestAccuracy, ValLosses: t.done.ValLosses}
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
		t.note(v.Loss)
		if err := t.validateAverage(it, e); err != nil {
			return err
		}
		if t.done.BestEpoch == 0 || v.Accuracy > t.done.BestAccuracy {
			t.done.BestEpoch, t.done.BestAccuracy = it.Epoch, v.Accuracy
		}
	}
	e.BestEpoch = t.done.BestEpoch
	if err := t.tell(func(o Observer) error { return o.OnEpoch(e) }); told == nil {
		told = err
	}
	if told != nil {
		return t.interrupt(it, t.done, told)
	}
	return t.save(t.done)
}

// share gives everything that takes time in a run to the team.
func (t *Trainer) share() {
	t.Graph.UseTeam(t.Team)
	for _, s := range t.Solvers {
		s.UseTeam(t.Team)
	}
	if t.Validation != nil {
		t.Validation.UseTeam(t.Team)
	}
	if t.Average != nil && t.Average.evaluator != nil {
		t.Average.evaluator.UseTeam(t.Team)
	}
	t.feed = feed{graph: t.Graph, set: t.Train}
	t.pace = team.NewPace(t.Team)
	t.start = t.rates()
}

// iterations is the number of steps of an epoch, the short last one counted.
func (t *Trainer) iterations() int {
	samples := t.stepSamples()
	return (t.Train.Len() + samples - 1) / samples
}

// stepSamples is the number of samples of a step, unless it is the last of an epoch.
func (t *Trainer) stepSamples() int { return len(t.Graph.Labels) * max(1, t.Accumulate) }

// tell tells all observers, even if one of them fails.
func (t *Trainer) tell(event func(Observer) error) (err error) {
	for _, o := range t.Observers {
		if failed := event(o); failed != nil {
			err = errors.Join(err, failed)
		}
	}
	return err
}
