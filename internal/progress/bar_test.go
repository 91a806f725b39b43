package progress

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"fmtrain/internal/loop"
	"fmtrain/internal/metric"

	"github.com/google/go-cmp/cmp"
)

// onTerminal makes a bar whose lines are on the same terminal.
func onTerminal(e *emulator, color bool) *Bar {
	return NewBar(Terminal{Writer: e, Width: e.width, Color: color}, NewLines(Terminal{Writer: e, Width: e.width, Color: color}, 0))
}

// onPipe makes lines for an output that is not a terminal.
func onPipe(w io.Writer) *Lines {
	return NewLines(Terminal{Writer: w, Width: Width(w)}, 0)
}

func TestBarFrames(t *testing.T) {
	it := fashion.iteration(1, 1234)
	it.Loss, it.Accuracy = 0.60134, 0.79206
	for _, c := range []struct {
		columns int
		want    string
	}{
		{160, "Epoch 1/5  1234/1719  [===========================>            ]  loss 0.6013  acc 0.7921  lower 0.0001  upper 0.001  107k images/s  0:03 left"},
		{120, "Epoch 1/5  1234/1719  [===========>     ]  loss 0.6013  acc 0.7921  lower 0.0001  upper 0.001  107k images/s  0:03 left"},
		{113, "Epoch 1/5  1234/1719  [======>   ]  loss 0.6013  acc 0.7921  lower 0.0001  upper 0.001  107k images/s  0:03 left"},
		{112, "Epoch 1/5  1234/1719  [========================>           ]  loss 0.6013  acc 0.7921  107k images/s  0:03 left"},
		{86, "Epoch 1/5  1234/1719  [======>   ]  loss 0.6013  acc 0.7921  107k images/s  0:03 left"},
		{85, "1/5 1234/1719 [======================>          ] loss 0.6013 acc 0.7921 107k/s 0:03"},
		{80, "1/5 1234/1719 [==================>         ] loss 0.6013 acc 0.7921 107k/s 0:03"},
		{79, "1/5 1234/1719 [==================>        ] loss 0.6013 acc 0.7921 107k/s 0:03"},
		{60, "1/5 1234/1719 [========>    ] loss 0.6013 acc 0.7921 107k/s"},
		{48, "1/5 1234/1719 [====>   ] loss 0.6013 acc 0.7921"},
		{40, "1/5 1234/1719 loss 0.6013 acc 0.7921"},
		{31, "1/5 71% loss 0.6013 acc 0.7921"},
		{20, "1/5 71% loss 0.6013"},
		{15, "1/5 71% 0.6013"},
		{11, "71% 0.6013"},
		{4, "71%"},
		{3, ""},
		{1, ""},
		{0, ""},
	} {
		e := newEmulator(t, c.columns)
		if err := onTerminal(e, false).OnIteration(it); err != nil {
			t.Fatal(err)
		}
		if got := e.screen(); got != c.want {
			t.Errorf("%d columns:\n got %q\nwant %q", c.columns, got, c.want)
		}
	}
}

// Metrics besides the accuracy are shown where there is room for them.
func TestBarWithMetrics(t *testing.T) {
	it := fashion.iteration(1, 1234)
	it.Loss, it.Accuracy, it.Metrics = 0.60134, 0.79206, metric.Values{{Name: "top3", Value: 0.97889}}
	for _, c := range []struct {
		columns int
		want    string
	}{
		{126, "Epoch 1/5  1234/1719  [======>   ]  loss 0.6013  acc 0.7921  top3 0.9789  lower 0.0001  upper 0.001  107k images/s  0:03 left"},
		{125, "Epoch 1/5  1234/1719  [========================>           ]  loss 0.6013  acc 0.7921  top3 0.9789  107k images/s  0:03 left"},
		{91, "1/5 1234/1719 [==================>        ] loss 0.6013 acc 0.7921 top3 0.9789 107k/s 0:03"},
		{70, "1/5 1234/1719 [===========>      ] loss 0.6013 acc 0.7921 107k/s 0:03"},
	} {
		e := newEmulator(t, c.columns)
		if err := onTerminal(e, false).OnIteration(it); err != nil {
			t.Fatal(err)
		}
		if got := e.screen(); got != c.want {
			t.Errorf("%d columns:\n got %q\nwant %q", c.columns, got, c.want)
		}
	}
}

// Scheduled rates are shown where there is room; constant rates only where there is much room.
func TestBarWithScheduledRates(t *testing.T) {
	it := fashion.iteration(1, 1234)
	it.Loss, it.Accuracy = 0.60134, 0.79206
	it.Rates = loop.Rates{{Group: "lower", LearningRate: 1e-4}, {Group: "upper", LearningRate: 0.00073123, Scheduled: true}}
	for _, c := range []struct {
		columns int
		want    string
	}{
		{118, "Epoch 1/5  1234/1719  [=======>    ]  loss 0.6013  acc 0.7921  lower 0.0001  upper 0.000731  107k images/s  0:03 left"},
		{112, "Epoch 1/5  1234/1719  [=============>      ]  loss 0.6013  acc 0.7921  upper 0.000731  107k images/s  0:03 left"},
		{80, "1/5 1234/1719 [========>    ] loss 0.6013 acc 0.7921 upper 0.000731 107k/s 0:03"},
		{70, "1/5 1234/1719 [===========>      ] loss 0.6013 acc 0.7921 107k/s 0:03"},
	} {
		e := newEmulator(t, c.columns)
		if err := onTerminal(e, false).OnIteration(it); err != nil {
			t.Fatal(err)
		}
		if got := e.screen(); got != c.want {
			t.Errorf("%d columns:\n got %q\nwant %q", c.columns, got, c.want)
		}
	}
}

// The bar is never wider than the terminal less one column, and leaves only the permanent lines behind, at every width,
// coloured or not.
func TestBarFitsEveryWidth(t *testing.T) {
	s := script{epochs: 3, iterations: 12, batch: 32, step: 70 * time.Millisecond}
	for columns := 1; columns <= 200; columns++ {
		for _, color := range []bool{false, true} {
			screen, want := newEmulator(t, columns), newEmulator(t, 200)
			var text bytes.Buffer
			bar := NewBar(Terminal{Writer: screen, Width: screen.width, Color: color}, NewLines(Terminal{Writer: io.MultiWriter(&text, want), Width: want.width, Color: color}, 0))
			s.tell(t, bar, func(event string) {
				if strings.HasPrefix(event, "epoch") || event == "done" {
					if got := screen.screen(); got != "" {
						t.Fatalf("%d columns, %s: the bar left %q", columns, event, got)
					}
				}
			})
			if screen.widest > max(0, columns-1) {
				t.Fatalf("a bar of %d columns on a terminal of %d", screen.widest, columns)
			}
			if got := strings.Count(want.screen(), "\n"); got != s.epochs {
				t.Fatalf("%d permanent lines for %d epochs", got, s.epochs)
			}
		}
	}
}

// A terminal resized at random moments, also several times between two redraws, ends with the permanent lines alone.
func TestBarFollowsResize(t *testing.T) {
	s := script{epochs: 3, iterations: 30, batch: 32, step: 30 * time.Millisecond}
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 0))
		e := newEmulator(t, 120)
		e.reflow = seed%2 == 0
		bar := NewBar(Terminal{Writer: e, Width: e.width, Color: true}, onPipe(e)) // its lines always have the same columns
		var want bytes.Buffer
		lines := onPipe(&want)
		if err := lines.OnStart(s.start()); err != nil {
			t.Fatal(err)
		}
		s.tell(t, bar, func(event string) {
			if rng.IntN(10) == 0 {
				columns := 10 + rng.IntN(190)
				if !e.reflow {
					columns = 80 + rng.IntN(120) // so that permanent lines aren't cut
				}
				e.resize(columns)
			}
			if epoch := 0; strings.HasPrefix(event, "epoch") {
				fmt.Sscanf(event, "epoch %d", &epoch)
				if err := lines.OnEpoch(s.epoch(epoch)); err != nil {
					t.Fatal(err)
				}
			}
		})
		if diff := cmp.Diff(strings.TrimSpace(want.String()), e.screen()); diff != "" {
			t.Fatalf("seed %d (-want +got):\n%s", seed, diff)
		}
	}
}

func TestBarRedrawsAreBounded(t *testing.T) {
	for _, step := range []time.Duration{0, time.Microsecond, 100 * time.Microsecond, 30 * time.Millisecond, time.Second} {
		e := newEmulator(t, 100)
		bar := NewBar(Terminal{Writer: e, Width: e.width}, onPipe(io.Discard))
		s := script{epochs: 1, iterations: 1000, batch: 32, step: step}
		for i := 1; i <= s.iterations; i++ {
			if err := bar.OnIteration(s.iteration(1, i)); err != nil {
				t.Fatal(err)
			}
		}
		// the first, the last, and one each 100 ms between them
		if most := 2 + int(time.Duration(s.iterations)*step/interval); e.writes > min(most, s.iterations) {
			t.Errorf("steps of %v: %d writes, at most %d expected", step, e.writes, min(most, s.iterations))
		}
		if step >= interval && e.writes != s.iterations {
			t.Errorf("steps of %v: %d of %d iterations drawn", step, e.writes, s.iterations)
		}
		if !strings.Contains(e.screen(), "1000/1000") {
			t.Errorf("steps of %v: the last iteration isn't shown: %q", step, e.screen())
		}
		if err := errors.Join(bar.OnEpoch(s.epoch(1)), bar.OnIteration(s.iteration(2, 1))); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(e.screen(), "   1/1000") {
			t.Errorf("steps of %v: the next epoch's first iteration isn't shown: %q", step, e.screen())
		}
	}
}

// The same run on a terminal, on a pipe and in JSON shows the same values.
func TestViewsAgree(t *testing.T) {
	e := newEmulator(t, 120)
	var onTerm, piped, inJSON bytes.Buffer
	bar := NewBar(Terminal{Writer: e, Width: e.width}, onPipe(&onTerm))
	var frames []string
	fashion.tell(t, bar, func(event string) {
		if strings.HasSuffix(event, fmt.Sprint(".", fashion.iterations)) {
			frames = append(frames, e.screen())
		}
	})
	fashion.tell(t, onPipe(&piped), nil)
	fashion.tell(t, NewJSON(&inJSON, 1), nil)

	if diff := cmp.Diff(piped.String(), onTerm.String()); diff != "" {
		t.Errorf("the pipe's and the terminal's lines differ (-pipe +terminal):\n%s", diff)
	}
	for _, c := range piped.Bytes() {
		if c != '\n' && (c < ' ' || c > '~') {
			t.Fatalf("control character %#x on the pipe", c)
		}
	}

	epoch := 0
	var last struct{ Loss, Accuracy float64 }
	for line := range strings.Lines(inJSON.String()) {
		var j struct {
			Event            string
			Epoch            int
			Loss, Accuracy   float64
			ValLoss          float64 `json:"val_loss"`
			ValAccuracy      float64 `json:"val_accuracy"`
			Seconds          float64
			SamplesPerSecond float64 `json:"samples_per_second"`
			LR               map[string]float64
		}
		if err := json.Unmarshal([]byte(line), &j); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		switch j.Event {
		case "iteration":
			last.Loss, last.Accuracy = j.Loss, j.Accuracy
		case "epoch":
			if last.Loss != j.Loss || last.Accuracy != j.Accuracy {
				t.Errorf("epoch %d: JSON has %v at its last iteration and %v, %v at its end", j.Epoch, last, j.Loss, j.Accuracy)
			}
			frame := frames[epoch]
			epoch++
			line := strings.Split(piped.String(), "\n")[epoch] // after the heading
			wantFrame := fmt.Sprintf("Epoch %d/5  1719/1719  [=================]  loss %.4f  acc %.4f  lower %g  upper %g  %.0fk images/s  ",
				j.Epoch, j.Loss, j.Accuracy, j.LR["lower"], j.LR["upper"], j.SamplesPerSecond/1000)
			if !strings.HasPrefix(frame, wantFrame) {
				t.Errorf("last frame\n got %q\nwant %q", frame, wantFrame)
			}
			wantLine := fmt.Sprintf("  %d/5  %.4f    %.4f  %.4f   %.4f  %.2f s      %.0fk",
				j.Epoch, j.Loss, j.ValLoss, j.Accuracy, j.ValAccuracy, j.Seconds, j.SamplesPerSecond/1000)
			if j.Epoch%2 == 1 {
				wantLine += "  best"
			}
			if line != wantLine {
				t.Errorf("line\n got %q\nwant %q", line, wantLine)
			}
		}
	}
	if epoch != fashion.epochs {
		t.Errorf("%d epochs in JSON, %d in the run", epoch, fashion.epochs)
	}
}

func TestTimeLeft(t *testing.T) {
	for _, c := range []struct {
		it   loop.Iteration
		want string
	}{
		{loop.Iteration{Epoch: 1, Epochs: 5, Iteration: 860, Iterations: 1720, Elapsed: time.Second}, "0:09"},
		{loop.Iteration{Epoch: 5, Epochs: 5, Iteration: 1720, Iterations: 1720, Elapsed: time.Second}, "0:00"},
		{loop.Iteration{Epoch: 5, Epochs: 5, Iteration: 1719, Iterations: 1720, Elapsed: time.Second}, "0:01"},
		{loop.Iteration{Epoch: 1, Epochs: 100, Iteration: 10, Iterations: 10, Elapsed: time.Minute}, "1:39:00"},
	} {
		if got := clock(remaining(&c.it)); got != c.want {
			t.Errorf("iteration %d of %d, epoch %d of %d: %s left, expected %s", c.it.Iteration, c.it.Iterations, c.it.Epoch, c.it.Epochs, got, c.want)
		}
	}
}

// Odd numbers are shown as they are and never stop the bar.
func TestBarOddNumbers(t *testing.T) {
	zero := 0.0
	for _, it := range []*loop.Iteration{
		{},
		{Epoch: 1, Epochs: 1, Iteration: 1, Iterations: 1},
		{Epoch: 3, Epochs: 2, Iteration: 9, Iterations: 3, Seen: 5, Elapsed: 1, Rates: rates},
		{Epoch: 1, Epochs: 1, Iteration: 1, Iterations: 2, Loss: zero / zero, Accuracy: 1 / zero, Elapsed: time.Hour},
		{Epoch: 1, Epochs: 1, Iteration: 1, Iterations: 2, Loss: 1e300, Elapsed: time.Hour},
	} {
		for columns := range 130 {
			e := newEmulator(t, columns)
			if err := onTerminal(e, true).OnIteration(it); err != nil || e.widest > max(0, columns-1) {
				t.Errorf("%+v: error %v, %d of %d columns", it, err, e.widest, columns)
			}
		}
	}
}

func TestBarClear(t *testing.T) {
	e := newEmulator(t, 80)
	bar := onTerminal(e, false)
	bar.Clear()
	if e.writes != 0 {
		t.Error("Clear wrote before anything was drawn")
	}
	if err := bar.OnIteration(fashion.iteration(1, 1)); err != nil {
		t.Fatal(err)
	}
	bar.Clear()
	bar.Clear()
	if e.writes != 2 {
		t.Errorf("%d writes, expected a frame and its clearing", e.writes)
	}
	if err := errors.Join(bar.OnIteration(fashion.iteration(2, fashion.iterations)), bar.OnDone(&loop.Done{})); err != nil || e.screen() != "" {
		t.Errorf("after a run: error %v, the screen shows %q", err, e.screen())
	}
	fmt.Fprintln(e, "error: interrupted")
	if got := e.screen(); got != "error: interrupted" {
		t.Errorf("the screen shows %q", got)
	}
}

type failing struct{ writes int }

var errFull = errors.New("no space left on device")

func (f *failing) Write([]byte) (int, error) { f.writes++; return 0, errFull }

// A closed terminal does not end a run; lines that can't be written do.
func TestWriteErrors(t *testing.T) {
	var gone failing
	var lines bytes.Buffer
	fashion.tell(t, NewBar(Terminal{Writer: &gone, Width: func() int { return 80 }}, onPipe(&lines)), nil)
	if gone.writes != 1 || strings.Count(lines.String(), "\n") != 1+fashion.epochs {
		t.Errorf("%d writes to a failing terminal, lines:\n%s", gone.writes, &lines)
	}
	bar := NewBar(Terminal{Writer: io.Discard, Width: func() int { return 80 }}, onPipe(&failing{}))
	for name, o := range map[string]loop.Observer{"bar": bar, "lines": onPipe(&failing{}), "JSON": NewJSON(&failing{}, 1)} {
		if err := errors.Join(o.OnStart(fashion.start()), o.OnEpoch(fashion.epoch(2))); !errors.Is(err, errFull) {
			t.Errorf("%s: error %v, expected %v", name, err, errFull)
		}
	}
}

func TestColorIsOnlyColor(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9]+m")
	var plain, coloured bytes.Buffer
	for b, color := range map[*bytes.Buffer]bool{&plain: false, &coloured: true} {
		bar := NewBar(Terminal{Writer: b, Width: func() int { return 100 }, Color: color}, NewLines(Terminal{Writer: b, Width: func() int { return 100 }, Color: color}, 0))
		fashion.tell(t, bar, nil)
	}
	if sgr.Match(plain.Bytes()) {
		t.Error("colours where none were asked for")
	}
	for _, want := range []string{"\x1b[2mloss\x1b[0m ", "\x1b[2mval acc\x1b[0m ", "\x1b[32mbest\x1b[0m\n", " \x1b[1m0."} {
		if !strings.Contains(coloured.String(), want) {
			t.Errorf("no %q", want)
		}
	}
	if diff := cmp.Diff(plain.String(), sgr.ReplaceAllString(coloured.String(), "")); diff != "" {
		t.Errorf("colours change the text (-plain +coloured):\n%s", diff)
	}
}

func TestOnIterationDoesNotAllocate(t *testing.T) {
	bar := NewBar(Terminal{Writer: io.Discard, Width: func() int { return 80 }}, onPipe(io.Discard))
	it := fashion.iteration(1, 100)
	for name, o := range map[string]loop.Observer{"bar": bar, "JSON": NewJSON(io.Discard, 1), "JSON without iterations": NewJSON(io.Discard, 0)} {
		if n := testing.AllocsPerRun(100, func() { _ = o.OnIteration(it) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

func BenchmarkBarNotDue(b *testing.B) {
	bar := NewBar(Terminal{Writer: io.Discard, Width: func() int { return 80 }}, onPipe(io.Discard))
	benchmark(b, bar)
}

func BenchmarkBarRedraw(b *testing.B) {
	bar := NewBar(Terminal{Writer: io.Discard, Width: func() int { return 80 }}, onPipe(io.Discard))
	it := fashion.iteration(1, fashion.iterations)
	b.ReportAllocs()
	for b.Loop() {
		_ = bar.OnIteration(it)
	}
}

func BenchmarkJSONIteration(b *testing.B) { benchmark(b, NewJSON(io.Discard, 1)) }

func BenchmarkJSONNoIteration(b *testing.B) { benchmark(b, NewJSON(io.Discard, 0)) }

func benchmark(b *testing.B, o loop.Observer) {
	it := fashion.iteration(1, 100)
	b.ReportAllocs()
	for b.Loop() {
		_ = o.OnIteration(it)
	}
}
