package loop

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/schedule"
)

// Each step uses and reports the rate that its schedule gives: the losses are those of the plain twin with the reported rates, and the
// reported rates are the schedule's. An epoch reports the rates of its last step.
func TestScheduledRates(t *testing.T) {
	for _, schedules := range [][2]string{
		{"step:epochs=2", ""}, {"", "exponential:epochs=3"}, {"cosine:warmup=0.2", "1cycle:max=4"}, {"constant", "cosine:end=0.1"},
	} {
		s := small()
		s.epochs = 5
		s.lower, s.upper = group{"sgd", 0.05}, group{"sgd", 0.1}
		s.schedules = schedules
		var seen recorder
		trainer := s.trainer(t, &seen)
		m := newTwin(trainer.Weights, s.spec)
		train(t, trainer)

		step := 0
		for epoch := 1; epoch <= s.epochs; epoch++ {
			order := trainer.Sampler.Order(epoch)
			for range 3 {
				it := seen.iterations[step]
				at := schedule.Position{Step: step, Steps: 15, EpochSteps: 3}
				want := Rates{{Group: model.Lower, LearningRate: s.lower.rate}, {Group: model.Upper, LearningRate: s.upper.rate}}
				for i, parsed := range trainer.Schedules {
					if parsed != nil {
						want[i].LearningRate *= parsed.Factor(at)
						want[i].Scheduled = true
					}
				}
				if diff := cmp.Diff(want, it.Rates); diff != "" {
					t.Errorf("%v, step %d: rates (-want +got):\n%s", schedules, step, diff)
				}
				rows := order[:min(s.batch, len(order))]
				order = order[len(rows):]
				loss := m.step(trainer.Train, rows, func(parameter string) float64 {
					if parameter[:5] == model.Lower {
						return it.Rates[0].LearningRate
					}
					return it.Rates[1].LearningRate
				})
				if math.Abs(it.BatchLoss-loss) > 1e-5*loss {
					t.Fatalf("%v, step %d: batch loss %.9g, the twin's is %.9g", schedules, step, it.BatchLoss, loss)
				}
				step++
			}
			e := seen.epochs[epoch-1]
			if diff := cmp.Diff(seen.iterations[step-1].Rates, e.Rates); diff != "" {
				t.Errorf("%v, epoch %d: rates (-last step's +got):\n%s", schedules, epoch, diff)
			}
		}
	}
}

// A constant schedule gives the same bits as no schedule. A group with the rate 0 stays frozen under any schedule.
func TestSchedulesThatChangeNothing(t *testing.T) {
	run := func(s setup) map[string][]uint32 {
		trainer := s.trainer(t)
		train(t, trainer)
		return bits(trainer.Weights)
	}
	s := small()
	want := run(s)
	s.schedules = [2]string{"constant", "constant"}
	if !same(want, run(s)) {
		t.Error("a constant schedule changes the weights")
	}
	s.lower.rate, s.schedules = 0, [2]string{"1cycle:max=1000", ""}
	initial := bits(s.trainer(t).Weights)
	got := run(s)
	for name := range initial {
		if frozen := name[:5] == model.Lower; frozen != cmp.Equal(initial[name], got[name]) {
			t.Errorf("%s: unchanged is %v", name, !frozen)
		}
	}
}

// 1cycle changes the momentum of a solver that has one. A solver without momentum only gets the rate.
func TestScheduledMomentum(t *testing.T) {
	s := small()
	s.lower, s.upper = group{"adam", 1e-3}, group{"sgd", 1e-2}
	s.schedules = [2]string{"1cycle", "1cycle"}
	var seen recorder
	trainer := s.trainer(t, &seen)
	var got, want []float64
	seen.onIteration = func(it *Iteration) error {
		m, _ := trainer.Solvers[0].Momentum()
		got = append(got, m)
		at := schedule.Position{Step: 3*(it.Epoch-1) + it.Iteration - 1, Steps: 9, EpochSteps: 3}
		want = append(want, trainer.Schedules[0].(schedule.Momentum).Momentum(at))
		return nil
	}
	train(t, trainer)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("momenta (-want +got):\n%s", diff)
	}
}

// Plateau lowers the rate in the epoch after its patience has run out, depending on the validation losses of the earlier epochs.
func TestPlateauInARun(t *testing.T) {
	s := validated()
	s.epochs = 12
	s.schedules = [2]string{"", "plateau:patience=1"}
	var seen recorder
	trainer := s.trainer(t, &seen)
	train(t, trainer)
	var losses []float64
	reductions := 0
	for i, e := range seen.epochs {
		want := s.upper.rate * trainer.Schedules[1].Factor(schedule.Position{Losses: losses})
		if got := e.Rates[1].LearningRate; got != want || e.Rates[0].LearningRate != s.lower.rate {
			t.Errorf("epoch %d: rates %v, expected %v and %v", e.Epoch, e.Rates, s.lower.rate, want)
		}
		if i > 0 && want != seen.epochs[i-1].Rates[1].LearningRate {
			reductions++
		}
		losses = append(losses, e.ValLoss)
	}
	if reductions == 0 {
		t.Error("the rate was never lowered: the test shows nothing")
	}
	saved, err := run.Load(trainer.Checkpoints.Dir.Last())
	must(t, err)
	if diff := cmp.Diff(losses, saved.Progress.ValLosses); diff != "" {
		t.Errorf("saved validation losses (-want +got):\n%s", diff)
	}
}
