package progress

import (
	"fmt"
	"testing"
	"time"

	"fmtrain/internal/loop"
)

// script is a run for tests of observers: its numbers are a function of the epoch and the iteration.
type script struct {
	epochs, iterations, batch int
	step                      time.Duration
}

var rates = loop.Rates{{Group: "lower", LearningRate: 1e-4}, {Group: "upper", LearningRate: 1e-3}}

func (s script) iteration(epoch, i int) *loop.Iteration {
	x := float64((epoch-1)*s.iterations + i)
	return &loop.Iteration{
		Epoch: epoch, Epochs: s.epochs, Iteration: i, Iterations: s.iterations,
		BatchLoss: 1/x + 0.1, Loss: 2.3/(1+x/100) + 1/3., Accuracy: 1 - 1/(1+x/7),
		Seen: i * s.batch, Elapsed: time.Duration(i) * s.step, Rates: rates,
	}
}

// epoch is the event after its last iteration; the even epochs are not the best so far.
func (s script) epoch(epoch int) *loop.Epoch {
	last := s.iteration(epoch, s.iterations)
	return &loop.Epoch{
		Epoch: epoch, Epochs: s.epochs, Iterations: s.iterations,
		Loss: last.Loss, Accuracy: last.Accuracy, ValLoss: last.Loss * 1.1, ValAccuracy: last.Accuracy * 0.99,
		Seconds: last.Elapsed.Seconds(), SamplesPerSecond: float64(last.Seen) / last.Elapsed.Seconds(),
		Rates: rates, BestEpoch: epoch - 1 + epoch%2,
	}
}

func (s script) start() *loop.Start {
	return &loop.Start{Epochs: s.epochs, Iterations: s.iterations, Samples: s.iterations * s.batch, Validated: true, Rates: rates}
}

// tell sends the events of the run to the observer, and calls then after each event.
func (s script) tell(t *testing.T, o loop.Observer, then func(event string)) {
	t.Helper()
	told := func(err error, event string) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", event, err)
		}
		if then != nil {
			then(event)
		}
	}
	told(o.OnStart(s.start()), "start")
	for e := 1; e <= s.epochs; e++ {
		for i := 1; i <= s.iterations; i++ {
			told(o.OnIteration(s.iteration(e, i)), fmt.Sprintf("iteration %d.%d", e, i))
		}
		told(o.OnEpoch(s.epoch(e)), fmt.Sprintf("epoch %d", e))
	}
	told(o.OnDone(&loop.Done{Epochs: s.epochs, BestEpoch: 1, Checkpoint: "runs/1/best.safetensors", Seconds: 3.5}), "done")
}

var fashion = script{epochs: 5, iterations: 1719, batch: 32, step: 300 * time.Microsecond}
