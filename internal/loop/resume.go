package loop

import (
	"bytes"
	"encoding/json"
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

// ErrNoCheckpoint is that a run directory has no checkpoint to take up.
var ErrNoCheckpoint = errors.New("no checkpoint")

// LoadRun reads the last checkpoint of a run directory, to take the run up. If that is damaged or gone, the one before it is read
// and takes its place. A checkpoint in another version of the format is no damage, and is refused. That the best checkpoint is gone,
// or is of another epoch, is no reason not to go on. Of both the warnings tell. If there is no checkpoint at all, the error is an
// [ErrNoCheckpoint]. No process may be writing to the run.
func LoadRun(run string) (saved *Saved, warnings []string, err error) {
	last, previous := LastPath(run), PreviousPath(run)
	saved, err = Load(last)
	if errors.Is(err, checkpoint.ErrVersion) {
		return nil, nil, err
	}
	if err != nil {
		before, previousErr := Load(previous)
		switch {
		case errors.Is(err, fs.ErrNotExist) && errors.Is(previousErr, fs.ErrNotExist):
			return nil, nil, fmt.Errorf("%w: expected a run directory with %s, found none", ErrNoCheckpoint, last)
		case errors.Is(previousErr, fs.ErrNotExist):
			return nil, nil, err
		case previousErr != nil:
			return nil, nil, fmt.Errorf("%w; nor can the one before it be used: %w", err, previousErr)
		}
		if err := atomicfile.Link(previous, last); err != nil {
			return nil, nil, fmt.Errorf("%s is to take the place of a damaged checkpoint: %w", previous, err)
		}
		saved = before
		warnings = append(warnings, fmt.Sprintf("%v; taking the one before it, of %v", err, saved.Progress))
	}
	if err := lostBest(run, saved.Progress); err != nil {
		saved.lost = true
		warnings = append(warnings, fmt.Sprintf("the checkpoint of the best epoch, %d, is lost: %v", saved.Progress.BestEpoch, err))
	}
	return saved, warnings, nil
}

// lostBest is an error if the best checkpoint of a run that has come so far is not there. At the end of the best epoch it need not
// be: the last one is then the best.
func lostBest(run string, p Progress) error {
	if p.BestEpoch == 0 || p.isBest() {
		return nil
	}
	best, err := Load(BestPath(run))
	if err != nil {
		return err
	}
	if best.Progress.Epoch != p.BestEpoch {
		return fmt.Errorf("%s is of %v", BestPath(run), best.Progress)
	}
	return nil
}

// Resume has the run go on from where it was saved: Run then does what is left of it, to the same bits. The trainer must be new,
// with the settings and the data of the saved run; what does not fit is an error, and the trainer must then not be run.
//
// With override the settings and the data may be others. A group that is new, whose solver is another, or that has become frozen or
// trainable, then begins with the state of a new solver.
func (t *Trainer) Resume(s *Saved, override bool) error {
	if err := t.resume(s, override); err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	settings, err := json.Marshal(t.Checkpoints.Settings)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	t.done, t.saving.of, t.lost = s.Progress, s.Progress, s.lost
	t.resumed, t.changed = true, !bytes.Equal(settings, s.Settings)
	return nil
}

func (t *Trainer) resume(s *Saved, override bool) error {
	if err := t.Checkpoints.Data.check(s.Data); err != nil && !override {
		return err
	}
	if err := t.checkProgress(s.Progress); err != nil {
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
		if !ok && override {
			continue
		}
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

// check is an error unless the data are those that the run was begun on.
func (d Data) check(begun Data) error {
	if begun == nil && d != nil {
		return errors.New("expected the SHA-256 of the training files, found none: it can't be told whether they are the same; --override trains on any")
	}
	for _, name := range slices.Sorted(maps.Keys(begun)) {
		if d[name] != begun[name] {
			return fmt.Errorf("expected the %.100s on which the run was begun, with the SHA-256 %.100s, found another, %s; --override trains on it",
				name, begun[name], d[name])
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
