package loss_test

import (
	"fmt"
	"math"
	"testing"

	"fmtrain/internal/goldentest"
	"fmtrain/internal/loss"
)

// The tolerances of the losses and of a row's gradient, relative to the loss or the gradient's largest entry if that is above 1.
// Losses are float64 on both sides. Gradients are rounded to float32, and those of a softmax start from a rounded softmax: half an
// ULP of 1 each.
const (
	goldenLoss     = 1e-12
	goldenGradient = 0x1p-23
)

type golden struct {
	Inputs []struct {
		Logits [][]float32 `json:"logits"`
		Labels []int       `json:"labels"` // -1: an ignored row
	} `json:"inputs"`
	Cases []struct {
		Loss     string             `json:"loss"`
		Settings map[string]float64 `json:"settings"`
		Input    int                `json:"input"`
		Losses   []float64          `json:"losses"` // of the rows that count
		Mean     float64            `json:"mean"`
		Gradient [][]float64        `json:"gradient"` // of the mean
	} `json:"cases"`
}

// Every loss and gradient equals that of PyTorch in float64.
func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for file, g := range goldentest.Read[golden](t, "losses") {
		for i, c := range g.Cases {
			seen[c.Loss] = true
			t.Run(fmt.Sprintf("%s/%d-%s", file, i, c.Loss), func(t *testing.T) {
				l := withSettings(t, c.Loss, c.Settings)
				input := g.Inputs[c.Input]
				var sum, worstLoss, worstGradient float64
				count := 0
				for r, logits := range input.Logits {
					if input.Labels[r] < 0 {
						continue
					}
					dlogits, work := make([]float32, len(logits)), make([]float64, len(logits))
					found := l.Row(dlogits, work, logits, input.Labels[r])
					want := c.Losses[count]
					worstLoss = max(worstLoss, math.Abs(found-want)/max(1, math.Abs(want)))
					sum += found
					count++
					var difference, largest float64
					for j, d := range dlogits {
						want := c.Gradient[r][j] * float64(len(c.Losses))
						difference = max(difference, math.Abs(float64(d)-want)) // NaN if one is
						largest = max(largest, math.Abs(want))
					}
					worstGradient = max(worstGradient, difference/max(1, largest))
				}
				if count != len(c.Losses) || count == 0 {
					t.Fatalf("compared %d rows, the file has %d", count, len(c.Losses))
				}
				worstLoss = max(worstLoss, math.Abs(sum/float64(count)-c.Mean)/max(1, math.Abs(c.Mean)))
				if !(worstLoss <= goldenLoss) {
					t.Errorf("a loss or the mean is off by %.2g, tolerance %.2g", worstLoss, goldenLoss)
				}
				if !(worstGradient <= goldenGradient) {
					t.Errorf("a gradient is off by %.2g of its largest entry, tolerance %.2g", worstGradient, goldenGradient)
				}
				t.Logf("largest errors %.2g, %.2g", worstLoss, worstGradient)
			})
		}
	}
	for _, name := range []string{"cross-entropy", "focal", "huber", "mse", "hinge"} {
		if !seen[name] {
			t.Errorf("no golden file has a case of %s", name)
		}
	}
}

// withSettings makes a loss with these settings, which must be its own.
func withSettings(t *testing.T, name string, settings map[string]float64) loss.Named {
	t.Helper()
	l, err := loss.New(name)
	if err != nil {
		t.Fatal(err)
	}
	set := 0
	for _, s := range l.Settings() {
		if value, ok := settings[s.Name]; ok {
			*s.Value = value
			set++
		}
	}
	if set != len(settings) {
		t.Fatalf("%s: expected settings among %v, found %v", name, l, settings)
	}
	return l
}
