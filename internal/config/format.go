package config

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"fmtrain/internal/schedule"
)

// auto is the word for a setting that is worked out from others or from the data.
const auto = "auto"

// format is the values that a setting takes and how they are written.
type format struct {
	noun    string                        // the value's name in the help
	allowed string                        // completes "expected ..."
	read    func(text string) (any, bool) // the value in the type of the Config's field, or nil for auto
	auto    bool                          // the default is auto
	yaml    bool                          // a text that is YAML itself, which a file has in its place
	list    bool                          // a text that a file may write as a list of texts and whole numbers
	wrong   func(text string) error       // what is wrong in a text, more closely than allowed says; may be nil
}

// refusal is what to say of a value that was refused: its text, empty if it is no scalar, and what was found, described.
func (f format) refusal(text, found string) string {
	if f.wrong != nil && text != "" {
		if err := f.wrong(text); err != nil { // none if only the type is wrong, as of a file's !x constant
			return err.Error()
		}
	}
	return fmt.Sprintf("expected %s, found %s", f.allowed, found)
}

func text(noun string) format {
	return format{
		noun:    noun,
		allowed: "UTF-8 text (in a file, in quotes if YAML takes it for something else)",
		read:    func(s string) (any, bool) { return s, utf8.ValidString(s) },
	}
}

func boolean() format {
	return format{
		noun:    "bool",
		allowed: "true or false",
		read: func(s string) (any, bool) {
			b, err := strconv.ParseBool(s)
			return b, err == nil
		},
	}
}

func oneOf(words []string) format {
	return format{
		noun:    "NAME",
		allowed: "one of " + strings.Join(words, ", "),
		read:    func(s string) (any, bool) { return s, slices.Contains(words, s) },
	}
}

func atLeast(low int) format {
	f := within(low, math.MaxInt)
	f.allowed = fmt.Sprintf("a whole number of at least %d", low)
	return f
}

func within(low, high int) format {
	return format{
		noun:    "N",
		allowed: fmt.Sprintf("a whole number from %d to %d", low, high),
		read: func(s string) (any, bool) {
			n, err := strconv.Atoi(s)
			return n, err == nil && n >= low && n <= high
		},
	}
}

func seed() format {
	return format{
		noun:    "N",
		allowed: fmt.Sprintf("a whole number from 0 to %d", uint64(math.MaxUint64)),
		read: func(s string) (any, bool) {
			n, err := strconv.ParseUint(s, 10, 64)
			return n, err == nil
		},
	}
}

// nonNegative and positive judge the number as the float32 that the training uses: one that overflows to Inf, or an ε that
// vanishes, is refused.
func nonNegative(noun string) format {
	return format{
		noun:    noun,
		allowed: "a finite number of at least 0",
		read: func(s string) (any, bool) {
			x, err := strconv.ParseFloat(s, 64)
			return x, err == nil && x >= 0 && float32(x) <= math.MaxFloat32
		},
	}
}

func positive(noun string) format {
	return format{
		noun:    noun,
		allowed: "a finite float32 number above 0",
		read: func(s string) (any, bool) {
			x, err := strconv.ParseFloat(s, 64)
			return x, err == nil && float32(x) > 0 && float32(x) <= math.MaxFloat32
		},
	}
}

func below1(noun string) format {
	return format{
		noun:    noun,
		allowed: "a number from 0 to below 1",
		read: func(s string) (any, bool) {
			x, err := strconv.ParseFloat(s, 64)
			return x, err == nil && x >= 0 && x < 1
		},
	}
}

// everyText is a number of iterations or a duration: in a file a number or a text.
type everyText string

func every() format {
	return format{
		noun:    "N|DURATION",
		allowed: "a whole number of iterations of at least 0, or a duration above 0 as in 90s or 5m",
		read: func(s string) (any, bool) {
			_, _, ok := readEvery(s)
			return everyText(s), ok
		},
	}
}

func readEvery(s string) (iterations int, period time.Duration, ok bool) {
	if n, err := strconv.Atoi(s); err == nil {
		return n, 0, n >= 0
	}
	period, err := time.ParseDuration(s)
	return 0, period, err == nil && period > 0
}

// SaveEvery is CheckpointEvery as a number of iterations or, if that is 0, a duration; both 0 for neither.
func (c Config) SaveEvery() (iterations int, period time.Duration) {
	iterations, period, _ = readEvery(c.CheckpointEvery) // a text that is neither has been refused by now
	return iterations, period
}

// schedules is a schedule of a learn rate. It is kept with all its options, so that the settings of a run tell them.
func schedules() format {
	return format{
		noun:    "SCHEDULE",
		allowed: "a schedule of " + strings.Join(Schedules, ", ") + ", with options as in step:epochs=10,factor=0.1",
		read: func(s string) (any, bool) {
			parsed, err := schedule.Parse(s)
			if err != nil {
				return nil, false
			}
			return schedule.Text(parsed), true
		},
		wrong: func(s string) error {
			_, err := schedule.Parse(s)
			return err
		},
	}
}

// widths is a list of layer widths; one alone needs no brackets in a file.
func widths() format {
	width := within(1, maxSize)
	return format{
		noun:    "N,N,...",
		allowed: "at least one hidden layer, each width " + width.allowed,
		read: func(s string) (any, bool) {
			var list []int
			for part := range strings.SplitSeq(s, ",") {
				n, ok := width.read(strings.TrimSpace(part))
				if !ok {
					return nil, false
				}
				list = append(list, n.(int))
			}
			return list, true
		},
	}
}

func orAuto(f format) format {
	return format{
		noun:    f.noun,
		allowed: "auto or " + f.allowed,
		auto:    true,
		read: func(s string) (any, bool) {
			if s == auto {
				return nil, true
			}
			return f.read(s)
		},
	}
}
