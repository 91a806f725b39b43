package chart

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// curve is y = f(x) at 0, 1, ... n.
func curve(name string, n int, f func(float64) float64) Series {
	s := Series{Name: name}
	for i := range n + 1 {
		s.X, s.Y = append(s.X, float64(i)), append(s.Y, f(float64(i)))
	}
	return s
}

func same(t *testing.T, want string, c Chart) {
	t.Helper()
	if diff := cmp.Diff(strings.Trim(want, "\n"), strings.Join(c.Lines(), "\n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func falling() Chart {
	return Chart{
		Title: "loss", XLabel: "epoch", Width: 40, Height: 11, WholeX: true,
		Series: []Series{curve("training", 10, func(x float64) float64 { return 2 / (1 + x) })},
	}
}

func TestBraille(t *testing.T) {
	same(t, `
loss  ── training
2.0 ┤⢣
    │ ⢣
1.5 ┤  ⢣
1.0 ┤   ⢣
    │    ⠉⠢⣀
0.5 ┤       ⠉⠒⠒⠤⢄⣀⡀
    │             ⠈⠉⠉⠒⠒⠒⠒⠒⠒⠢⠤⠤⠤⠤⠤⠤⢄⣀⣀⣀⣀⣀
    └┬──────┬──────┬─────┬──────┬──────┬
     0      2      4     6      8     10
                    epoch
`, falling())
}

// Without colours, series are told apart by marks.
func TestMarks(t *testing.T) {
	c := falling()
	c.Series = append(c.Series, curve("validation", 10, func(x float64) float64 { return 1 + x/20 }))
	same(t, `
loss  ── training  ─o validation
2.0 ┤⢣
    │ ⢣                               ⣀⣀
1.5 ┤  ⢣             ⣀⣀⣀⠤o⠤⠤⠤o⠤⠒⠒⠒⠊⠉o⠉
1.0 ┤o⣀⠤⢧⠤⠔⠒o⠒⠒⠒⠒⠊⠉o⠉
    │    ⠉⠢⣀
0.5 ┤       ⠉⠒⠒⠤⢄⣀⡀
    │             ⠈⠉⠉⠒⠒⠒⠒⠒⠒⠢⠤⠤⠤⠤⠤⠤⢄⣀⣀⣀⣀⣀
    └┬──────┬──────┬─────┬──────┬──────┬
     0      2      4     6      8     10
                    epoch
`, c)
	c.Color = true
	if drawn := strings.Join(c.Lines(), "\n"); strings.Contains(drawn, "o⠤") || !strings.Contains(drawn, "\x1b[33m") {
		t.Errorf("with colours:\n%s", drawn)
	}
}

func TestASCII(t *testing.T) {
	c := falling()
	c.ASCII = true
	c.Series = append(c.Series, curve("validation", 10, func(x float64) float64 { return 1 }))
	same(t, `
loss  ** training  oo validation
2.0 +*
    | *
1.5 +  *
1.0 +ooooooooooooooooooooooooooooooooooo
    |     ****
0.5 +         **********
    |                   ****************
    ++------+------+-----+------+------+
     0      2      4     6      8     10
                    epoch
`, c)
}

func TestLogarithmic(t *testing.T) {
	c := Chart{Width: 44, Height: 8, LogX: true, Series: []Series{{X: []float64{0, 1e-5, 1e-3, 0.1, 10}, Y: []float64{9, 2, 1, 0.5, 3}}}}
	same(t, `
3 ┤                                      ⢀⡠⠊
  │                                    ⢀⠔⠁
2 ┤⠒⠤⢄⣀                              ⡠⠒⠁
  │    ⠉⠑⠒⠤⢄⣀                     ⢀⠤⠊
1 ┤          ⠉⠑⠒⠤⠤⣀⣀⣀           ⢀⠔⠁
  │                  ⠉⠉⠑⠒⠒⠤⠤⠤⣀⡠⠊⠁
  └┬────────────┬──────┬──────┬─────┬──────┬
   1e-05      0.001  0.01    0.1    1     10
`, c)
}

// A drawing keeps to its size, with and without colours, for any points.
func TestSize(t *testing.T) {
	hard := []Series{
		{}, {X: []float64{1}, Y: []float64{1}}, {X: []float64{1, 2}, Y: []float64{3, 3}},
		{X: []float64{0, 1, 2}, Y: []float64{math.NaN(), math.Inf(1), 0}},
		{X: []float64{-1e300, 1e300}, Y: []float64{-math.MaxFloat64, math.MaxFloat64}},
		{X: []float64{1e-300, 2e-300}, Y: []float64{5e-324, 1e-323}},
		{X: []float64{1, 1 + 1e-15}, Y: []float64{1e15, 1e15 + 1}},
		{X: []float64{12345678, 12345679}, Y: []float64{-123456.75, 123456789}},
		curve("a name that is long", 1000, math.Sin),
	}
	for i, s := range hard {
		for width := range 100 {
			for _, height := range []int{0, 4, 5, 6, 7, 8, 20} {
				for _, ascii := range []bool{false, true} {
					for _, log := range []bool{false, true} {
						c := Chart{Title: "title", XLabel: "x", Series: []Series{s, hard[1]}, Width: width, Height: height, LogX: log, ASCII: ascii}
						lines := c.Lines()
						if len(lines) > height || len(lines) == 0 && width >= minWidth && height >= minHeight {
							t.Fatalf("series %d, %d x %d: %d lines", i, width, height, len(lines))
						}
						for _, line := range lines {
							if utf8.RuneCountInString(line) > width || strings.HasSuffix(line, " ") || strings.Contains(line, "\x1b") {
								t.Fatalf("series %d, %d x %d: %q", i, width, height, line)
							}
							if ascii && strings.IndexFunc(line, func(r rune) bool { return r > '~' }) >= 0 {
								t.Fatalf("not ASCII: %q", line)
							}
						}
					}
				}
			}
		}
	}
}

func TestUTF8(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang, goos string
		want                   bool
	}{
		{"", "", "en_US.UTF-8", "linux", true},
		{"C", "", "en_US.UTF-8", "linux", false},
		{"", "C.utf8", "C", "darwin", true},
		{"", "", "", "linux", false},
		{"", "", "", "windows", true},
	} {
		env := map[string]string{"LC_ALL": c.all, "LC_CTYPE": c.ctype, "LANG": c.lang}
		if got := UTF8(func(name string) string { return env[name] }, c.goos); got != c.want {
			t.Errorf("%+v: found %v", c, got)
		}
	}
}
