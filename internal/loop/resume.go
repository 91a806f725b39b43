package loop

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/checkpoint"
	"fmtrain/internal/model"
	"fmtrain/internal/solver"
)

// LoadRun reads the last checkpoint of a run directory, to take the run up. If that is damaged or gone, the one before it is read
// and takes its place; warning then says so, and is empty otherwise. A checkpoint in another version of the format is no damage,
// and is refused. No process may be writing to the run.
func LoadRun(run string) (saved *Saved, warning string, err error) {
	last, previous := LastPath(run), PreviousPath(run)
	saved, err = Load(last)
	if err == nil || errors.Is(err, checkpoint.ErrVersion) {
		return saved, "", err
	}
	saved, previousErr := Load(previous)
	switch {
	case errors.Is(err, fs.ErrNotExist) && errors.Is(previousErr, fs.ErrNotExist):
		return nil, "", fmt.Errorf("expected a run directory with %s, found none: %w", last, err)
	case errors.Is(previousErr, fs.ErrNotExist):
		return nil, "", err
	case previousErr != nil:
		return nil, "", fmt.Errorf("%w; nor can the one before it be used: %w", err, previousErr)
	}
	if err := atomicfile.Link(previous, last); err != nil {
		return nil, "", fmt.Errorf("%s is to take the place of a damaged checkpoint: %w", previous, err)
	}
	return saved, fmt.Sprintf("%v; taking the one before it, of %v", err, saved.Progress), nil
}

// Resume has the run go on from where it was saved: Run then does what is left of it, to the same bits. The trainer must be new,
// with the settings and the data of the saved run; what does not fit is an error, and the trainer must then not be run.
//
// With override the settings and the data may be others. A group whose solver is another, or has become frozen or trainable, then begins with
// the state of a new solver.
func (t *Trainer) Resume(s *Saved, override bool) error {
	if err := t.resume(s, override); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	t.done, t.saved, t.saving.of, t.resumed = s.Progress, s.Progress, s.Progress, true
	return nil
}

func (t *Trainer) resume(s *Saved, override bool) error {
	if err := t.checkProgress(s.Progress); err != nil {
		return err
	}
	if err := t.Checkpoints.Data.is(s.Data); err != nil && !override {
		return err
	}
	if err := t.Checkpoints.Weights.Set(s.Weights.Find); err != nil {
		return err
	}
	if t.Average != nil {
		average := s.Average
		if average == nil {
			if !override {
				return errors.New("expected averaged weights (tensors ema.…), found none")
			}
			average = s.Weights
		}
		if err := t.Average.Weights.Set(average.Find); err != nil {
			return fmt.Errorf("averaged weights: %w", err)
		}
	}
	for i, group := range t.Graph.Groups {
		saved, ok := s.solvers[group.Name]
		if !ok {
			return fmt.Errorf("expected the state of the %s solver, found none", group.Name)
		}
		if err := fits(t.Solvers[i], group, saved); err != nil {
			if override {
				continue
			}
			return fmt.Errorf("%s group: %w", group.Name, err)
		}
		if err := t.Solvers[i].SetState(saved.state); err != nil {
			return fmt.Errorf("%s group: %w", group.Name, err)
		}
	}
	return nil
}

// checkProgress is an error if this run can't have come to that.
func (t *Trainer) checkProgress(p Progress) error {
	if p.Epoch < 0 || p.Iteration < 0 || p.Iteration >= t.iterations() || p.BestEpoch < 0 || p.BestEpoch > p.Epoch {
		return fmt.Errorf("progress: expected a whole number of epochs, the best one of them, and less than the %d iterations of another, found %d, %d and %d",
			t.iterations(), p.Epoch, p.BestEpoch, p.Iteration)
	}
	if want := p.Iteration * t.stepSamples(); p.Running.Seen != want {
		return fmt.Errorf("progress: expected %d images in %d iterations of %d, found %d; an epoch ends with the steps that it began with",
			want, p.Iteration, t.stepSamples(), p.Running.Seen)
	}
	return nil
}

// is is an error unless the data are those that were saved.
func (d Data) is(saved Data) error {
	for _, name := range slices.Sorted(maps.Keys(saved)) {
		if d[name] != saved[name] {
			return fmt.Errorf("expected the %.100s on which the run was begun, with the SHA-256 %.100s, found another, %s; --override trains on it",
				name, saved[name], d[name])
		}
	}
	return nil
}

// fits is an error unless a saved state is of this solver and of this group's parameters.
func fits(s solver.Solver, group model.Group, saved savedSolver) error {
	if saved.name != s.Name() {
		return fmt.Errorf("expected the state of the solver %s, found that of %s", s.Name(), saved.name)
	}
	if saved.state.Steps == 0 {
		return nil
	}
	for slot := range s.State().Slots {
		if found := len(saved.state.Slots[slot]); found != len(group.Parameters) {
			return fmt.Errorf("solver %s: expected %s of %d parameters, found it of %d", s.Name(), slot, len(group.Parameters), found)
		}
	}
	return nil
}
