package chart

import (
	"math"
	"strconv"
)

// scale maps values to columns or rows. On a logarithmic scale low and high are logarithms to the base 10.
type scale struct {
	low, high float64
	log       bool
}

func newScale(log bool) scale { return scale{math.Inf(1), math.Inf(-1), log} }

// of is a value's place on the scale; NaN for none.
func (s scale) of(value float64) float64 {
	switch {
	case !s.log:
		return value
	case value > 0:
		return math.Log10(value)
	}
	return math.NaN()
}

func (s *scale) include(place float64) { s.low, s.high = min(s.low, place), max(s.high, place) }

// known says whether the scale has a point.
func (s scale) known() bool { return s.low <= s.high }

// widened is a scale of positive length, also if all its points are the same.
func (s scale) widened() scale {
	if length := s.high - s.low; length > 0 && finite(length) && s.low+length/1e6 > s.low {
		return s
	}
	around := max(math.Abs(s.low), 1) / 10
	if finite(s.high-s.low) && finite(s.low-around) && finite(s.high+around) {
		return scale{s.low - around, s.high + around, s.log}
	}
	return scale{-math.MaxFloat64 / 4, math.MaxFloat64 / 4, s.log}
}

// at is the cell of a value among n, which may be outside.
func (s scale) at(place float64, n int) int {
	cell := math.Round((place - s.low) / (s.high - s.low) * float64(n-1))
	return int(min(max(cell, -1), float64(n)))
}

// label is a number at the axis.
type label struct {
	value float64 // its place on the scale
	text  string
}

// labels are round numbers on the scale, at two of three cells at most.
func (s scale) labels(room int, whole bool) []label {
	return s.about(min(max(2, 2*room/3), 10), whole)
}

// about are round numbers on the scale, about as many as wanted.
func (s scale) about(wanted int, whole bool) (all []label) {
	if s.log {
		return s.powers(wanted)
	}
	step := niceStep((s.high - s.low) / float64(wanted))
	if whole {
		step = max(1, math.Round(step))
	}
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	for i := math.Ceil(s.low/step - 1e-9); i*step <= s.high+1e-9*step; i++ {
		if len(all) > 20 { // as from rounding on a scale of huge numbers
			break
		}
		all = append(all, label{i * step, number(i*step, decimals)})
	}
	return all
}

// niceStep is the smallest of 1, 2, 5, 10, ... times a power of ten that is not below the least step.
func niceStep(least float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(least)))
	for _, factor := range []float64{1, 2, 5} {
		if factor*power >= least*(1-1e-9) {
			return factor * power
		}
	}
	return 10 * power
}

// powers are powers of ten, all or every second, third, ... of them; on a short scale also 2 and 5 times them.
func (s scale) powers(wanted int) (all []label) {
	first, last := math.Floor(s.low), math.Ceil(s.high)
	step := math.Ceil((last - first) / float64(2*wanted))
	for p := first; p <= last; p += max(1, step) {
		for _, factor := range []float64{1, 2, 5} {
			value := factor * math.Pow(10, p)
			if place := math.Log10(value); place >= s.low-1e-9 && place <= s.high+1e-9 && (factor == 1 || s.high-s.low < 2) {
				all = append(all, label{place, strconv.FormatFloat(value, 'g', 3, 64)})
			}
		}
	}
	return all
}

// number is a number with as many decimals as its neighbours; a large or tiny one in powers of ten.
func number(x float64, decimals int) string {
	if x == 0 {
		x = 0 // not -0
	}
	if abs := math.Abs(x); decimals > 5 || abs >= 1e6 {
		return strconv.FormatFloat(x, 'g', 4, 64)
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}
