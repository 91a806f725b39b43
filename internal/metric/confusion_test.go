package metric

import (
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// letters are the names of ten classes.
var letters = strings.Split("abcdefghij", "")

// The scores are those of the definitions, counted sample by sample.
func TestScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type sample struct{ label, predicted int }
		classes := rapid.IntRange(1, len(letters)).Draw(t, "classes") // the others are never seen
		class := rapid.IntRange(0, classes-1)
		samples := rapid.SliceOf(rapid.Custom(func(t *rapid.T) sample {
			return sample{class.Draw(t, "label"), class.Draw(t, "predicted")}
		})).Draw(t, "samples")

		confusion := NewConfusion(len(letters))
		for _, s := range samples {
			confusion[s.label][s.predicted]++
		}
		for k, got := range confusion.Scores(letters) {
			var truePositives, falsePositives, falseNegatives float64
			for _, s := range samples {
				switch {
				case s.label == k && s.predicted == k:
					truePositives++
				case s.predicted == k:
					falsePositives++
				case s.label == k:
					falseNegatives++
				}
			}
			want := ClassScore{Label: letters[k], Support: int(truePositives + falseNegatives)}
			if truePositives > 0 {
				want.Precision = truePositives / (truePositives + falsePositives)
				want.Recall = truePositives / (truePositives + falseNegatives)
				want.F1 = 2 * want.Precision * want.Recall / (want.Precision + want.Recall)
			}
			if math.Abs(got.F1-want.F1) > 1e-15 {
				t.Fatalf("class %d: F1 %v, expected %v", k, got.F1, want.F1)
			}
			want.F1 = got.F1
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("class %d (-want +got):\n%s", k, diff)
			}
		}
	})
}
