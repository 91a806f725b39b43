package loop

import (
	"fmt"
	"sync/atomic"

	"fmtrain/internal/kernel"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/op"
	"fmtrain/internal/team"
)

// gradientSource computes the gradient of a step. The loop does not depend on where it comes from: here it is [local]; it could also
// come in shards from several processes.
type gradientSource interface {
	// compute sets the gradients of the graph's parameters to those of the mean loss over the rows, and returns the counts.
	// The epoch is that of the rows, the step is counted from the start of the run, next are the rows of the following step.
	// After an error, a [*notFinite] among them, the weights are as before.
	compute(epoch int, step uint64, rows, next []int32) (metric.Tally, error)
	// values are the gradients just computed, in the order of the groups and their parameters. The solvers see changes to them.
	values() [][]float32
}

// notFinite is the error for a loss or a gradient that is NaN or infinite.
type notFinite struct{ where string } // the first such node of the graph

func (n *notFinite) Error() string { return "NaN or Inf in " + n.where }

// local computes the gradient with one graph, one batch after the other.
type local struct {
	graph     *model.Graph
	team      *team.Team
	metrics   *metric.Set
	feed      feed
	gradients gradients
	sums      sums
}

func newLocal(t *Trainer) *local {
	l := &local{graph: t.Graph, team: t.Team, metrics: t.Metrics, feed: feed{graph: t.Graph, set: t.Train}}
	if t.Augmenter != nil {
		l.feed.change(t.Augmenter, t.Team)
	}
	return l
}

func (l *local) values() [][]float32 { return l.gradients.values }

func (l *local) compute(epoch int, step uint64, rows, next []int32) (counted metric.Tally, err error) {
	batch := len(l.graph.Labels)
	l.graph.Draw.Step, l.feed.epoch = step, epoch
	for first := 0; first < len(rows); first += batch {
		last := min(first+batch, len(rows))
		following := rows[last:]
		if last == len(rows) {
			following = next
		}
		l.feed.fill(l.team, rows[first:last], following[:min(batch, len(following))])
		l.graph.Draw.Row = first
		if err := l.graph.Run(); err != nil {
			return counted, err
		}
		if err := l.checkFinite(); err != nil {
			return counted, err
		}
		loss := l.graph.Loss
		counted.Add(loss.LossSum, loss.Correct, loss.Count)
		l.metrics.Update(loss.Logits, l.graph.Labels, loss.Predictions)
		if len(rows) > batch {
			l.sums.add(l, first, last, len(rows))
		}
	}
	return counted, nil
}

// checkFinite is a [*notFinite] if the loss or a gradient of the last run is NaN or infinite.
func (l *local) checkFinite() error {
	if err := l.gradients.read(l.graph.Groups); err != nil {
		return err
	}
	if finite(l.graph.Loss.LossSum) && l.gradients.finite(l.team) {
		return nil
	}
	return &notFinite{l.graph.FirstNonFinite()}
}

// gradients are the values of all gradients.
type gradients struct {
	values [][]float32
	broken atomic.Bool
}

// read takes the gradients of the last run.
func (g *gradients) read(groups []model.Group) error {
	g.values = g.values[:0]
	for _, group := range groups {
		for _, p := range group.Parameters {
			gradient, err := p.Grad()
			if err != nil {
				return fmt.Errorf("gradient: %w", err)
			}
			values, err := op.Floats(gradient)
			if err != nil {
				return err
			}
			g.values = append(g.values, values)
		}
	}
	return nil
}

// finite says whether no gradient is NaN or infinite; each member of the team checks a share.
func (g *gradients) finite(t *team.Team) bool {
	g.broken.Store(false)
	t.Run(g)
	return !g.broken.Load()
}

// Do checks a share of each gradient, as a [team.Job].
func (g *gradients) Do(part, parts int) {
	for _, values := range g.values {
		lo, hi := op.Split(len(values), part, parts)
		if !kernel.AllFinite(values[lo:hi]) {
			g.broken.Store(true)
		}
	}
}

// sums adds up the gradients of a step's batches. The gradient of a batch is that of the mean loss over its rows. Each is weighted by
// its share of the step's rows, so the sum is the gradient of the mean over all rows, whatever the length of the last batch. The sums
// are float64, so that the rounding of many batches is no larger than that of one.
type sums struct {
	gradients   [][]float32
	totals      [][]float64
	weight      float64 // of the batch
	first, last bool    // batch of the step
}

// add adds the gradients of the batch of rows first to last, of n. After the last batch the gradients hold the sums: they are the
// outputs of ops, and the next run overwrites them.
func (s *sums) add(l *local, first, last, n int) {
	s.gradients = l.gradients.values
	if s.totals == nil {
		for _, g := range s.gradients {
			s.totals = append(s.totals, make([]float64, len(g)))
		}
	}
	s.weight, s.first, s.last = float64(last-first)/float64(n), first == 0, last == n
	l.team.Run(s)
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
