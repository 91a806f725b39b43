package loop

import (
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
	"fmtrain/internal/team"
	"fmtrain/internal/version"
)

// Trainer is a training run: the model, the data, the solvers and other features, and the run directory. It runs once.
// Several trainers may run in one process at the same time, and share their images.
type Trainer struct {
	Model      *model.Model
	Weights    model.Weights
	Graph      *model.Graph    // over the weights, for batches of the run's size
	Solvers    []solver.Solver // one for each of the graph's groups
	Train      *dataset.Set
	Sampler    *dataset.Sampler // of the training set
	Validation *Evaluator       // nil without validation images
	Metrics    *metric.Set      // of the training samples; nil for none
	Epochs     int
	Team       *team.Team // does the steps; nil for only the caller

	Checkpoints *run.Checkpoints // nil: nothing is saved
	Settings    any              // the resolved settings, for the observers and the checkpoints
	Data        run.Data         // for the checkpoints: nil if it is not known
	Program     version.Info     // for the observers
	Before      time.Duration    // training time of the epochs done in earlier sessions

	Schedules  []schedule.Schedule // one for each group, nil for a constant rate; may be empty
	Accumulate int                 // batches of a step; 0 is 1
	Augmenter  *dataset.Augmenter  // changes the training images; nil for none
	ClipNorm   float64             // largest norm of a step's gradients; 0 for any
	MaxNorm    float64             // largest norm of the weights of a unit; 0 for any
	Average    *Average            // of the weights; nil for none
	Patience   int                 // epochs without a better validation accuracy that end the run; 0 for any number
	Every      Every               // when to save within an epoch

	observers []Observer
	done      run.Progress // at the end of the last epoch; of a resumed run, where it was saved
	saving    saving
	resumed   *Resumed
	changed   bool  // it was resumed with settings other than the checkpoint's
	bestLost  bool  // the best checkpoint is gone, and no epoch has been better since
	start     Rates // multiplied by the schedules
	pace      *team.Pace
	gradients gradientSource
	counted   []float64 // sums of the metrics before the step
	norm      norm
	scaling   scaling
	columns   columns
}

// share lets the team do everything that takes time.
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
	t.gradients = newLocal(t)
	t.pace = team.NewPace(t.Team)
	t.start = t.rates()
}

// iterations is the number of steps of an epoch, the short last one included.
func (t *Trainer) iterations() int {
	samples := t.stepSamples()
	return (t.Train.Len() + samples - 1) / samples
}

// stepSamples is the number of samples of a step, unless it is the last of an epoch.
func (t *Trainer) stepSamples() int { return len(t.Graph.Labels) * max(1, t.Accumulate) }
