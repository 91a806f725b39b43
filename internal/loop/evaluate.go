package loop

import (
	"fmt"
	"slices"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/team"
)

// Evaluator evaluates a model on a set. Each call uses the current weights.
type Evaluator struct {
	Metrics *metric.Set // to measure besides loss and accuracy; nil for none

	// Each, unless it is nil, is called with each row of the set, its label, the prediction and the logits, in the order of the rows. The
	// logits are valid until it returns.
	Each func(row, label, prediction int32, logits []float32)

	feed  feed
	order []int32
	team  *team.Team
	loss  loss.Loss
	views *views // nil: only the images themselves
}

// evaluationBatch is the batch of an evaluation: large enough for fast products, small enough for its images and
// activations to stay in the cache.
const evaluationBatch = 250

// Maps are large. So a network over maps takes fewer images at once: as many as have about this many values between the layers, 16 MiB.
const (
	evaluationValues = 4 << 20
	evaluationLeast  = 8 // images, to share among threads
)

// batchFor is the batch of an evaluation of the model.
func batchFor(m *model.Model) int {
	layers := m.Layers()
	if len(layers[0].In) == 1 {
		return evaluationBatch
	}
	values := 0
	for _, l := range layers {
		values += l.Out.Size()
	}
	return min(max(evaluationValues/values, evaluationLeast), evaluationBatch)
}

// NewEvaluator makes the forward-only graph of a model over the given weights.
func NewEvaluator(m *model.Model, weights model.Weights, set *dataset.Set) (*Evaluator, error) {
	graph, err := m.NewInference(weights, min(batchFor(m), set.Len()))
	if err != nil {
		return nil, err
	}
	order := make([]int32, set.Len())
	for i := range order {
		order[i] = int32(i)
	}
	return &Evaluator{feed: feed{graph: graph, set: set}, order: order, loss: m.Loss.OrDefault().Loss}, nil
}

// UseTeam splits the work of later evaluations among the team. The result has the same bits for any number of members.
func (e *Evaluator) UseTeam(t *team.Team) {
	e.team = t
	e.feed.graph.UseTeam(t)
}

// Evaluation is what was measured.
type Evaluation struct {
	Loss, Accuracy float64 // means over the samples
	Count          int
	Confusion      metric.Confusion
	Metrics        metric.Values // of the evaluator's metrics
}

// Evaluate runs the model over the whole set.
func (e *Evaluator) Evaluate() (*Evaluation, error) {
	var total metric.Tally
	confusion := metric.NewConfusion(dataset.Classes)
	graph := e.feed.graph
	batch := len(graph.Labels)
	e.Metrics.Reset()
	for order := e.order; len(order) > 0; {
		rows := order[:min(batch, len(order))]
		order = order[len(rows):]
		out, err := e.run(rows)
		if err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		total.Add(out.lossSum, out.correct, out.count)
		e.Metrics.Update(out.logits, graph.Labels, out.predictions)
		for i, label := range graph.Labels {
			if label != layer.Ignored {
				confusion[label][out.predictions[i]]++
				if e.Each != nil {
					e.Each(rows[i], label, out.predictions[i], out.logits[i*dataset.Classes:(i+1)*dataset.Classes])
				}
			}
		}
	}
	return &Evaluation{
		Loss: total.Loss(), Accuracy: total.Accuracy(), Count: total.Seen, Confusion: confusion, Metrics: slices.Clone(e.Metrics.Values()),
	}, nil
}
