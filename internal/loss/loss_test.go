package loss_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gonum.org/v1/gonum/diff/fd"
	"pgregory.net/rapid"

	"fmtrain/internal/kernel"
	"fmtrain/internal/loss"
)

// draw draws a loss and its settings.
func draw(t *rapid.T) loss.Named {
	l, err := loss.New(rapid.SampledFrom(loss.Names()).Draw(t, "loss"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range l.Settings() {
		if rapid.Bool().Draw(t, "set "+s.Name) {
			*s.Value = rapid.Float64Range(0, 5).Filter(s.Allowed.Has).Draw(t, s.Name)
		}
	}
	return l
}

// row computes a row with memory that held something else before.
func row(l loss.Loss, logits []float32, label int) (float64, []float32) {
	dlogits, work := make([]float32, len(logits)), make([]float64, len(logits))
	for j := range dlogits {
		dlogits[j], work[j] = float32(math.NaN()), math.NaN()
	}
	return l.Row(dlogits, work, logits, label), dlogits
}

// The gradient matches central differences. The logits and the step are multiples of 2⁻⁸, so that each point is an exact float32. The
// losses are float64, so only the formula's own error remains, from the third derivative. At a kink a loss has no derivative, so a step
// may not cross one.
func TestGradientAgainstDifferences(t *testing.T) {
	const step, tolerance = 0x1p-8, 2e-4
	rapid.Check(t, func(t *rapid.T) {
		l := draw(t)
		n := rapid.IntRange(2, 12).Draw(t, "classes")
		label := rapid.IntRange(0, n-1).Draw(t, "label")
		logits, at := make([]float32, n), make([]float64, n)
		for j := range logits {
			at[j] = float64(rapid.IntRange(-1500, 1500).Draw(t, "logit")) * 0x1p-8
			logits[j] = float32(at[j])
		}
		_, dlogits := row(l, logits, label)
		point := make([]float32, n)
		for j := range at {
			copy(point, logits)
			point[j] -= step
			_, before := row(l, point, label)
			point[j] += 2 * step
			_, after := row(l, point, label)
			for k := range before {
				if math.Abs(float64(after[k]-before[k]))*float64(n) > 0.5 {
					t.Skip("at a kink: the gradient jumps")
				}
			}
		}
		differences := func(step float64) []float64 {
			return fd.Gradient(nil, func(x []float64) float64 {
				for j, v := range x {
					point[j] = float32(v)
				}
				y, _ := row(l, point, label)
				return y
			}, at, &fd.Settings{Formula: fd.Central, Step: step})
		}
		halved := differences(step / 2)
		for j, want := range differences(step) {
			// Where the second derivative jumps, as that of Huber does, a difference is wrong by up to step/2 of the jump. With half
			// the step, the difference changes: twice that change is at least as large, and almost 0 where the loss is smooth.
			allowed := tolerance + 2*math.Abs(want-halved[j])
			if !(math.Abs(float64(dlogits[j])-want) <= allowed) {
				t.Errorf("%v of %v, label %d, entry %d: expected %v, found %v", l, logits, label, j, want, dlogits[j])
			}
		}
	})
}

// The plain cross-entropy equals the kernel's, bit for bit, and so does one with smoothing 0 or γ = 0.
func TestPlainCrossEntropyIsTheKernels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := rapid.SliceOfN(rapid.Float32Range(-40, 40), 1, 20).Draw(t, "logits")
		label := rapid.IntRange(0, len(logits)-1).Draw(t, "label")
		p := make([]float32, len(logits))
		want := kernel.CrossEntropyRow(p, make([]float64, len(p)), logits, label)
		p[label]--

		found, dlogits := row(loss.Default(), logits, label)
		if found != want || cmp.Diff(p, dlogits) != "" {
			t.Errorf("expected %v and %v, found %v and %v", want, p, found, dlogits)
		}
		found, dlogits = row(&loss.Focal{}, logits, label)
		for j, d := range dlogits {
			if !(math.Abs(float64(d-p[j])) <= 0x1p-23) {
				t.Errorf("focal with γ = 0: expected the gradient %v, found %v", p, dlogits)
			}
		}
		if found != want {
			t.Errorf("focal with γ = 0: expected %v, found %v", want, found)
		}
	})
}

// With γ below 1, a factor of the gradient is infinite where the label's probability is 1, but the loss is 0 there: the gradient is 0.
func TestFocalOfACertainty(t *testing.T) {
	for _, gamma := range []float64{0, 0.5, 1, 2} {
		y, dlogits := row(&loss.Focal{Gamma: gamma}, []float32{1000, 0, -1000}, 0)
		if y != 0 || cmp.Diff([]float32{0, 0, 0}, dlogits) != "" {
			t.Errorf("γ = %v: expected 0, found %v and %v", gamma, y, dlogits)
		}
		y, dlogits = row(&loss.Focal{Gamma: gamma}, []float32{1000, 0, -1000}, 1)
		if y != 1000 || cmp.Diff([]float32{1, -1, 0}, dlogits) != "" {
			t.Errorf("γ = %v: expected 1000 and 1, -1, 0, found %v and %v", gamma, y, dlogits)
		}
	}
}

// At its kinks the hinge loss has the derivative 0.
func TestHingeAtItsKinks(t *testing.T) {
	y, dlogits := row(loss.Func(loss.Hinge), []float32{2, 1, 0, 1.5}, 0)
	if y != 0.125 || cmp.Diff([]float32{-0.25, 0, 0, 0.25}, dlogits) != "" {
		t.Errorf("found %v and %v", y, dlogits)
	}
}

// Every loss shows a run that diverges.
func TestNaNIsPassedOn(t *testing.T) {
	nan := float32(math.NaN())
	for _, name := range loss.Names() {
		l, err := loss.New(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, logits := range [][]float32{{nan, nan, nan}, {0, nan, 1}, {nan, 0, 0}} {
			for label := range logits {
				if y, _ := row(l, logits, label); !math.IsNaN(y) {
					t.Errorf("%s of %v, label %d: expected NaN, found %v", name, logits, label, y)
				}
			}
		}
	}
}

func TestRowAllocatesNothing(t *testing.T) {
	logits, dlogits, work := make([]float32, 10), make([]float32, 10), make([]float64, 10)
	for _, name := range loss.Names() {
		l, err := loss.New(name)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(100, func() { l.Row(dlogits, work, logits, 3) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// A loss that is written to a checkpoint and read back has the same settings and gives the same bits.
func TestJSONRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := draw(t)
		text, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		var back loss.Named
		if err := json.Unmarshal(text, &back); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if l.String() != back.String() {
			t.Errorf("%s: expected %v, found %v", text, l, back)
		}
		logits := []float32{0.5, -1, 3, 2.5}
		y, dlogits := row(l, logits, 1)
		found, gradient := row(back, logits, 1)
		if y != found || cmp.Diff(dlogits, gradient) != "" {
			t.Errorf("%s: expected %v and %v, found %v and %v", text, y, dlogits, found, gradient)
		}
	})
}

func TestJSON(t *testing.T) {
	text, err := json.Marshal(loss.Named{Name: "focal", Loss: &loss.Focal{Gamma: 0.5}})
	if err != nil || string(text) != `{"focal_gamma":0.5,"name":"focal"}` {
		t.Errorf("found %s, %v", text, err)
	}
	var l loss.Named
	if err := json.Unmarshal([]byte(`{"name":"huber"}`), &l); err != nil || l.String() != "huber (huber-delta 1)" {
		t.Errorf("a setting left out: found %v, %v", l, err)
	}
	for text, want := range map[string]string{
		`[]`:                                 "loss: expected an object: ",
		`{}`:                                 "loss: expected a name, found <nil>",
		`{"name":"l1"}`:                      "loss: expected one of " + strings.Join(loss.Names(), ", ") + `, found "l1"`,
		`{"name":"focal","focal_gamma":-1}`:  "loss focal: focal_gamma: expected a finite number of at least 0, found -1",
		`{"name":"focal","focal_gamma":"2"}`: "loss focal: focal_gamma: expected a finite number of at least 0, found 2",
		`{"name":"cross-entropy","label_smoothing":1}`: "loss cross-entropy: label_smoothing: expected a number from 0 to below 1, found 1",
		`{"name":"huber","huber_delta":0}`:             "loss huber: huber_delta: expected a finite number above 0, found 0",
		`{"name":"mse","focal_gamma":2}`:               "loss mse has no setting focal_gamma",
	} {
		if err := json.Unmarshal([]byte(text), &l); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\nexpected %s\nfound    %v", text, want, err)
		}
	}
	if l.String() != "huber (huber-delta 1)" {
		t.Errorf("a loss that is refused has changed the one before to %v", l)
	}
}

// Each setting belongs to one loss, which has its own default.
func TestSettings(t *testing.T) {
	for _, name := range loss.Names() {
		l, err := loss.New(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range l.Settings() {
			found, of, ok := loss.Find(s.Name)
			if !ok || of != name || !s.Allowed.Has(*s.Value) || *found.Value != *s.Value {
				t.Errorf("%s: setting %s: found that of %q, default %v", name, s.Name, of, *s.Value)
			}
		}
	}
	if _, of, ok := loss.Find("margin"); ok {
		t.Errorf("found a setting margin of %s", of)
	}
	if d := loss.Default(); d.String() != "cross-entropy (label-smoothing 0)" {
		t.Errorf("the default is %v", d)
	}
}
