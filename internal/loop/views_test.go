package loop

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
	"fmtrain/internal/team"
)

// viewed are the images of a set as a view shows them.
func viewed(s *dataset.Set, v dataset.View) *dataset.Set {
	changed := &dataset.Set{Labels: s.Labels}
	var image [dataset.Pixels]uint8
	for row := range s.Len() {
		v.Change(&image, s.Images[row*dataset.Pixels:(row+1)*dataset.Pixels], 1, row)
		changed.Images = append(changed.Images, image[:]...)
	}
	return changed
}

// logitsOf are the model's logits for each image of a set, one by one.
func logitsOf(t *testing.T, m *model.Model, weights model.Weights, s *dataset.Set) (all [][]float32) {
	t.Helper()
	graph, err := m.NewInference(weights, 1)
	must(t, err)
	for row := range s.Len() {
		s.Fill(graph.Images, graph.Labels, []int32{int32(row)})
		must(t, graph.Run())
		all = append(all, append([]float32(nil), graph.Loss.Logits...))
	}
	return all
}

// An evaluation over views is that of the weighted mean of their logits, for any loss and any number of threads.
func TestViews(t *testing.T) {
	s := small()
	s.epochs = 1
	trained := s.trainer(t)
	train(t, trained)
	set := noisyImages(evaluationBatch+23, 3)
	for _, name := range []string{"cross-entropy", "hinge"} {
		m := *s.spec.Model()
		var err error
		m.Loss, err = loss.New(name)
		must(t, err)
		for _, words := range [][]string{{"flip"}, {"shift"}, {"flip", "shift"}} {
			views, err := dataset.Views(words)
			must(t, err)
			means := make([][]float64, set.Len())
			for _, v := range views {
				for row, logits := range logitsOf(t, &m, trained.Weights, viewed(set, v.View)) {
					if means[row] == nil {
						means[row] = make([]float64, dataset.Classes)
					}
					for k, z := range logits {
						means[row][k] += v.Weight * float64(z)
					}
				}
			}
			var want float64
			confusion := metric.NewConfusion(dataset.Classes)
			for row, z := range means {
				label := int(set.Labels[row])
				best := 0
				var sum, hinge float64
				for k, x := range z {
					if x > z[best] {
						best = k
					}
					sum += math.Exp(x - z[label])
					if k != label {
						hinge += max(0, x-z[label]+1) / dataset.Classes
					}
				}
				confusion[label][best]++
				if want += math.Log(sum) / float64(set.Len()); name == "hinge" {
					want += (hinge - math.Log(sum)) / float64(set.Len())
				}
			}

			var first *Evaluation
			for _, members := range []int{1, 2, 3} {
				got := evaluateViews(t, &m, trained.Weights, set, views, members)
				if math.Abs(got.Loss-want) > 1e-6*want || got.Count != set.Len() {
					t.Errorf("%s, %v: loss %v of %d images, expected %v", name, words, got.Loss, got.Count, want)
				}
				if diff := cmp.Diff(confusion, got.Confusion); diff != "" {
					t.Errorf("%s, %v: confusion (-want +got):\n%s", name, words, diff)
				}
				if first == nil {
					first = got
				}
				if diff := cmp.Diff(first, got); diff != "" {
					t.Errorf("%s, %v, team of %d (-alone +team):\n%s", name, words, members, diff)
				}
			}
		}
	}
}

// evaluateViews evaluates a model on the views of a set, with metrics.
func evaluateViews(t *testing.T, m *model.Model, weights model.Weights, set *dataset.Set, views []dataset.WeightedView, members int) *Evaluation {
	t.Helper()
	e, err := NewEvaluator(m, weights, set)
	must(t, err)
	e.Metrics, err = metric.NewSet([]string{"top3", "ece", "auc", "macro-f1"}, dataset.ClassNames[:])
	must(t, err)
	if views != nil {
		e.UseViews(views)
	}
	threads := team.New(members)
	defer threads.Close()
	e.UseTeam(threads)
	got, err := e.Evaluate()
	must(t, err)
	return got
}

// One view, the image itself, changes no bit of any result. Nor do many of the same.
func TestViewsOfTheImageItself(t *testing.T) {
	spec := modeltest.Spec{Inputs: dataset.Pixels, Stack: "784-20-relu-10", Classes: dataset.Classes, UpperLayers: 1}
	weights, set := spec.Weights(5), noisyImages(2*evaluationBatch+3, 3)
	want := evaluateViews(t, spec.Model(), weights, set, nil, 1)
	for _, views := range [][]dataset.WeightedView{{{Weight: 1}}, {{Weight: 0.5}, {Weight: 0.25}, {Weight: 0.25}}} {
		if diff := cmp.Diff(want, evaluateViews(t, spec.Model(), weights, set, views, 2)); diff != "" {
			t.Errorf("%v (-plain +views):\n%s", views, diff)
		}
	}
}
