package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
	"fmtrain/internal/run"
)

const hostile = `<script>alert("1")</script>' onload='x`

// example is a page with every part, of so many epochs and images.
func example(t *testing.T, epochs, images int) *Page {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	h := &History{Rates: map[string][]float64{}}
	for i := range epochs {
		h.Epochs = append(h.Epochs, float64(i+1))
		h.Loss = append(h.Loss, 1/float64(i+1)+random.Float64()/10)
		h.ValLoss = append(h.ValLoss, 1/float64(i+2)+random.Float64()/10)
	}
	set := &dataset.Set{Images: make([]uint8, images*dataset.Pixels), Labels: make([]uint8, images)}
	for i := range set.Images {
		set.Images[i] = uint8(random.UintN(256)) // noise: PNG can't make it smaller
	}
	m := NewMeasurement(set)
	for row := range images {
		logits := make([]float32, dataset.Classes)
		for k := range logits {
			logits[k] = 3 * random.Float32()
		}
		best := 0
		for k, z := range logits {
			if z > logits[best] {
				best = k
			}
		}
		m.Each(int32(row), int32(row%dataset.Classes), int32(best), logits)
	}
	text := func(x float64) string { return fmt.Sprintf("%.4f", x) }
	units := make([]float32, dataset.Pixels*60)
	for i := range units {
		units[i] = float32(random.NormFloat64())
	}
	return &Page{
		Title: hostile, Subtitle: hostile, Notes: []string{hostile}, Figures: []Figure{{hostile, hostile, hostile}},
		Charts:   []Chart{{Title: hostile, Best: 1, Text: text, Series: h.Series([]string{hostile, "training"}, h.ValLoss, h.Loss)}},
		Measured: m.Measured("validation", hostile),
		Weights:  pictures(units, dataset.Rows, 60, "units", hostile),
		Details:  []Table{{Title: hostile, About: hostile, Columns: []Column{{Heading: hostile}, {Heading: hostile}}, Rows: [][]string{{hostile, hostile}}}},
	}
}

func written(t *testing.T, p *Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// A page of a long run, whose images are as large as PNG can be, is below 2 MB, quick, and the same each time.
func TestPageSizeAndBytes(t *testing.T) {
	p := example(t, 1000, 10000)
	began := time.Now()
	text := written(t, p)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a page took %v", took)
	}
	if len(text) > 2e6 {
		t.Errorf("a page has %d bytes", len(text))
	}
	if again := written(t, example(t, 1000, 10000)); again != text {
		t.Error("the same contents gave another page")
	}
}

// Texts from files are shown as they are, and nothing in a page points to another place.
func TestPageIsClosed(t *testing.T) {
	text := written(t, example(t, 3, 200))
	if n := strings.Count(text, "<script"); n != 1 {
		t.Errorf("%d scripts, expected 1", n)
	}
	if strings.Contains(text, `alert("1")`) || strings.Contains(text, "' onload='") {
		t.Error("a hostile name is in the page without escapes")
	}
	for _, m := range regexp.MustCompile(`(?i)\s(?:src|href|srcset|action|data)="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if !strings.HasPrefix(m[1], "data:") && !strings.HasPrefix(m[1], "#") {
			t.Errorf("the page points to %.60q", m[1])
		}
	}
	if m := regexp.MustCompile(`https?://|@import|url\(`).FindString(text); m != "" {
		t.Errorf("the page has %q", m)
	}
	if strings.Contains(text, "ZgotmplZ") {
		t.Error("the template refused a value")
	}
	if !strings.Contains(text, `content="default-src &#39;none&#39;; img-src data:; style-src &#39;unsafe-inline&#39;; script-src &#39;sha256-`) {
		t.Error("the page has no content security policy")
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(`\sid="([^"]*)"`).FindAllStringSubmatch(text, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:popovertarget|aria-labelledby|href)="#?([^":]*)"`).FindAllStringSubmatch(text, -1) {
		if !ids[m[1]] {
			t.Errorf("nothing has the id %q", m[1])
		}
	}
	for _, m := range regexp.MustCompile(`<img [^>]*>`).FindAllString(text, -1) {
		if !regexp.MustCompile(`alt="[^"]+"`).MatchString(m) {
			t.Errorf("%.80s… has no text", m)
		}
	}
}

// A page knows its own kind, and no other file.
func TestIsReport(t *testing.T) {
	for text, expected := range map[string]bool{written(t, &Page{Title: "x"}): true, "": false, "<!doctype html><title>x</title>": false} {
		path := filepath.Join(t.TempDir(), "x.html")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := IsReport(path); got != expected || err != nil {
			t.Errorf("%.20q: %v, %v", text, got, err)
		}
	}
}

// A decimated curve keeps its peaks, its first and its last epoch; values that are missing leave gaps.
func TestChartKeepsPeaks(t *testing.T) {
	const n = 10000
	s := Series{Name: "x"}
	for i := range n {
		s.X, s.Y = append(s.X, float64(i+1)), append(s.Y, 1)
	}
	s.Y[4567], s.Y[7001] = 9, -9
	s.Y[0], s.Y[17] = math.NaN(), math.Inf(1)
	d := Chart{Title: "t", Text: number, Series: []Series{s}}.draw()
	var p struct {
		Epochs []float64
		Series []struct{ Text []string }
	}
	if err := json.Unmarshal([]byte(d.Points), &p); err != nil {
		t.Fatal(err)
	}
	texts := map[float64]string{}
	for i, epoch := range p.Epochs {
		texts[epoch] = p.Series[0].Text[i]
	}
	if len(p.Epochs) > 3*parts || texts[4568] != "9" || texts[7002] != "-9" || p.Epochs[0] != 1 || p.Epochs[len(p.Epochs)-1] != n || texts[1] != "" {
		t.Errorf("%d epochs from %v to %v; peaks %q and %q", len(p.Epochs), p.Epochs[0], p.Epochs[len(p.Epochs)-1], texts[4568], texts[7002])
	}
	if len(d.Rows) > mostRows || d.Rows[len(d.Rows)-1][0] != "10000" {
		t.Errorf("%d rows, the last one %v", len(d.Rows), d.Rows[len(d.Rows)-1])
	}
	gap := Chart{Title: "t", Text: number, Series: []Series{{Name: "x", X: []float64{1, 2, 3, 4}, Y: []float64{0, math.NaN(), 1, 0}}}}.draw()
	if got := gap.Curves[0]; got.Path != "M666.7 45.5L1000 954.5" || got.Dots != "M0 954.5h0" {
		t.Errorf("the curve with a gap is %s with the dots %s", got.Path, got.Dots)
	}
	if (Chart{Title: "t", Text: number, Series: []Series{{X: []float64{1}, Y: []float64{math.NaN()}}}}).draw() != nil {
		t.Error("a chart without a point is drawn")
	}
}

// The mean has the epochs that all runs have.
func TestMean(t *testing.T) {
	a := &History{Epochs: []float64{1, 2, 3}, ValLoss: []float64{1, 2, 3}}
	b := &History{Epochs: []float64{1, 2}, ValLoss: []float64{3, 2}}
	s := Mean("x", []*History{a, b}, func(h *History) []float64 { return h.ValLoss })
	if fmt.Sprint(s.X, s.Y, s.Band) != fmt.Sprint([]float64{1, 2}, []float64{2, 2}, []float64{math.Sqrt2, 0}) {
		t.Errorf("%v", s)
	}
}

// A resumed run's epochs replace those that it trains again. Damaged lines and values are left out.
func TestReadHistory(t *testing.T) {
	d := run.Dir(t.TempDir())
	lines := `{"event":"epoch","epoch":1,"loss":3,"lr":{"b":1,"a":2}}
{"event":"epoch","epoch":2,"loss":2}
damaged
{"event":"epoch","epoch":2,"loss":null,"lr":{"a":7}}
`
	if err := os.WriteFile(d.Metrics(), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	h, err := ReadHistory(d)
	if err != nil || fmt.Sprint(h.Epochs, h.Loss, h.Groups, h.Rates) != "[1 2] [3 NaN] [a b] map[a:[2 7] b:[1 NaN]]" {
		t.Errorf("%v, %v", h, err)
	}
}

// A measurement counts as the confusion matrix and the ECE do, and orders its examples.
func TestMeasurement(t *testing.T) {
	set := &dataset.Set{Images: make([]uint8, 4*dataset.Pixels), Labels: make([]uint8, 4)}
	m := NewMeasurement(set)
	var ece metric.ECE
	for row, z := range []float32{1, 4, 2, 3} {
		logits := []float32{0, z, 0, 0, 0, 0, 0, 0, 0, 0}
		label := int32(6)
		if row == 2 {
			label = 1
		}
		m.Each(int32(row), label, 1, logits)
		ece.Update(&metric.Batch{Classes: 10, Logits: logits, Labels: []int32{label}, Predictions: []int32{1}})
	}
	r := m.Measured("test", "")
	var order []int
	for _, e := range r.Mistakes {
		order = append(order, e.Index)
	}
	if fmt.Sprint(order) != "[1 3 0]" || r.Wrong != 3 || r.Matrix[6].Cells[1].Count != 3 || r.Matrix[1].Cells[1].Count != 1 || r.ECE != percentText(ece.Result()) {
		t.Errorf("mistakes %v of %d, ECE %s", order, r.Wrong, r.ECE)
	}
	if r.Pairs[0].True != "Shirt" || r.Pairs[0].Found != "Trouser" || r.Pairs[0].Count != 3 {
		t.Errorf("pairs %v", r.Pairs)
	}
	samples := 0
	for _, b := range ece.Bins() {
		samples += b.Count
	}
	if samples != 4 {
		t.Errorf("the bins have %d samples", samples)
	}
	diverged := NewMeasurement(set)
	diverged.Each(0, 0, 0, []float32{float32(math.NaN()), 0, 0, 0, 0, 0, 0, 0, 0, 0})
	if ece := diverged.Measured("test", "").ECE; ece != "–" {
		t.Errorf("the ECE of NaN is %s", ece)
	}
}

// Each cell's text has the contrast of WCAG 2 AA on its colour, in both schemes.
func TestHeatContrast(t *testing.T) {
	if c := contrast(rgb{0, 0, 0}, rgb{255, 255, 255}); math.Abs(c-21) > 1e-9 {
		t.Errorf("black on white has the contrast %v", c)
	}
	for _, s := range heatScales {
		for scheme := range 2 {
			for level := 1; level <= heats; level++ {
				c := heatColor(s.from[scheme], s.to[scheme], level)
				if got := contrast(c, c.ink()); got < 4.5 {
					t.Errorf("%s, scheme %d, level %d: %s on %s has %.2f", s.class, scheme, level, c.ink().css(), c.css(), got)
				}
			}
		}
	}
}

// The server answers GET and HEAD of its page under its own names only, and makes the page again when its runs change.
func TestHandler(t *testing.T) {
	stamp, made := "a", 0
	var broken error
	h := NewHandler("127.0.0.1", func() string { return stamp }, func() (*Page, error) {
		made++
		return &Page{Title: fmt.Sprint("page ", made)}, broken
	})
	ask := func(method, host, path string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(method, "http://x"+path, nil)
		r.Host = host
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		return w
	}
	for _, c := range []struct {
		method, host, path string
		code               int
	}{
		{"GET", "127.0.0.1:4000", "/", 200},
		{"HEAD", "localhost:4000", "/", 200},
		{"GET", "LOCALHOST", "/", 200},
		{"GET", "[::1]:4000", "/", 200},
		{"GET", "evil.example:4000", "/", 421},
		{"GET", "127.0.0.1.evil.example", "/", 421},
		{"GET", "192.168.0.7:4000", "/", 421},
		{"GET", "", "/", 421},
		{"POST", "localhost", "/", 405},
		{"DELETE", "localhost", "/", 405},
		{"GET", "localhost", "/metrics.jsonl", 404},
		{"GET", "localhost", "/../etc/passwd", 404},
		{"GET", "localhost", "//", 404},
	} {
		w := ask(c.method, c.host, c.path)
		if w.Code != c.code {
			t.Errorf("%s %s of %q: %d, expected %d", c.method, c.path, c.host, w.Code, c.code)
		}
		if body := w.Body.String(); strings.Contains(body, "page 1") != (c.code == 200 && c.method == "GET") {
			t.Errorf("%s %s of %q: the page was sent, or was not", c.method, c.path, c.host)
		}
		if !strings.Contains(w.Header().Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s %s: no content security policy", c.method, c.path)
		}
	}
	first := ask("GET", "localhost", "/").Header().Get("ETag")
	stamp, broken = "b", os.ErrNotExist
	if w := ask("GET", "localhost", "/"); w.Code != 200 || !strings.Contains(w.Body.String(), "page 1") {
		t.Error("a run that can't be read for a moment loses the last page")
	}
	broken = nil
	w := ask("GET", "localhost", "/")
	if w.Header().Get("ETag") == first || strings.Contains(w.Body.String(), "page 1") {
		t.Error("the page does not follow its runs")
	}
	r := httptest.NewRequest("GET", "http://localhost/", nil)
	r.Header.Set("If-None-Match", w.Header().Get("ETag"))
	again := httptest.NewRecorder()
	h.ServeHTTP(again, r)
	if again.Code != http.StatusNotModified {
		t.Errorf("an unchanged page: %d", again.Code)
	}
	for host, expected := range map[string]bool{"0.0.0.0": true, "": true, "192.168.0.7": true, "box.lan": false} {
		if got := NewHandler(host, nil, nil).allowed("192.168.0.7:1"); got != expected {
			t.Errorf("a server on %q is asked as 192.168.0.7: %v", host, got)
		}
	}
	if NewHandler("0.0.0.0", nil, nil).allowed("evil.example") || !NewHandler("box.lan", nil, nil).allowed("Box.lan:80") {
		t.Error("names")
	}
}
