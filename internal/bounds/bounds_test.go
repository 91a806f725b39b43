package bounds

import (
	"math"
	"testing"
)

func TestHas(t *testing.T) {
	for _, test := range []struct {
		r       Range
		in, out []float64
	}{
		{Range{}, nil, []float64{0, 1}},
		{NonNegative, []float64{0, 1e-30, 1, math.MaxFloat32}, []float64{-1e-9, 1e39}},
		{Positive, []float64{0x1p-126, 1, math.MaxFloat32}, []float64{0, 1e-39, -1, 1e39}},
		{Fraction, []float64{0, 0.5, math.Nextafter(1, 0)}, []float64{-0.1, 1, 2}},
		{Between(1, 1e9), []float64{1, 2.5, 1e9}, []float64{0.9, 1.1e9}},
		{Above(0, 0.5), []float64{1e-9, 0.5}, []float64{0, 0.6, -1}},
		{Whole(0, 1e9), []float64{0, 7, 1e9}, []float64{0.5, -1, 2e9}},
		{Whole(1, math.MaxInt), []float64{1, 1 << 52}, []float64{0, 1.5}},
		{New("anything", func(float64) bool { return true }), []float64{-5, math.MaxFloat64}, nil},
	} {
		for _, x := range test.in {
			if !test.r.Has(x) || test.r.Check(x) != nil {
				t.Errorf("%s: expected it to have %v", test.r.Text, x)
			}
		}
		for _, x := range append(test.out, math.Inf(1), math.Inf(-1)) {
			if test.r.Has(x) || test.r.Check(x) == nil {
				t.Errorf("%s: expected it not to have %v", test.r.Text, x)
			}
		}
		if test.r.Text != "anything" && test.r.Has(math.NaN()) {
			t.Errorf("%s: expected it not to have NaN", test.r.Text)
		}
	}
}

func TestParse(t *testing.T) {
	for _, test := range []struct {
		r           Range
		text, wrong string
		want        float64
	}{
		{Fraction, "0.25", "", 0.25},
		{Fraction, "1", "expected a number from 0 to below 1, found 1", 0},
		{Fraction, "abc", `"abc" is not a number; expected a number from 0 to below 1`, 0},
		{Fraction, "", `"" is not a number; expected a number from 0 to below 1`, 0},
		{Positive, "1e-3", "", 1e-3},
		{Positive, "1e-40", "expected a finite number above 0, found 1e-40, which is outside the range of float32", 0},
		{NonNegative, "1e999", "expected a finite number of at least 0, found +Inf", 0},
		{NonNegative, "1e39", "expected a finite number of at least 0, found 1e+39, which is outside the range of float32", 0},
		{NonNegative, "NaN", "expected a finite number of at least 0, found NaN", 0},
		{Between(1, 1e9), "0", "expected a number from 1 to 1e9, found 0", 0},
		{Above(0, 0.5), "0.75", "expected a number above 0, at most 0.5, found 0.75", 0},
		{Whole(1, 65535), "1.5", "expected a whole number from 1 to 65535, found 1.5", 0},
		{Whole(1, math.MaxInt), "0", "expected a whole number of at least 1, found 0", 0},
	} {
		got, err := test.r.Parse(test.text)
		switch {
		case test.wrong == "" && (err != nil || got != test.want):
			t.Errorf("%q: expected %v, found %v, %v", test.text, test.want, got, err)
		case test.wrong != "" && (err == nil || err.Error() != test.wrong):
			t.Errorf("%q: expected the error %q, found %v", test.text, test.wrong, err)
		}
	}
}
