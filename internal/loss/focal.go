package loss

import (
	"math"

	"fmtrain/internal/bounds"
	"fmtrain/internal/kernel"
)

// Focal is the focal loss (Lin et al. 2017, "Focal Loss for Dense Object Detection", equation 4) for many classes, on their
// softmax. It is the cross-entropy with less weight where the label is already likely, so that hard samples dominate the
// gradient.
//
//	p = softmax(z), pₜ = p[label], c = −log pₜ, q = 1 − pₜ
//	loss = q^γ·c
//	∂loss/∂zⱼ = w·(pⱼ − [j = label]),  w = q^γ·(1 + γ·pₜ·c/q)
//
// w is −pₜ·∂loss/∂pₜ. It is written with c/q, which tends to 1 as q tends to 0, because q^(γ−1) is infinite there for γ < 1.
// q = −expm1(−c) keeps digits that 1 − pₜ would lose.
type Focal struct {
	Gamma float64 // γ, at least 0; 0 is the cross-entropy
}

// Settings is γ.
func (f *Focal) Settings() []Setting {
	return []Setting{{Name: "focal-gamma", Value: &f.Gamma, Allowed: bounds.NonNegative,
		Help: "γ, how much more weight hard samples get than easy ones"}}
}

// Row is the focal loss of a row.
func (f *Focal) Row(dlogits []float32, work []float64, logits []float32, label int) float64 {
	c := kernel.CrossEntropyRow(dlogits, work, logits, label)
	q := -math.Expm1(-c)
	ratio := 1.0
	if q > 0 {
		ratio = c / q
	}
	weight := math.Pow(q, f.Gamma)
	w := weight * (1 + float64(f.Gamma*(1-q)*ratio))
	for j, p := range dlogits {
		dlogits[j] = float32(w * float64(p))
	}
	dlogits[label] = float32(w * (0 - q)) // 0 of a certainty, not −0
	return weight * c
}
