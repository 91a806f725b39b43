package loop

import (
	"math"
	"testing"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/modeltest"
)

// twin is the model of [small], written again plainly: float64, one sample at a time, gradients by hand, and SGD.
type twin struct {
	hidden int
	eps    float64
	w      map[string][]float64
}

func newTwin(weights model.Weights, spec modeltest.Spec) *twin {
	m := &twin{hidden: spec.Hidden[0], eps: spec.Epsilon, w: map[string][]float64{}}
	for _, w := range weights {
		for _, v := range w.Value.Float32s() {
			m.w[w.Name] = append(m.w[w.Name], float64(v))
		}
	}
	return m
}

// sample is the loss of one image and its predicted class. If gradients is not nil, it adds the sample's gradients.
func (m *twin) sample(s *dataset.Set, row int, gradients map[string][]float64) (loss float64, predicted int) {
	x := make([]float64, dataset.Pixels)
	for j := range x {
		x[j] = float64(float32(s.Images[row*dataset.Pixels+j]) / 255)
	}
	label := int(s.Labels[row])

	n := float64(m.hidden)
	d, xHat, a := make([]float64, m.hidden), make([]float64, m.hidden), make([]float64, m.hidden)
	var mean, variance float64
	for j := range d {
		d[j] = m.w["lower.0.bias"][j]
		for i, v := range x {
			d[j] += v * m.w["lower.0.weight"][i*m.hidden+j]
		}
		mean += d[j] / n
	}
	for j := range d {
		d[j] -= mean
		variance += d[j] * d[j] / n
	}
	sigma := math.Sqrt(variance)
	for j := range a {
		xHat[j] = d[j] / (sigma + m.eps)
		a[j] = math.Max(0, m.w["lower.0.norm.alpha"][j]*xHat[j]+m.w["lower.0.norm.beta"][j])
	}
	p := make([]float64, dataset.Classes)
	var sum float64
	for k := range p {
		z := m.w["upper.bias"][k]
		for j, v := range a {
			z += v * m.w["upper.weight"][j*dataset.Classes+k]
		}
		p[k] = math.Exp(z)
		sum += p[k]
		if p[k] > p[predicted] {
			predicted = k
		}
	}
	for k := range p {
		p[k] /= sum
	}
	loss = -math.Log(p[label])
	if gradients == nil {
		return loss, predicted
	}

	p[label]-- // from here on the gradient of the logits
	dy := make([]float64, m.hidden)
	for k, dz := range p {
		gradients["upper.bias"][k] += dz
		for j, v := range a {
			gradients["upper.weight"][j*dataset.Classes+k] += v * dz
			if v > 0 {
				dy[j] += m.w["upper.weight"][j*dataset.Classes+k] * dz
			}
		}
	}
	// y = α·d/(σ+ε) + β, where d = x−μ and σ = √mean(d²).
	var meanG, meanGD float64
	for j, v := range dy {
		gradients["lower.0.norm.alpha"][j] += v * xHat[j]
		gradients["lower.0.norm.beta"][j] += v
		dy[j] *= m.w["lower.0.norm.alpha"][j]
		meanG += dy[j] / n
		meanGD += dy[j] * d[j] / n
	}
	for j, g := range dy {
		dh := (g-meanG)/(sigma+m.eps) - d[j]*meanGD/(sigma*(sigma+m.eps)*(sigma+m.eps))
		gradients["lower.0.bias"][j] += dh
		for i, v := range x {
			gradients["lower.0.weight"][i*m.hidden+j] += v * dh
		}
	}
	return loss, predicted
}

// step makes one step of SGD on a batch and returns the mean loss before the step.
func (m *twin) step(s *dataset.Set, rows []int32, rate func(parameter string) float64) (loss float64) {
	gradients := map[string][]float64{}
	for name, values := range m.w {
		gradients[name] = make([]float64, len(values))
	}
	n := float64(len(rows))
	for _, row := range rows {
		l, _ := m.sample(s, int(row), gradients)
		loss += l / n
	}
	for name, g := range gradients {
		for i := range g {
			m.w[name][i] -= rate(name) * g[i] / n
		}
	}
	return loss
}

// measure is the mean loss, the correct predictions and the confusion matrix over a whole set.
func (m *twin) measure(s *dataset.Set) (loss float64, correct int, confusion metric.Confusion) {
	confusion = metric.NewConfusion(dataset.Classes)
	for row := range s.Len() {
		l, predicted := m.sample(s, row, nil)
		loss += l / float64(s.Len())
		confusion[s.Labels[row]][predicted]++
		if predicted == int(s.Labels[row]) {
			correct++
		}
	}
	return loss, correct, confusion
}

// The loop follows the twin: batches in the sampler's order, with the short last batch of each epoch, and one learning rate for each
// group. float32 makes a difference of about 1e-7 here; a wrong order or gradient one of 1e-2.
func TestFollowsPlainTwin(t *testing.T) {
	s := small()
	s.epochs = 17
	s.lower, s.upper = group{"sgd", 0.05}, group{"sgd", 0.2}
	var seen recorder
	trainer := s.trainer(t, &seen)
	m := newTwin(trainer.Weights, s.spec)
	train(t, trainer)

	rate := func(parameter string) float64 {
		if parameter[:5] == model.Lower {
			return s.lower.rate
		}
		return s.upper.rate
	}
	sampler := dataset.NewSampler(s.images, s.seed, true)
	i := 0
	for epoch := 1; epoch <= s.epochs; epoch++ {
		for order := sampler.Order(epoch); len(order) > 0; i++ {
			rows := order[:min(s.batch, len(order))]
			order = order[len(rows):]
			want := m.step(trainer.Train, rows, rate)
			if got := seen.iterations[i].BatchLoss; math.Abs(got-want) > 1e-5*want {
				t.Fatalf("epoch %d, iteration %d: batch loss %.9g, the twin's is %.9g", epoch, seen.iterations[i].Iteration, got, want)
			}
		}
	}
	if i != len(seen.iterations) || i != 51 {
		t.Fatalf("%d iterations, the twin made %d, expected 51", len(seen.iterations), i)
	}
	first, last := seen.epochs[0].Loss, seen.epochs[len(seen.epochs)-1].Loss
	if last > 0.7*first {
		t.Errorf("the loss went from %v to %v only: the compared model does not learn", first, last)
	}
}
