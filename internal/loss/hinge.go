package loss

// Hinge is the hinge loss for many classes (Weston and Watkins 1999, "Support Vector Machines for Multi-Class Pattern
// Recognition"). Each other logit should be below the label's by a margin of 1. The loss is the sum of the violations, divided
// by the number of classes K.
//
//	mⱼ = 1 − z[label] + zⱼ
//	loss = Σ over j ≠ label of max(0, mⱼ)/K
//	∂loss/∂zⱼ = [mⱼ > 0]/K for j ≠ label;  ∂loss/∂z[label] = −(how many of them are > 0)/K
//
// It is torch.nn.MultiMarginLoss(p=1, margin=1). At mⱼ = 0, where there is no derivative, both take 0. A NaN among the logits
// makes the loss NaN, so that a diverging run is noticed.
func Hinge(dlogits []float32, _ []float64, logits []float32, label int) float64 {
	n, at := float64(len(logits)), float64(logits[label])
	var sum float64
	short := 0 // classes that violate the margin
	for j, z := range logits {
		dlogits[j] = 0
		if j == label {
			continue
		}
		if margin := 1 - at + float64(z); !(margin <= 0) {
			sum += margin
			short++
			dlogits[j] = float32(1 / n)
		}
	}
	dlogits[label] = float32(float64(-short) / n)
	return sum / n
}
