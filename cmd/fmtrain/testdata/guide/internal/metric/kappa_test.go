package metric

import (
	"math"
	"testing"
)

// The textbook example of Cohen's kappa: of 50 samples, 20 and 15 agree, and chance gives one half. In two halves the samples give 0.4
// only together.
func TestKappa(t *testing.T) {
	var k Kappa
	if !math.IsNaN(k.Result()) {
		t.Errorf("of no samples: expected NaN, found %v", k.Result())
	}
	add := func(n int, label, prediction int32) {
		for range n {
			k.Update(&Batch{Classes: 2, Labels: []int32{label, -1}, Predictions: []int32{prediction, 0}})
		}
	}
	for range 2 {
		add(20, 0, 0)
		add(5, 0, 1)
		add(10, 1, 0)
		add(15, 1, 1)
		if found := k.Result(); math.Abs(found-0.4) > 1e-12 {
			t.Errorf("expected 0.4, found %v", found)
		}
		k.Reset()
	}
}
