package loss

import (
	"fmtrain/internal/bounds"
	"fmtrain/internal/kernel"
)

// CrossEntropy is the softmax cross-entropy, with label smoothing s (Szegedy et al. 2016, "Rethinking the Inception
// Architecture for Computer Vision", section 7): of K classes, the target is q = 1−s+s/K for the label and s/K for each other.
//
//	p = softmax(z)
//	loss = −Σⱼ qⱼ·log pⱼ = −log p[label] + s·meanⱼ(z[label] − zⱼ)
//	∂loss/∂zⱼ = pⱼ − qⱼ
//
// It is torch.nn.CrossEntropyLoss(label_smoothing=s).
type CrossEntropy struct {
	LabelSmoothing float64 // s, from 0 to less than 1; 0 is the plain cross-entropy
}

// Settings is the smoothing.
func (c *CrossEntropy) Settings() []Setting {
	return []Setting{{Name: "label-smoothing", Value: &c.LabelSmoothing, Allowed: bounds.Fraction,
		Help: "fraction of the label that is spread evenly over all classes"}}
}

// Row is the cross-entropy of a row. Without smoothing it does no more than the kernel.
func (c *CrossEntropy) Row(dlogits []float32, work []float64, logits []float32, label int) float64 {
	loss := kernel.CrossEntropyRow(dlogits, work, logits, label)
	if c.LabelSmoothing == 0 {
		dlogits[label]--
		return loss
	}
	n, at := float64(len(logits)), float64(logits[label])
	share := c.LabelSmoothing / n
	var distance float64
	for j, z := range logits {
		distance += at - float64(z)
		q := share
		if j == label {
			q += 1 - c.LabelSmoothing
		}
		dlogits[j] = float32(float64(dlogits[j]) - q)
	}
	return loss + float64(share*distance)
}
