package main

import (
	"math"
	"slices"
	"testing"
)

// The deviation is that of a sample, with n − 1.
func TestSpread(t *testing.T) {
	for _, c := range []struct {
		values          []float64
		mean, deviation float64
	}{
		{[]float64{3}, 3, 0}, {[]float64{1, 3}, 2, math.Sqrt2}, {[]float64{2, 4, 4, 4, 5, 5, 7, 9}, 5, math.Sqrt(32. / 7)}, {[]float64{0.1, 0.1, 0.1}, 0.1, 0},
	} {
		if mean, deviation := spread(c.values); math.Abs(mean-c.mean) > 1e-12 || math.Abs(deviation-c.deviation) > 1e-12 {
			t.Errorf("%v: found %v and %v", c.values, mean, deviation)
		}
	}
}

func TestCellsOfAComparison(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{meanChange(0.5, 0.49999), "+0.0000"}, {meanChange(0.5, 0.25), "-0.2500"},
		{wholeChange(5, 5), ""}, {wholeChange(79710, 3198), "-76,512"}, {wholeChange(1, 2.5), "+1.5"},
		{percentChange(2, 3), "+50 %"}, {percentChange(0, 3), ""},
		{wholeText(1234567), "1,234,567"}, {wholeText(2.5), "2.5"},
		{duration(0.04), "0.0 s"}, {duration(99.94), "99.9 s"}, {duration(99.96), "1:40"}, {duration(3599.6), "1:00:00"}, {duration(7384), "2:03:04"},
		{value{"1", "0.5", "+3"}.String(), "1 ± 0.5 (+3)"}, {value{text: "1"}.String(), "1"},
		{latex(`a_b & 5 % of {x} \ ~ ^ # $ <"|>`), `a\_b \& 5 \% of \{x\} \textbackslash{} \textasciitilde{} \textasciicircum{} \# \$ \textless{}\textquotedbl{}\textbar{}\textgreater{}`},
		{latex("a\x1b[2J\nb"), `a\textbackslash{}x1b[2J\textbackslash{}nb`},
	} {
		if c.got != c.want {
			t.Errorf("expected %q, found %q", c.want, c.got)
		}
	}
}

// Long texts are broken where a person would, and no piece is too long.
func TestBroken(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  []string
	}{
		{"short", 8, []string{"short"}},
		{"784-100-ln-relu-10", 8, []string{"784-100-", "ln-relu-", "10"}},
		{"abcdefghijkl", 5, []string{"abcde", "fghij", "kl"}},
		{"± ± ± ± ±", 4, []string{"± ±", "± ±", "±"}},
	} {
		if got := broken(c.text, c.width); !slices.Equal(got, c.want) {
			t.Errorf("%q: expected %q, found %q", c.text, c.want, got)
		}
	}
}
