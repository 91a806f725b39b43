package loop

import (
	"fmt"

	"fmtrain/internal/schedule"
)

// schedule sets the solvers' learning rates for a step, and their momenta if a schedule changes them. It puts the rates into the
// iteration, so observers see what the step used. A group whose schedule is nil keeps its rate.
func (t *Trainer) schedule(it Iteration) error {
	at := schedule.Position{
		Step:       it.step() - 1,
		Steps:      it.Epochs * it.Iterations,
		EpochSteps: it.Iterations,
		Losses:     t.done.ValLosses,
	}
	for i, s := range t.Schedules {
		if s == nil {
			continue
		}
		rate := t.start[i].LearningRate * s.Factor(at)
		if err := t.Solvers[i].SetLearningRate(rate); err != nil {
			return fmt.Errorf("epoch %d, iteration %d: %s group: %w", it.Epoch, it.Iteration, it.Rates[i].Group, err)
		}
		it.Rates[i].LearningRate = rate
		if m, ok := s.(schedule.Momentum); ok {
			if _, has := t.Solvers[i].Momentum(); has {
				if err := t.Solvers[i].SetMomentum(m.Momentum(at)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// keepLoss keeps a validation loss if a schedule uses them.
func (t *Trainer) keepLoss(loss float64) {
	for _, s := range t.Schedules {
		if schedule.NeedsLosses(s) {
			t.done.ValLosses = append(t.done.ValLosses, loss)
			return
		}
	}
}

func (t *Trainer) rates() (rates Rates) {
	for i, group := range t.Graph.Groups {
		rates = append(rates, Rate{
			Group: group.Name, LearningRate: t.Solvers[i].LearningRate(),
			Scheduled: i < len(t.Schedules) && t.Schedules[i] != nil,
		})
	}
	return rates
}
