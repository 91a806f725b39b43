package dataset

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSample(t *testing.T) {
	data, err := Load(context.Background(), Options{Dir: SampleName})
	if err != nil {
		t.Fatal(err)
	}
	if data.Kind != Sample || data.Origin != SampleName {
		t.Errorf("expected the embedded sample, found %v from %s", data.Kind, data.Origin)
	}
	if len(data.Warnings) != 0 {
		t.Errorf("expected no warning about what was asked for, found %q", data.Warnings)
	}
	for _, c := range []struct {
		name string
		set  *Set
		size int
	}{{"training", data.Train, SampleTrain}, {"test", data.Test, SampleTest}} {
		stats := c.set.Stats()
		want := Stats{Count: c.size, Mean: stats.Mean, Std: stats.Std}
		for i := range want.PerClass {
			want.PerClass[i] = c.size / Classes
		}
		if diff := cmp.Diff(want, stats); diff != "" {
			t.Errorf("%s images: %s", c.name, diff)
		}
		// The full training set has the mean 0.2860 and the deviation 0.3530.
		if stats.Mean < 0.28 || stats.Mean > 0.29 || stats.Std < 0.35 || stats.Std > 0.36 {
			t.Errorf("%s images: expected the mean and deviation of Fashion-MNIST, found %v and %v", c.name, stats.Mean, stats.Std)
		}
	}
	// Fashion-MNIST begins with an ankle boot and two T-shirts, its test images with an ankle boot, a pullover and trousers.
	if diff := cmp.Diff([][]uint8{{9, 0, 0, 3, 0}, {9, 2, 1, 1, 6}}, [][]uint8{data.Train.Labels[:5], data.Test.Labels[:5]}); diff != "" {
		t.Errorf("expected the order of the full set: %s", diff)
	}
}

// Results on the sample can be compared only if it stays the same.
func TestSampleIsPinned(t *testing.T) {
	want := [4]string{
		trainImages: "cf313073c7eb485392848071d5c433571d7166043e971e3345b095cc30518084",
		trainLabels: "097b93fbcf9bd5bc648b1a457ddc55c9e4ab49afb33f9ecae8ce068399a75e3a",
		testImages:  "7cee33c3c6414b1b86c25e665a6c4f41584269de3b7cc9768b1d351922845eef",
		testLabels:  "3128d790775889812b73c4f13923559c8b9e281d112c6ea7862acf60a206a909",
	}
	for i, s := range Verify(SampleName) {
		if s.Err != nil || s.SHA256 != want[i] {
			t.Errorf("%s: expected the SHA-256 %s, found %s, %v", s.Path, want[i], s.SHA256, s.Err)
		}
	}
}
