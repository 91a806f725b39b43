package metric

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var classNames = []string{"T-shirt/top", "Trouser", "Ankle boot", "Bag"}

const ignored = -1

// samples are the predictions and labels of some samples, as in a batch.
type samples struct {
	logits              []float32
	labels, predictions []int32
}

// drawSamples draws samples of four classes, with some ignored rows. The logits have few distinct values, so that some are
// equal.
func drawSamples(t *rapid.T) samples {
	n := rapid.IntRange(0, 40).Draw(t, "samples")
	source := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 3))
	kinds := rapid.IntRange(1, len(classNames)).Draw(t, "kinds of labels")
	var s samples
	for range n {
		row := make([]float32, len(classNames))
		for j := range row {
			row[j] = float32(source.IntN(9)-4) / 2
		}
		s.add(source.IntN(kinds+1)-1, row...)
	}
	return s
}

func (s *samples) add(label int, logits ...float32) {
	s.logits = append(s.logits, logits...)
	s.labels = append(s.labels, int32(label))
	s.predictions = append(s.predictions, int32(slices.Index(logits, slices.Max(logits))))
}

// part is the samples from lo up to, but without, hi.
func (s samples) part(lo, hi int) samples {
	n := len(classNames)
	return samples{s.logits[lo*n : hi*n], s.labels[lo:hi], s.predictions[lo:hi]}
}

// split cuts the samples into random batches.
func (s samples) split(t *rapid.T) (batches []samples) {
	for lo := 0; lo < len(s.labels); {
		hi := min(lo+rapid.IntRange(1, 7).Draw(t, "batch"), len(s.labels))
		batches = append(batches, s.part(lo, hi))
		lo = hi
	}
	return batches
}

func newSet(t interface{ Fatal(...any) }, names ...string) *Set {
	s, err := NewSet(names, classNames)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func update(set *Set, s samples) { set.Update(s.logits, s.labels, s.predictions) }

// atOnce is a metric's value of all samples in one batch.
func atOnce(t interface{ Fatal(...any) }, name string, s samples) float64 {
	set := newSet(t, name)
	update(set, s)
	return set.Values()[0].Value
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// Every metric gives the same bits however the samples are split into batches, also after a reset.
func TestSplitsDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawSamples(t)
		names := Names(classNames)
		set := newSet(t, names...)
		for range 2 {
			set.Reset()
			for _, b := range all.split(t) {
				update(set, b)
			}
			for i, v := range set.Values() {
				if want := atOnce(t, names[i], all); v.Name != names[i] || !same(v.Value, want) {
					t.Errorf("%s: expected %v, found %v", names[i], want, v)
				}
			}
		}
	})
}

// Why a metric is a function or a type. A mean over samples may be computed batch by batch, if each batch has the weight of its number
// of samples. Precision may not, with any weights: here the mean of the batches' precisions is 0.5 or 0.75 instead of 0.6.
func TestPrecisionIsNoMeanOfBatches(t *testing.T) {
	const boot, bag = 2, 3
	var all samples
	like := func(class int) []float32 { row := make([]float32, 4); row[class] = 1; return row }
	for _, s := range []struct{ label, found int }{
		{boot, boot}, {bag, bag}, // precision of boot: 1 of 1
		{boot, boot}, {boot, boot}, {bag, boot}, {bag, boot}, // 2 of 4
		{bag, bag}, {bag, bag}, // 0 of 0
	} {
		all.add(s.label, like(s.found)...)
	}
	batches := []samples{all.part(0, 2), all.part(2, 6), all.part(6, 8)}

	mean := func(name string, weight func(samples) float64) float64 {
		var sum, total float64
		for _, b := range batches {
			sum += weight(b) * atOnce(t, name, b)
			total += weight(b)
		}
		return sum / total
	}
	bySize := func(b samples) float64 { return float64(len(b.labels)) }
	if found := mean("accuracy", bySize); found != 0.75 || atOnce(t, "accuracy", all) != 0.75 {
		t.Errorf("accuracy: expected 0.75 by batches and at once, found %v and %v", found, atOnce(t, "accuracy", all))
	}

	const name = "precision:Ankle boot"
	streamed := newSet(t, name)
	for _, b := range batches {
		update(streamed, b)
	}
	if found := streamed.Values()[0].Value; found != 0.6 || atOnce(t, name, all) != 0.6 {
		t.Errorf("precision: expected 3 of 5 streamed and at once, found %v and %v", found, atOnce(t, name, all))
	}
	for what, weight := range map[string]func(samples) float64{
		"batches alike":    func(samples) float64 { return 1 },
		"batches by size":  bySize,
		"batches with any": func(b samples) float64 { return min(1, 4*atOnce(t, name, b)) },
	} {
		if found := mean(name, weight); math.Abs(found-0.6) < 0.05 {
			t.Errorf("%s: the mean of the batches' precisions, %v, is that of all samples", what, found)
		}
	}
}

// For any number of samples in any small batches, the streamed precision equals that of all samples at once, bit for bit. The mean of
// the batches' precisions differs by much more than rounding.
func TestMeanOfBatchesIsOff(t *testing.T) {
	const name, n = "precision:Bag", 2000
	least, most := math.Inf(1), 0.0
	rapid.Check(t, func(t *rapid.T) {
		source := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 4))
		var all samples
		for range n {
			label := source.IntN(4)
			row := make([]float32, 4)
			for j := range row {
				row[j] = float32(source.NormFloat64())
			}
			row[label] += 0.7
			all.add(label, row...)
		}
		largest := rapid.IntRange(1, 8).Draw(t, "largest batch")
		want := atOnce(t, name, all)
		streamed := newSet(t, name)
		var sum, batches float64
		for lo := 0; lo < n; {
			hi := min(lo+1+source.IntN(largest), n)
			b := all.part(lo, hi)
			update(streamed, b)
			sum += atOnce(t, name, b)
			batches++
			lo = hi
		}
		if found := streamed.Values()[0].Value; found != want {
			t.Errorf("streamed: expected %v, found %v", want, found)
		}
		off := math.Abs(sum/batches - want)
		if off < 0.01 {
			t.Errorf("the mean of the batches' precisions is %v, the precision %v", sum/batches, want)
		}
		least, most = min(least, off), max(most, off)
	})
	t.Logf("the mean of the batches' precisions is off by %.3f to %.3f; the streamed value by 0", least, most)
}

// Every metric equals its definition over all samples at once.
func TestDefinitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := drawSamples(t)
		var n, right, inThree, classes, f1, areas, area float64
		for r, label := range all.labels {
			if label == ignored {
				continue
			}
			n++
			row := all.logits[4*r : 4*r+4]
			order := []int{0, 1, 2, 3}
			slices.SortStableFunc(order, func(i, j int) int {
				switch {
				case row[i] > row[j]:
					return -1
				case row[i] < row[j]:
					return 1
				}
				return 0
			})
			switch slices.Index(order, int(label)) {
			case 0:
				right++
				inThree++
			case 1, 2:
				inThree++
			}
		}
		within(t, "accuracy", all, right/n)
		within(t, "top3", all, inThree/n)
		for k, class := range classNames {
			var hits, found, seen float64
			for r, label := range all.labels {
				if label == ignored {
					continue
				}
				isFound, isSeen := int(all.predictions[r]) == k, int(label) == k
				found += one(isFound)
				seen += one(isSeen)
				hits += one(isFound && isSeen)
			}
			precision, recall := hits/max(found, 1), hits/max(seen, 1)
			within(t, "precision:"+class, all, precision)
			within(t, "recall:"+class, all, recall)
			if found+seen > 0 {
				classes++
				if hits > 0 {
					f1 += 2 * precision * recall / (precision + recall)
				}
			}
			if pairs, ahead := pairsOf(all, k); pairs > 0 {
				areas++
				area += ahead / pairs
			}
		}
		within(t, "macro-f1", all, f1/classes)
		within(t, "auc", all, area/areas)

		var ece float64
		for bin := range 15 {
			var confidence, correct float64
			for r, label := range all.labels {
				p := slices.Max(softmax(all.logits[4*r : 4*r+4]))
				if label == ignored || !(float64(bin)/15 < p && p <= float64(bin+1)/15) {
					continue
				}
				confidence += p
				correct += one(all.predictions[r] == label)
			}
			ece += math.Abs(correct - confidence)
		}
		within(t, "ece", all, ece/n)
	})
}

// within checks a metric with a tolerance for the rounding of softmax to float32.
func within(t *rapid.T, name string, all samples, want float64) {
	if found := atOnce(t, name, all); !same(found, want) && !(math.Abs(found-want) <= 1e-6) {
		t.Errorf("%s: expected %v, found %v", name, want, found)
	}
}

// pairsOf counts the pairs of a sample of the class and a sample of another, and those in which the first has the higher score.
func pairsOf(all samples, k int) (pairs, ahead float64) {
	p := func(r int) float32 { return float32(softmax(all.logits[4*r : 4*r+4])[k]) }
	for r, label := range all.labels {
		for q, other := range all.labels {
			if int(label) != k || int(other) == k || other == ignored {
				continue
			}
			pairs++
			switch {
			case p(r) > p(q):
				ahead++
			case p(r) == p(q):
				ahead += 0.5
			}
		}
	}
	return pairs, ahead
}

func softmax(logits []float32) []float64 {
	p := make([]float64, len(logits))
	var sum float64
	for j, z := range logits {
		p[j] = math.Exp(float64(z))
		sum += p[j]
	}
	for j := range p {
		p[j] /= sum
	}
	return p
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// NaN among the logits does not cause a panic: the loop ends such a run.
func TestNaN(t *testing.T) {
	var all samples
	nan := float32(math.NaN())
	for label := range 4 {
		all.logits = append(all.logits, nan, nan, nan, nan)
		all.labels, all.predictions = append(all.labels, int32(label)), append(all.predictions, 0)
	}
	set := newSet(t, Names(classNames)...)
	update(set, all)
	if n := len(set.Values()); n != len(Names(classNames)) {
		t.Errorf("found %d values", n)
	}
}

// The training loop updates those of PerSample at each step.
func TestPerSample(t *testing.T) {
	if names := newSet(t, "ece", "top3", "precision:bag", "accuracy").PerSample().Names(); !slices.Equal(names, []string{"top3", "accuracy"}) {
		t.Errorf("found %v", names)
	}
	if newSet(t, "ece", "auc").PerSample() != nil {
		t.Error("expected none")
	}
	set := newSet(t, Names(classNames)...)
	var all samples
	all.add(2, 1, 2, 3, 4)
	update(set, all)
	// AUC appends and may grow, the others may not.
	set = newSet(t, "top3", "macro-f1", "ece", "precision:bag", "recall:bag")
	update(set, all)
	set.Values()
	if n := testing.AllocsPerRun(100, func() { update(set, all); set.Values() }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// No metrics are a nil set, which does nothing.
func TestNone(t *testing.T) {
	none := newSet(t)
	none.Update(nil, nil, nil)
	none.Reset()
	if none != nil || none.Values() != nil || none.PerSample() != nil || none.Names() != nil {
		t.Error("expected nothing")
	}
}

func TestNamesOfMetrics(t *testing.T) {
	for typed, want := range map[string]string{
		"top3": "top3", "precision:Ankle boot": "precision:Ankle boot", "recall:ankle-boot": "recall:Ankle boot",
		"precision:ANKLE_BOOT": "precision:Ankle boot", "precision:t-shirt/top": "precision:T-shirt/top", "recall:Bag": "recall:Bag",
	} {
		if m, err := newMetric(typed, classNames); err != nil || m.name != want {
			t.Errorf("%q: expected %q, found %q, %v", typed, want, m.name, err)
		}
	}
	for i, k := range Kinds() {
		if k.About == "" || k.Name != KindNames()[i] {
			t.Errorf("expected a name and a phrase, found %+v", k)
		}
	}
	for _, name := range Names(classNames) {
		if m, err := newMetric(name, classNames); err != nil || m.name != name {
			t.Errorf("%q: found %q, %v", name, m.name, err)
		}
	}
	allowed := "expected metrics out of " + strings.Join(KindNames(), ", ") + ", each once, " +
		"where CLASS is one of T-shirt/top, Trouser, Ankle boot, Bag, found "
	for _, name := range []string{"", "top4", "precision", "precision:", "precision:Boot", "ece:Bag", "Top3", "precision:CLASS", " ece"} {
		if _, err := NewSet([]string{"ece", name}, classNames); err == nil || err.Error() != allowed+fmt.Sprintf("%q", name) {
			t.Errorf("%q: found %v", name, err)
		}
	}
	if _, err := NewSet([]string{"recall:bag", "ece", "recall:Bag"}, classNames); err == nil || !strings.Contains(err.Error(), "found recall:Bag again") {
		t.Errorf("twice: found %v", err)
	}
}

func TestValuesAsJSON(t *testing.T) {
	v := Values{{"top3", 0.5}, {`precision:"a"`, math.NaN()}, {"ece", 1e-7}}
	text, err := json.Marshal(v)
	if want := `{"top3":0.5,"precision:\"a\"":null,"ece":1e-7}`; err != nil || string(text) != want {
		t.Errorf("found %s, %v", text, err)
	}
	if text, err := json.Marshal(Values{}); err != nil || cmp.Diff("{}", string(text)) != "" {
		t.Errorf("found %s, %v", text, err)
	}
}
