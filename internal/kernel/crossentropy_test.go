package kernel

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func drawLogits(t *rapid.T) (logits []float32, label int) {
	logits = rapid.SliceOfN(rapid.Float32Range(-30, 30), 1, 20).Draw(t, "logits")
	return logits, rapid.IntRange(0, len(logits)-1).Draw(t, "label")
}

// For logits within ±30 the plain formula neither overflows nor cancels.
func TestCrossEntropyRowAgainstFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, label := drawLogits(t)
		p := nans(len(logits))
		loss := CrossEntropyRow(p, make([]float64, len(p)), logits, label)
		var sum, total float64
		for _, v := range logits {
			sum += math.Exp(float64(v))
		}
		within(t, "loss", label, loss, math.Log(sum)-float64(logits[label]), 1e-12)
		for j, v := range logits {
			want := math.Exp(float64(v)) / sum
			within(t, "p", j, float64(p[j]), want, 0x1p-23*want)
			total += float64(p[j])
		}
		within(t, "sum of p", 0, total, 1, 1e-6)
	})
}

// An offset does not change the softmax. The logits are multiples of 1/8 and the offset is whole: their sum is exact.
func TestCrossEntropyRowIgnoresAnOffset(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits, label := drawLogits(t)
		for j, v := range logits {
			logits[j] = float32(math.Round(float64(v)*8) / 8)
		}
		p, shifted := nans(len(logits)), nans(len(logits))
		loss := CrossEntropyRow(p, make([]float64, len(p)), logits, label)
		offset := float32(rapid.IntRange(-1_000_000, 1_000_000).Draw(t, "offset"))
		for j := range logits {
			logits[j] += offset
		}
		if found := CrossEntropyRow(shifted, make([]float64, len(shifted)), logits, label); found != loss || !sameBits(p, shifted) {
			t.Fatalf("expected loss %v and softmax %v, found %v and %v", loss, p, found, shifted)
		}
	})
}

func TestCrossEntropyRowOfExtremeLogits(t *testing.T) {
	const huge, largest = 1e30, 3e38
	for _, test := range []struct {
		logits []float32
		label  int
		loss   float64
		p      []float32
	}{
		{[]float32{88, 0}, 0, math.Exp(-88), []float32{1, float32(math.Exp(-88))}},
		{[]float32{0, 89, 89}, 1, math.Ln2, []float32{float32(math.Exp(-89) / 2), 0.5, 0.5}},
		{[]float32{1000, 1000}, 0, math.Ln2, []float32{0.5, 0.5}},
		{[]float32{-1000, -1000, -1000, -1000}, 3, math.Log(4), []float32{0.25, 0.25, 0.25, 0.25}},
		{[]float32{huge, -huge}, 0, 0, []float32{1, 0}},
		{[]float32{huge, -huge}, 1, 2 * float64(float32(huge)), []float32{1, 0}},
		{[]float32{-largest, largest, 0}, 1, 0, []float32{0, 1, 0}},
		{[]float32{-largest, largest, 0}, 0, 2 * float64(float32(largest)), []float32{0, 1, 0}},
		{[]float32{float32(math.Inf(-1)), 1}, 1, 0, []float32{0, 1}},
		{[]float32{5}, 0, 0, []float32{1}},
	} {
		p := nans(len(test.logits))
		loss := CrossEntropyRow(p, make([]float64, len(p)), test.logits, test.label)
		if !(math.Abs(loss-test.loss) <= 1e-15*(1+test.loss)) || !sameBits(p, test.p) {
			t.Errorf("%v, label %d: expected loss %v and softmax %v, found %v and %v", test.logits, test.label, test.loss, test.p, loss, p)
		}
	}
}

// A NaN in any logit must make the loss NaN, because that stops a diverged run.
func TestCrossEntropyRowKeepsNaN(t *testing.T) {
	for at := range 4 {
		for label := range 4 {
			logits, p := []float32{1, 4, 3, 2}, make([]float32, 4)
			logits[at] = float32(math.NaN())
			if loss := CrossEntropyRow(p, make([]float64, len(p)), logits, label); !math.IsNaN(loss) {
				t.Errorf("logits %v, label %d: expected a NaN, found %v", logits, label, loss)
			}
			if AllFinite(p) {
				t.Errorf("logits %v: expected a NaN in the softmax, found %v", logits, p)
			}
		}
	}
}

func TestArgMax(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.Float32Range(-3, 3).Filter(func(v float32) bool { return v == v }), 1, 20).Draw(t, "x")
		for i := range x { // few distinct values, so that equal ones are common
			x[i] = float32(math.Round(float64(x[i])))
		}
		best := ArgMax(x)
		for i, v := range x {
			if v > x[best] || v == x[best] && i < best {
				t.Fatalf("%v: expected the first of the largest, found index %d", x, best)
			}
		}
	})
}

func TestCrossEntropyRowPanicsOnLengths(t *testing.T) {
	wantPanic(t, "kernel.CrossEntropyRow: expected len(p) = 3, found 2", func() { CrossEntropyRow(nans(2), make([]float64, 3), nans(3), 0) })
}

// expNegative is as accurate as the library's exp, whose error is within 1 ULP.
func TestExpNegative(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.OneOf(rapid.Float64Range(-700, 0), rapid.Float64Range(-1, 0)).Draw(t, "x")
		want := math.Exp(x)
		if found := expNegative(x); math.Abs(found-want) > 4e-16*want {
			t.Fatalf("exp(%v): expected %v, found %v", x, want, found)
		}
	})
	if found := expNegative(0); found != 1 {
		t.Errorf("exp(0): expected 1, found %v", found)
	}
	for _, x := range []float64{-701, -1e30, math.Inf(-1)} {
		if found := expNegative(x); !(found > 0 && found < 1e-303) {
			t.Errorf("exp(%v): expected next to nothing, found %v", x, found)
		}
	}
}

func BenchmarkCrossEntropyRow(b *testing.B) {
	logits := normals(1, 10, 0, 3)
	p, exps := make([]float32, len(logits)), make([]float64, len(logits))
	benchmarkSets(b, "10", 8*len(logits), func() { CrossEntropyRow(p, exps, logits, 3) })
	largest := float64(logits[ArgMax(logits)])
	benchmarkSets(b, "Softmax/10", 8*len(logits), func() { active.softmax(p, exps, logits, largest) })
}
