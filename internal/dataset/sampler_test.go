package dataset

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestOrderIsAPermutation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 500).Draw(t, "n")
		s := NewSampler(n, rapid.Uint64().Draw(t, "seed"), rapid.Bool().Draw(t, "shuffle"))
		for _, epoch := range rapid.SliceOfN(rapid.Int(), 1, 3).Draw(t, "epochs") {
			sorted := slices.Sorted(slices.Values(s.Order(epoch)))
			if len(sorted) != n {
				t.Fatalf("expected %d places, found %d", n, len(sorted))
			}
			for i, v := range sorted {
				if int(v) != i {
					t.Fatalf("expected each of 0 to %d once, found %v", n-1, sorted)
				}
			}
		}
	})
}

// The order of an epoch does not depend on earlier epochs or on the sampler.
func TestOrderDependsOnSeedAndEpochAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(20, 100).Draw(t, "n")
		seed, epoch := rapid.Uint64().Draw(t, "seed"), rapid.Int().Draw(t, "epoch")
		want := slices.Clone(NewSampler(n, seed, true).Order(epoch))

		used := NewSampler(n, seed, true)
		used.Order(rapid.Int().Draw(t, "earlier epoch"))
		if diff := cmp.Diff(want, used.Order(epoch)); diff != "" {
			t.Fatalf("after another epoch: %s", diff)
		}
		if slices.Equal(want, used.Order(epoch+1)) {
			t.Fatal("two epochs have the same order")
		}
		if slices.Equal(want, NewSampler(n, seed+1, true).Order(epoch)) {
			t.Fatal("two seeds have the same order")
		}
		if slices.Equal(want, NewSampler(n, uint64(epoch), true).Order(int(seed))) && seed != uint64(epoch) {
			t.Fatal("seed and epoch are interchangeable")
		}
	})
}

// The order of a seed and epoch is a promise: recorded runs depend on it. The orders here come from a second
// implementation of SplitMix64, PCG-DXSM and Lemire's method, with integers of any size.
func TestOrderIsPinned(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		epoch int
		want  []int32
	}{
		{42, 1, []int32{2, 10, 4, 9, 1, 5, 0, 11, 7, 6, 3, 8}},
		{42, 2, []int32{4, 3, 6, 2, 9, 10, 11, 8, 1, 0, 5, 7}},
		{0, 0, []int32{10, 2, 5, 4, 0, 8, 1, 9, 6, 11, 7, 3}},
		{math.MaxUint64, 7, []int32{3, 11, 10, 5, 4, 8, 2, 0, 9, 6, 1, 7}},
	} {
		if diff := cmp.Diff(c.want, NewSampler(12, c.seed, true).Order(c.epoch)); diff != "" {
			t.Errorf("seed %d, epoch %d: %s", c.seed, c.epoch, diff)
		}
	}
}

func TestOrderWithoutShuffle(t *testing.T) {
	s := NewSampler(3, 42, false)
	for epoch := range 2 {
		if diff := cmp.Diff([]int32{0, 1, 2}, s.Order(epoch)); diff != "" {
			t.Error(diff)
		}
	}
}

// Over many seeds each of the 24 orders of four samples is about equally frequent: the chi-squared statistic of the counts, with 23
// degrees of freedom, is below its 99.99th percentile. The seeds are fixed, so the test can't fail by chance.
func TestOrderIsUniform(t *testing.T) {
	const n, orders, runs, limit = 4, 24, 48_000, 57.3
	counts := map[[n]int32]int{}
	for seed := range uint64(runs) {
		counts[[n]int32(NewSampler(n, seed, true).Order(1))]++
	}
	if len(counts) != orders {
		t.Errorf("expected %d orders, found %d", orders, len(counts))
	}
	const expected = float64(runs) / orders
	var chi2 float64
	for _, c := range counts {
		chi2 += (float64(c) - expected) * (float64(c) - expected) / expected
	}
	if chi2 > limit {
		t.Errorf("expected a chi-squared statistic of at most %v, found %v: %v", limit, chi2, counts)
	}
}

// A draw below three quarters of 2^64 must reject some values: without that, half of the results would be multiples of 3.
func TestBelowIsUnbiased(t *testing.T) {
	const n, runs = 3 << 62, 30_000
	s := NewSampler(0, 1, true)
	s.source.Seed(1, 2)
	multiples := 0
	for range runs {
		k := s.below(n)
		if k >= n {
			t.Fatalf("expected a number below %d, found %d", uint64(n), k)
		}
		if k%3 == 0 {
			multiples++
		}
	}
	// Five standard deviations of a binomial count.
	if d := math.Abs(float64(multiples) - runs/3.0); d > 5*math.Sqrt(runs*2/9.0) {
		t.Errorf("expected about %d multiples of 3, found %d", runs/3, multiples)
	}
}

func TestOrderAllocatesNothing(t *testing.T) {
	s := NewSampler(100, 1, true)
	if n := testing.AllocsPerRun(10, func() { s.Order(3) }); n != 0 {
		t.Errorf("expected no allocation, found %v", n)
	}
}

func BenchmarkOrder(b *testing.B) {
	s := NewSampler(55_000, 1, true)
	b.ReportAllocs()
	for epoch := 0; b.Loop(); epoch++ {
		s.Order(epoch)
	}
}
