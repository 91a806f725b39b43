package loop

import (
	"fmt"
	"slices"

	"fmtrain/internal/dataset"
	"fmtrain/internal/layer"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/team"
)

// Evaluator measures a model on a set, with the weights as they are at each call.
type Evaluator struct {
	Metrics *metric.Set // to measure besides loss and accuracy; nil for none

	feed  feed
	order []int32
	team  *team.Team
}

// evaluationBatch is the batch of an evaluation: large enough for the products to be quick, small enough for its images and
// activations to stay in the cache.
const evaluationBatch = 250

// NewEvaluator makes the forward-only graph of a model over the given weights.
func NewEvaluator(m *model.Model, weights model.Weights, set *dataset.Set) (*Evaluator, error) {
	graph, err := m.NewInference(weights, min(evaluationBatch, set.Len()))
	if err != nil {
		return nil, err
	}
	order := make([]int32, set.Len())
	for i := range order {
		order[i] = int32(i)
	}
	return &Evaluator{feed: feed{graph: graph, set: set}, order: order}, nil
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
	Confusion      Confusion
	Metrics        metric.Values // of the evaluator's metrics
}

// Evaluate runs the model over the whole set.
func (e *Evaluator) Evaluate() (*Evaluation, error) {
	var total Mean
	var confusion Confusion
	graph := e.feed.graph
	batch := len(graph.Labels)
	e.Metrics.Reset()
	for order := e.order; len(order) > 0; {
		rows := order[:min(batch, len(order))]
		order = order[len(rows):]
		e.feed.fill(e.team, rows, nil)
		if err := graph.Run(); err != nil {
			return nil, fmt.Errorf("evaluation: %w", err)
		}
		loss := graph.Loss
		total.Add(loss.LossSum, loss.Correct, loss.Count)
		e.Metrics.Update(loss.Logits, graph.Labels, loss.Predictions)
		for i, label := range graph.Labels {
			if label != layer.Ignored {
				confusion[label][loss.Predictions[i]]++
			}
		}
	}
	return &Evaluation{
		Loss: total.Loss(), Accuracy: total.Accuracy(), Count: total.Seen, Confusion: confusion, Metrics: slices.Clone(e.Metrics.Values()),
	}, nil
}

// Confusion counts samples by true class (row) and predicted class (column).
type Confusion [dataset.Classes][dataset.Classes]int

// ClassScore is how well one class was told from the others.
type ClassScore struct {
	Label     string  `json:"label"`
	Precision float64 `json:"precision"` // of the samples predicted as this class, the fraction that are
	Recall    float64 `json:"recall"`    // of the samples of this class, the fraction predicted as such
	F1        float64 `json:"f1"`        // the harmonic mean of the two
	Support   int     `json:"support"`   // the samples of this class
}

// Scores are the scores of each class. A fraction of nothing counts as 0.
func (c *Confusion) Scores() []ClassScore {
	scores := make([]ClassScore, len(c))
	for k := range c {
		var support, predicted int
		for j := range c {
			support += c[k][j]
			predicted += c[j][k]
		}
		hits := float64(c[k][k])
		scores[k] = ClassScore{
			Label:     dataset.ClassNames[k],
			Precision: hits / float64(max(predicted, 1)),
			Recall:    hits / float64(max(support, 1)),
			F1:        2 * hits / float64(max(predicted+support, 1)),
			Support:   support,
		}
	}
	return scores
}
