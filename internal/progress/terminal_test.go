package progress

import (
	"bytes"
	"math"
	"os"
	"testing"
	"time"
)

func TestColorEnabled(t *testing.T) {
	for _, c := range []struct {
		terminal bool
		env      map[string]string
		want     bool
	}{
		{true, nil, true},
		{true, map[string]string{"TERM": "xterm-256color"}, true},
		{true, map[string]string{"NO_COLOR": ""}, true},
		{true, map[string]string{"NO_COLOR": "1"}, false},
		{true, map[string]string{"NO_COLOR": "0"}, false},
		{true, map[string]string{"TERM": "dumb"}, false},
		{false, nil, false},
	} {
		if got := ColorEnabled(c.terminal, func(key string) string { return c.env[key] }); got != c.want {
			t.Errorf("terminal %v, %v: %v, expected %v", c.terminal, c.env, got, c.want)
		}
	}
}

func TestNotATerminal(t *testing.T) {
	file, err := os.Create(t.TempDir() + "/out")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if IsTerminal(file) || IsTerminal(&bytes.Buffer{}) {
		t.Error("a file or a buffer passes for a terminal")
	}
	if a, b := Width(file)(), Width(&bytes.Buffer{})(); a != 80 || b != 80 {
		t.Errorf("widths %d and %d, expected 80", a, b)
	}
}

// progressbar rounds down through float64; the percentage is ours.
func TestGauge(t *testing.T) {
	for _, c := range []struct {
		done, total int64
		cells       int
		want        string
		percent     int64
	}{
		{0, 100, 10, "[          ]", 0},
		{1, 100000, 10, "[          ]", 0},
		{29, 100, 10, "[=>        ]", 29},
		{1234, 1719, 10, "[======>   ]", 71},
		{99, 100, 10, "[========> ]", 99},
		{999, 1000, 3, "[=> ]", 99},
		{100, 100, 10, "[==========]", 100},
		{1, 1, 3, "[===]", 100},
		{7, 5, 3, "[===]", 100},
	} {
		g := gauge{done: c.done, total: c.total}
		if got := g.String(c.cells); got != c.want {
			t.Errorf("%d of %d: %q, expected %q", c.done, c.total, got, c.want)
		}
		if got := g.percent(); got != c.percent {
			t.Errorf("%d of %d: %d%%, expected %d%%", c.done, c.total, got, c.percent)
		}
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range [][2]string{
		{rough(0), "0.0"}, {rough(7.34), "7.3"}, {rough(9.96), "10"}, {rough(532), "532"}, {rough(999.4), "999"},
		{rough(999.6), "1.0k"}, {rough(9876), "9.9k"}, {rough(105432), "105k"}, {rough(1.24e6), "1.2M"}, {rough(5e12), "5000G"},
		{seconds(0.524), "0.52 s"}, {seconds(9.994), "9.99 s"}, {seconds(9.996), "10.0 s"}, {seconds(99.96), "100 s"}, {seconds(732.1), "732 s"},
		{clock(0), "0:00"}, {clock(1), "0:01"}, {clock(3 * time.Second), "0:03"}, {clock(59*time.Second + 1), "1:00"},
		{clock(12*time.Minute + 3*time.Second), "12:03"}, {clock(time.Hour + 2*time.Minute + 3*time.Second), "1:02:03"},
		{size(5148), "5.1 kB"}, {size(999_949), "999.9 kB"}, {size(999_950), "1.0 MB"}, {size(26421880), "26.4 MB"},
		{of(7, 1719), "   7/1719"}, {of(5, 5), "5/5"},
		{mean(0.60134), "0.6013"}, {mean(9.99996), "10.000"}, {mean(1234.5), "1234.5"}, {mean(123456.7), "123457"},
		{mean(1.26e30), "1.3e+30"}, {mean(math.NaN()), "NaN"},
		{string(appendShortest(nil, 1e-4)), "0.0001"}, {string(appendShortest(nil, 2.5e-7)), "2.5e-7"}, {string(appendShortest(nil, 1e-12)), "1e-12"},
	} {
		if c[0] != c[1] {
			t.Errorf("%q, expected %q", c[0], c[1])
		}
	}
}
