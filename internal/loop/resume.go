package loop

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/solver"
)

// Resume makes Run continue where the run was saved, to the same bits as if it had never stopped. The trainer must be new, with the
// settings and the data of the saved run. If the checkpoint does not fit, it is an error, and the trainer must not be run.
//
// With override, the settings and the data may differ. A group that is new, has another solver, or was frozen or unfrozen starts with the
// state of a new solver.
func (t *Trainer) Resume(s *run.Saved, override bool) error {
	if err := t.resume(s, override); err != nil {
		return fmt.Errorf("%s: %w", s.Path, err)
	}
	settings, err := json.Marshal(t.Settings)
	if err != nil {
		return fmt.Errorf("settings: %w", err)
	}
	t.done, t.saving.of, t.bestLost = s.Progress, s.Progress, s.BestLost
	t.resumed, t.changed = &Resumed{From: s.Progress, Changed: changedSettings(s.Settings, settings)}, !bytes.Equal(settings, s.Settings)
	return nil
}

// changedSettings are the settings that differ from a checkpoint's, or that the checkpoint lacks.
func changedSettings(saved, settings []byte) map[string]json.RawMessage {
	var was, now map[string]json.RawMessage
	_, _ = json.Unmarshal(saved, &was), json.Unmarshal(settings, &now) // a text that is not an object has no settings
	changed := map[string]json.RawMessage{}
	for key, value := range now {
		if !bytes.Equal(was[key], value) {
			changed[key] = value
		}
	}
	return changed
}

func (t *Trainer) resume(s *run.Saved, override bool) error {
	if err := t.Data.Check(s.Data); err != nil && !override {
		return err
	}
	if err := t.checkProgress(s.Progress); err != nil {
		return err
	}
	if err := t.Weights.Set(s.Weights.Find); err != nil {
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
		saved, ok := s.Solvers[group.Name]
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
		if err := t.Solvers[i].SetState(saved.State); err != nil {
			return fmt.Errorf("%s group: %w", group.Name, err)
		}
	}
	return nil
}

// checkProgress is an error if this run can't have reached that progress.
func (t *Trainer) checkProgress(p run.Progress) error {
	if p.Epoch < 0 || p.Iteration < 0 || p.Iteration >= t.iterations() || p.BestEpoch < 0 || p.BestEpoch > p.Epoch {
		return fmt.Errorf("invalid progress: epoch %d, best epoch %d, iteration %d of %d", p.Epoch, p.BestEpoch, p.Iteration, t.iterations())
	}
	if want := p.Iteration * t.stepSamples(); p.Running.Seen != want {
		return fmt.Errorf("progress: expected %d images in %d iterations of %d, found %d; the batch size and accumulate can't change within an epoch",
			want, p.Iteration, t.stepSamples(), p.Running.Seen)
	}
	return nil
}

// fits is an error unless a saved state belongs to this solver and has this group's parameters.
func fits(s solver.Solver, group model.Group, saved run.SavedSolver) error {
	if saved.Name != s.Name() {
		return fmt.Errorf("expected the state of the solver %s, found that of %.100s", s.Name(), saved.Name)
	}
	if saved.State.Steps == 0 {
		return nil
	}
	found := map[string]bool{} // parameters; muon has one slot for matrices and others for vectors
	for _, slot := range saved.State.Slots {
		for parameter := range slot {
			found[parameter] = true
		}
	}
	if len(s.State().Slots) > 0 && len(found) != len(group.Parameters) {
		return fmt.Errorf("solver %s: expected the state of %d parameters, found %d", s.Name(), len(group.Parameters), len(found))
	}
	return nil
}
