// Package bounds says which numbers a setting may have, in code and in words. Solvers, schedules, losses and the
// configuration share it, so a number is refused for the same reason and in the same words everywhere.
package bounds

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Range is a set of allowed numbers and the words for it. NaN and infinities are in no range. The zero Range is empty.
type Range struct {
	Text string // completes "expected ..."
	has  func(float64) bool
}

// The ranges that most settings have. The kernels compute in float32, so a number must be a normal float32 or 0.
var (
	NonNegative = New("a finite number of at least 0", func(x float64) bool { return x >= 0 && x <= math.MaxFloat32 })
	Positive    = New("a finite number above 0", func(x float64) bool { return x >= smallest && x <= math.MaxFloat32 })
	Fraction    = New("a number from 0 to below 1", func(x float64) bool { return x >= 0 && x < 1 })
)

// smallest is the smallest normal float32 above 0.
const smallest = 0x1p-126

// New makes a range from its words and its test.
func New(text string, has func(float64) bool) Range { return Range{text, has} }

// Between is the range from low to high, both included.
func Between(low, high float64) Range {
	return New(fmt.Sprintf("a number from %s to %s", short(low), short(high)),
		func(x float64) bool { return x >= low && x <= high })
}

// Above is the range above low, up to and including high.
func Above(low, high float64) Range {
	return New(fmt.Sprintf("a number above %s, at most %s", short(low), short(high)),
		func(x float64) bool { return x > low && x <= high })
}

// Whole is the range of the whole numbers from low to high, both included. If high is math.MaxInt, the text has no upper end.
func Whole(low, high int) Range {
	text := fmt.Sprintf("a whole number from %s to %s", short(float64(low)), short(float64(high)))
	if high == math.MaxInt {
		text = fmt.Sprintf("a whole number of at least %d", low)
	}
	return New(text, func(x float64) bool { return x == math.Trunc(x) && x >= float64(low) && x <= float64(high) })
}

// Has says whether x is in the range.
func (r Range) Has(x float64) bool { return r.has != nil && !math.IsInf(x, 0) && r.has(x) }

// Check is an error if x is not in the range. The error says what was expected and what was found.
func (r Range) Check(x float64) error {
	switch {
	case r.Has(x):
		return nil
	case !math.IsInf(x, 0) && math.Abs(x) > math.MaxFloat32 || x != 0 && math.Abs(x) < smallest:
		return fmt.Errorf("expected %s, found %v, which is outside the range of float32", r.Text, x)
	}
	return fmt.Errorf("expected %s, found %v", r.Text, x)
}

// Parse reads a number of the range.
func (r Range) Parse(text string) (float64, error) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil && !math.IsInf(x, 0) {
		return 0, fmt.Errorf("%.100q is not a number; expected %s", text, r.Text)
	}
	return x, r.Check(x)
}

// short writes a number as people do: 5, 0.5, 1e9.
func short(x float64) string {
	if x == math.Trunc(x) && math.Abs(x) < 1e6 {
		return strconv.FormatFloat(x, 'f', -1, 64)
	}
	return strings.ReplaceAll(strconv.FormatFloat(x, 'g', -1, 64), "e+0", "e")
}
