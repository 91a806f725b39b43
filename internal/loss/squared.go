package loss

import (
	"math"

	"fmtrain/internal/bounds"
)

// SquaredError and [Huber] are regression losses: the distance of the K logits from the one-hot target y, averaged over the
// classes. y is 1 for the label and 0 for each other class. They take the logits, not their softmax, for two reasons. Where a
// softmax saturates, its derivative vanishes, so a confident mistake would teach almost nothing. And no probability is further
// than 1 from its target, so a Huber loss with δ ≥ 1 would never leave its square. On the logits both are convex, and the
// squared error trains classifiers as well as the cross-entropy does (Hui and Belkin 2020, "Evaluation of Neural Architectures
// Trained with Square Loss vs Cross-Entropy in Classification Tasks").
//
//	loss = meanⱼ (zⱼ − yⱼ)²
//	∂loss/∂zⱼ = 2·(zⱼ − yⱼ)/K
//
// It is torch.nn.MSELoss of the logits and the one-hot targets.
func SquaredError(dlogits []float32, _ []float64, logits []float32, label int) float64 {
	n := float64(len(logits))
	var sum float64
	for j, z := range logits {
		e := float64(z) - target(j, label)
		sum += float64(e * e)
		dlogits[j] = float32(2 * e / n)
	}
	return sum / n
}

// Huber is the Huber loss (Huber 1964, "Robust Estimation of a Location Parameter") of the logits and the one-hot target, as
// [SquaredError] says: half the square up to a distance of δ, and a straight line beyond, so that no logit pulls by more
// than δ.
//
//	e = zⱼ − yⱼ
//	loss = meanⱼ (e²/2 if |e| ≤ δ, else δ·(|e| − δ/2))
//	∂loss/∂zⱼ = max(−δ, min(e, δ))/K
//
// It is torch.nn.HuberLoss(delta=δ) of the logits and the one-hot targets.
type Huber struct {
	Delta float64 // δ, above 0
}

// Settings is δ.
func (h *Huber) Settings() []Setting {
	return []Setting{{Name: "huber-delta", Value: &h.Delta, Allowed: bounds.Positive,
		Help: "δ, the error above which the loss grows linearly"}}
}

// Row is the Huber loss of a row.
func (h *Huber) Row(dlogits []float32, _ []float64, logits []float32, label int) float64 {
	n := float64(len(logits))
	var sum float64
	for j, z := range logits {
		e := float64(z) - target(j, label)
		if distance := math.Abs(e); distance <= h.Delta {
			sum += float64(e * e / 2)
		} else {
			sum += float64(h.Delta * (distance - float64(h.Delta/2)))
		}
		dlogits[j] = float32(max(-h.Delta, min(e, h.Delta)) / n)
	}
	return sum / n
}

// target is the one-hot target of a class.
func target(class, label int) float64 {
	if class == label {
		return 1
	}
	return 0
}
