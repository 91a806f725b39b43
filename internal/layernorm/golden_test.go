package layernorm_test

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"fmtrain/internal/layernorm"
)

// moments are the mean and standard deviation of a row.
func moments(row []float32) (mean, sigma float64) {
	for _, v := range row {
		mean += float64(v) / float64(len(row))
	}
	for _, v := range row {
		sigma += (float64(v) - mean) * (float64(v) - mean) / float64(len(row))
	}
	return mean, math.Sqrt(sigma)
}

// The op against PyTorch's float64, with the specified tolerances, and on rows far from zero no worse than Keras. It does the same as
// check-layernorm with different code.
func TestOpAgainstTorch(t *testing.T) {
	torch, keras := golden(t, torchFile), golden(t, kerasFile)
	if len(torch.Cases) != 12 || len(keras.Cases) != 12 {
		t.Fatalf("expected 12 cases each, found %d and %d", len(torch.Cases), len(keras.Cases))
	}
	var far int
	for i := range torch.Cases {
		c := &torch.Cases[i]
		n := len(c.Alpha)
		for _, form := range forms {
			want, got := truth(c, form), evaluate(t, ofCase(c, form))
			what := fmt.Sprintf("case %d, %s: y", i+1, form)
			for at := 0; at < len(c.X); at += n {
				row, tolerance := want.Y[at:at+n], allowed(want.Y)
				if mean, sigma := moments(c.X[at : at+n]); form == layernorm.Keras && math.Abs(mean) >= 100*sigma {
					far++
					tolerance = 0
					for j, v := range row {
						tolerance = max(tolerance, math.Abs(keras.Cases[i].Y[at+j]-v))
					}
				}
				near(t, what, got.Y[at:at+n], row, tolerance)
			}
			nearGradients(t, got.Gradients, want, 1e-5)
		}
	}
	if far == 0 {
		t.Error("expected rows far from zero in the golden files, found none")
	}
}

func TestReadGolden(t *testing.T) {
	const file = `{"source": "by hand", "epsilon_form": "variance", "cases": [
		{"shape": [1, 2], "epsilon": 0.5, "x": [1, 3], "alpha": [1, 2], "beta": [0, 1], "y": [-0.8164966, 2.6329932]}]}`
	g, err := layernorm.ReadGolden("mine.json", strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if g.Name != "mine.json" || g.Source != "by hand" || len(g.Cases) != 1 || g.Cases[0].Alpha[1] != 2 {
		t.Errorf("expected the file as it is written, found %+v", g)
	}
}

func TestReadGoldenRefuses(t *testing.T) {
	const (
		good = `{"shape": [1, 2], "epsilon": 0.5, "x": [1, 3], "alpha": [1, 2], "beta": [0, 1], "y": [-1, 2]}`
		full = `{"shape": [1, 2], "epsilon": 0.5, "x": [1, 3], "alpha": [1, 2], "beta": [0, 1], "dy": [1, 1],
			"sigma": {"y": [0, 0], "dx": [0, 0], "dalpha": [0, 0], "dbeta": [0, 0]}}`
	)
	// with is a file with a good case and a case that is changed in one place.
	with := func(second, old, new string) string {
		if strings.Count(second, old) != 1 {
			t.Fatalf("expected %q once in %s", old, second)
		}
		return `{"epsilon_form": "variance", "cases": [` + good + "," + strings.Replace(second, old, new, 1) + "]}"
	}
	for _, test := range []struct {
		what, file string
		parts      []string
	}{
		{"an empty file", "", []string{":1: expected a golden file in JSON"}},
		{"no JSON", "# LayerNorm\n", []string{":1: expected a golden file in JSON"}},
		{"JSON that breaks off", "{\n\"cases\": [\n", []string{":3: expected a golden file in JSON"}},
		{"an error on a line", "{\n\"source\": \"x\",\n\"cases\": oops}\n", []string{":3: expected a golden file in JSON"}},
		{"something after the end", with(good, "2]}", "2]}") + "\n\n}", []string{":3: expected a golden file in JSON"}},
		{"another kind of JSON", `[1, 2]`, []string{"expected a golden file in JSON"}},
		{"a word for a number", with(good, "0.5", `"half"`), []string{"expected a golden file in JSON", "epsilon"}},
		{"a number beyond float32", with(good, "[1, 3]", "[1, 1e39]"), []string{"expected a golden file in JSON", "1e39"}},
		{"no cases", `{"source": "x"}`, []string{"with cases, found none"}},
		{"an empty list of cases", `{"cases": []}`, []string{"with cases, found none"}},
		{"an empty case", with(`{}`, "{}", "{}"), []string{"case 2", "shape of rank 1 to 32, found rank 0"}},
		{"no shape", with(good, `"shape": [1, 2], `, ""), []string{"case 2", "shape of rank 1 to 32, found rank 0"}},
		{"an empty shape", with(good, "[1, 2], \"e", "[], \"e"), []string{"case 2", "shape of rank 1 to 32, found rank 0"}},
		{"a shape of rank 33", with(good, "[1, 2], \"e", "["+strings.Repeat("1, ", 32)+"2], \"e"), []string{"case 2", "shape of rank 1 to 32, found rank 33"}},
		{"a dimension of 0", with(good, "[1, 2], \"e", "[0, 2], \"e"), []string{"case 2", "[0 2]"}},
		{"negative dimensions", with(good, "[1, 2], \"e", "[-1, -2], \"e"), []string{"case 2", "[-1 -2]"}},
		{"dimensions that overflow", with(good, "[1, 2], \"e", "[4294967296, 4294967296, 2], \"e"), []string{"case 2", "found 2 values"}},
		{"a large shape", with(good, "[1, 2], \"e", "[2, 2], \"e"), []string{"case 2", "[2 2]", "found 2"}},
		{"a small shape", with(good, "[1, 2], \"e", "[1, 1], \"e"), []string{"case 2", "expected 1 values of x", "found 2"}},
		{"no epsilon", with(good, `"epsilon": 0.5, `, ""), []string{"case 2", "positive epsilon, found 0"}},
		{"a negative epsilon", with(good, "0.5", "-0.5"), []string{"case 2", "positive epsilon, found -0.5"}},
		{"a short alpha", with(good, `"alpha": [1, 2]`, `"alpha": [1]`), []string{"case 2", "expected 2 values of alpha", "found 1"}},
		{"a long beta", with(good, "[0, 1]", "[0, 1, 2]"), []string{"case 2", "expected 2 values of beta", "found 3"}},
		{"a short y", with(good, "[-1, 2]", "[-1]"), []string{"case 2", "expected 2 values of y", "found 1"}},
		{"no y", with(good, `, "y": [-1, 2]`, ""), []string{"case 2", "expected 2 values of y", "found 0"}},
		{"a dy of other length that nothing needs", with(good, `"y"`, `"dy": [1], "y"`), []string{"case 2", "expected 2 values of dy", "found 1"}},
		{"no dy", with(full, `"dy": [1, 1],`, ""), []string{"case 2", "expected 2 values of dy", "found 0"}},
		{"a short y beside the truth", with(full, `"dy"`, `"y": [1], "dy"`), []string{"case 2", "expected 2 values of y", "found 1"}},
		{"a truth without y", with(full, `"y": [0, 0], `, ""), []string{"case 2", "expected 2 values of sigma.y", "found 0"}},
		{"a truth with a short dx", with(full, `"dx": [0, 0]`, `"dx": [0]`), []string{"case 2", "expected 2 values of sigma.dx", "found 1"}},
		{"a truth without dalpha", with(full, `"dalpha": [0, 0], `, ""), []string{"case 2", "expected 2 values of sigma.dalpha"}},
		{"a truth with a long dbeta", with(full, `"dbeta": [0, 0]`, `"dbeta": [0, 0, 0]`), []string{"case 2", "expected 2 values of sigma.dbeta", "found 3"}},
		{"a truth of another form", with(full, `"sigma"`, `"variance"`), nil},
		{"an unknown epsilon_form", `{"epsilon_form": "std", "cases": [` + good + "]}", []string{"case 1", "epsilon_form", `found "std"`}},
		{"no epsilon_form", `{"cases": [` + good + "]}", []string{"case 1", "epsilon_form", `found ""`}},
	} {
		t.Run(test.what, func(t *testing.T) {
			_, err := layernorm.ReadGolden("mine.json", strings.NewReader(test.file))
			if test.parts == nil {
				if err != nil {
					t.Errorf("expected no error, found %v", err)
				}
				return
			}
			wantError(t, err, append(test.parts, "mine.json")...)
		})
	}
	_, err := layernorm.ReadGolden("mine.json", iotest.ErrReader(errors.New("the disk is gone")))
	wantError(t, err, "mine.json", "the disk is gone")
}

// Any file is refused with an error that names it, or can be checked.
func FuzzReadGolden(f *testing.F) {
	f.Add(`{"epsilon_form": "variance", "cases": [{"shape": [1, 2], "epsilon": 0.5, "x": [1, 3], "alpha": [1, 2], "beta": [0, 1], "y": [-1, 2]}]}`)
	f.Add(`{"cases": [{"shape": [2], "epsilon": 1e-3, "x": [1, 3], "alpha": [1, 2], "beta": [0, 1], "dy": [1, 1],
		"sigma": {"y": [0, 0], "dx": [0, 0], "dalpha": [0, 0], "dbeta": [0, 0]}}]}`)
	f.Add(`{"epsilon_form": "sigma", "cases": [{"shape": [1, 1, 1], "epsilon": 1e-300, "x": [3e38], "alpha": [3e38], "beta": [-3e38], "y": [1e308], "dy": [1, 2]}]}`)
	f.Add(`{"epsilon_form": "sigma", "cases": [{"shape": [1, 1], "epsilon": 1, "x": [1], "alpha": [1], "beta": [1], "dy": [1], "y": [1, 2],
		"variance": {"y": [0], "dx": [0], "dalpha": [0], "dbeta": [0]}}]}`)
	f.Add(`{"cases": [{"shape": [-1, 0]}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		g, err := readWithin(t, text)
		if err != nil {
			return
		}
		if _, err := layernorm.CheckAll([]*layernorm.Golden{g}); err != nil {
			t.Errorf("expected the file to be checked, found %v", err)
		}
	})
}

// readWithin reads a golden file and checks what must be true of any file: it takes at most a small multiple of its length in memory,
// and an error names it.
func readWithin(t *testing.T, text string) (*layernorm.Golden, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	g, err := layernorm.ReadGolden("fuzz.json", strings.NewReader(text))
	runtime.ReadMemStats(&after)
	if used, most := after.TotalAlloc-before.TotalAlloc, uint64(1<<16+64*len(text)); used > most {
		t.Errorf("allocated %d bytes for %d, want at most %d", used, len(text), most)
	}
	if err != nil && !strings.HasPrefix(err.Error(), "fuzz.json:") {
		t.Errorf("expected the error to name the file, found %v", err)
	}
	return g, err
}

// Files made to use much memory are refused without using it.
func TestReadGoldenIsBounded(t *testing.T) {
	list := func(item string, n int) string { return "[" + strings.Repeat(item+",", n) + item + "]" }
	for what, text := range map[string]string{
		"deep nesting":           strings.Repeat("[", 1<<20),
		"deep nesting in a case": `{"cases": [{"shape": ` + strings.Repeat("[", 1<<20) + "}]}",
		"a million empty cases":  `{"cases": ` + list("{}", 1<<20) + "}",
		"a million null cases":   `{"cases": ` + list("null", 1<<20) + "}",
		"a million numbers":      `{"cases": [{"shape": [1048577], "x": ` + list("0", 1<<20) + "}]}",
		"a million dimensions":   `{"cases": [{"shape": ` + list("1", 1<<20) + `, "x": [1]}]}`,
		"a list over and over":   `{"cases": [{` + strings.Repeat(`"x": [0,0,0,0,0,0,0,0],`, 1<<16) + `"shape": [8]}]}`,
		"a truth over and over":  `{"cases": [{` + strings.Repeat(`"sigma": {}, "sigma": null,`, 1<<16) + `"shape": [8]}]}`,
		"too long a file":        strings.Repeat(" ", 16<<20) + "{}",
	} {
		t.Run(what, func(t *testing.T) {
			if _, err := readWithin(t, text); err == nil {
				t.Error("expected an error")
			}
		})
	}
}
