package loop

import (
	"fmt"

	"fmtrain/internal/op"
)

// differentiate runs the batches of one step forward and backward, unless something is not finite. Afterwards the gradients are
// those of the mean loss over all rows, and counted is what they came to. next are the rows of the step after it.
func (t *Trainer) differentiate(it Iteration, rows, next []int32) (counted Mean, err error) {
	batch := len(t.Graph.Labels)
	t.Graph.Draw.Step = uint64((it.Epoch-1)*it.Iterations + it.Iteration)
	for first := 0; first < len(rows); first += batch {
		last := min(first+batch, len(rows))
		following := rows[last:]
		if last == len(rows) {
			following = next
		}
		t.feed.fill(t.Team, rows[first:last], following[:min(batch, len(following))])
		t.Graph.Draw.Row = first
		if err := t.Graph.Run(); err != nil {
			return counted, fmt.Errorf("epoch %d, iteration %d: %w", it.Epoch, it.Iteration, err)
		}
		if err := t.checkFinite(it); err != nil {
			return counted, err
		}
		loss := t.Graph.Loss
		counted.Add(loss.LossSum, loss.Correct, loss.Count)
		t.Metrics.Update(loss.Logits, t.Graph.Labels, loss.Predictions)
		if len(rows) > batch {
			t.sums.add(t, first, last, len(rows))
		}
	}
	return counted, nil
}

// sums adds up the gradients of the batches of a step. A batch's gradient is that of the mean loss over its rows; weighed by
// their part in all rows of the step they add up to the gradient of the mean over all, the short last batch counting for no more
// than it is. The sums are taken in float64, so that many batches round no more than one.
type sums struct {
	gradients   [][]float32
	totals      [][]float64
	weight      float64 // of the batch
	first, last bool    // batch of the step
}

// add takes in the gradients of the batch of rows first to last of n; after the last batch the gradients hold the sums. They are
// the outputs of ops, which the next run fills anew.
func (s *sums) add(t *Trainer, first, last, n int) {
	s.gradients = t.gradients.values
	if s.totals == nil {
		for _, g := range s.gradients {
			s.totals = append(s.totals, make([]float64, len(g)))
		}
	}
	s.weight, s.first, s.last = float64(last-first)/float64(n), first == 0, last == n
	t.Team.Run(s)
}

// Do adds up a share of each gradient, as a [team.Job].
func (s *sums) Do(part, parts int) {
	for i, gradient := range s.gradients {
		lo, hi := op.Split(len(gradient), part, parts)
		g, total := gradient[lo:hi], s.totals[i][lo:hi]
		if s.first {
			clear(total)
		}
		for j, x := range g {
			total[j] += float64(s.weight * float64(x))
		}
		if s.last {
			for j, x := range total {
				g[j] = float32(x)
			}
		}
	}
}
