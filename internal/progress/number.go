package progress

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// appendShortest appends the shortest decimal number that reads back as x, as encoding/json writes it: 0.0001, 1e-7. NaN and
// infinities are written as by strconv.
func appendShortest(b []byte, x float64) []byte {
	format := byte('f')
	if abs := math.Abs(x); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	b = strconv.AppendFloat(b, x, format, -1, 64)
	if n := len(b); format == 'e' && n >= 4 && b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' {
		b = append(b[:n-2], b[n-1]) // e-07
	}
	return b
}

// mean is a loss, an accuracy or a metric: with four decimals, or fewer where the number is large, so that columns stay straight.
func mean(x float64) string {
	for decimals := 4; decimals > 0; decimals-- {
		if text := strconv.FormatFloat(x, 'f', decimals, 64); len(text) <= meanWidth {
			return text
		}
	}
	if text := strconv.FormatFloat(x, 'f', 0, 64); len(text) <= meanWidth {
		return text
	}
	return strconv.FormatFloat(x, 'g', 2, 64)
}

// rate is a learning rate: as it was set, such as 0.00025, or rounded to three digits if it has many.
func rate(x float64) string {
	exact := appendShortest(nil, x)
	if len(exact) <= len("0.00025") {
		return string(exact)
	}
	rounded, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 3, 64), 64) // what was formatted can be read
	return string(appendShortest(nil, rounded))
}

// rough is x in two or three digits: 7.3, 532, 9.9k, 105k, 1.2M.
func rough(x float64) string {
	units := []string{"", "k", "M", "G"}
	i := 0
	for ; x >= 999.5 && i < len(units)-1; i++ {
		x /= 1000
	}
	decimals := 0
	if x < 9.95 {
		decimals = 1
	}
	return strconv.FormatFloat(x, 'f', decimals, 64) + units[i]
}

// seconds is a time span in three digits: 0.52 s, 12.3 s, 732 s.
func seconds(x float64) string {
	decimals := 2
	switch {
	case x >= 99.95:
		decimals = 0
	case x >= 9.995:
		decimals = 1
	}
	return strconv.FormatFloat(x, 'f', decimals, 64) + " s"
}

// clock is a time span as on a kitchen clock, rounded up to the second: 0:03, 12:03, 1:02:03.
func clock(d time.Duration) string {
	s := int64((d + time.Second - 1) / time.Second)
	if s < 3600 {
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	}
	return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
}

// size is a number of bytes: 5.1 kB, 26.4 MB.
func size(n float64) string {
	if n < 999_950 {
		return strconv.FormatFloat(n/1e3, 'f', 1, 64) + " kB"
	}
	return strconv.FormatFloat(n/1e6, 'f', 1, 64) + " MB"
}

// of is "n/total", n padded to the width of the total.
func of(n, total int) string {
	digits := len(strconv.Itoa(total))
	return fmt.Sprintf("%*d/%d", digits, n, total)
}
