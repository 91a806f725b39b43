package loss_test

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/loss"
)

// With ε = 0 it is the cross-entropy. With ε it is larger, and the more so the less probable the label is.
func TestPoly(t *testing.T) {
	logits := []float32{0, 0, 0, 0}
	plain, gradient := row(&loss.CrossEntropy{}, logits, 2)
	zero, same := row(&loss.Poly{}, logits, 2)
	if zero != plain || !cmp.Equal(gradient, same) {
		t.Errorf("ε = 0: expected %v and %v, found %v and %v", plain, gradient, zero, same)
	}
	y, dlogits := row(&loss.Poly{Epsilon: 2}, logits, 2)
	if want := math.Log(4) + 2*0.75; math.Abs(y-want) > 1e-15 || !cmp.Equal(dlogits, []float32{0.375, 0.375, -1.125, 0.375}) {
		t.Errorf("expected %v and 0.375, -1.125, found %v and %v", want, y, dlogits)
	}
}
