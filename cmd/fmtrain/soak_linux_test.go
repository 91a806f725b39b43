package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
)

// soakVariable is the environment variable that asks for TestSoak, and how long it trains: 30m.
const soakVariable = "FMTRAIN_SOAK"

// TestSoak trains for a long time, as fmtrain train does, with a save each second at the least, and holds what the system says of the
// process after the first minute against what it was before: resident memory that rises by less than 1 MiB in 10 minutes, and no more
// goroutines and no more open files. It prints the figures.
func TestSoak(t *testing.T) {
	text := os.Getenv(soakVariable)
	if text == "" {
		t.Skipf("a long run: %s=30m asks for it, as make soak does", soakVariable)
	}
	length, err := time.ParseDuration(text)
	if err != nil || length < 2*warmUp {
		t.Fatalf("%s: expected a time of at least %v, found %q", soakVariable, 2*warmUp, text)
	}
	data := dataset.Find(dataset.DefaultOptions())
	if data == "" {
		data = dataset.SampleName
	}
	out := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- run(ctx, []string{
			"train", "--data", data, "--out", out, "--epochs", "1000000", "--progress", "none", "--log-every", "100", "--metrics", "top3,ece,auc",
			"--clip-norm", "1", "--ema", "0.999", "--lower-schedule", "cosine:warmup=500",
		}, streams{out: io.Discard, err: os.Stderr})
	}()

	var samples []sample
	saves := 0
	var saved time.Time
	start := time.Now()
	for each := time.NewTicker(time.Second); ctx.Err() == nil; <-each.C {
		found, err := look(time.Since(start))
		must(t, err)
		samples = append(samples, found)
		if last, err := os.Stat(loop.LastPath(out)); err == nil && last.ModTime() != saved {
			saved = last.ModTime()
			saves++
		}
	}
	if found := <-code; found != exitInterrupted {
		t.Fatalf("expected the exit code %d after %v, found %d", exitInterrupted, length, found)
	}
	if most := len(samples); saves < most*9/10 {
		t.Errorf("expected saves in %d seconds, found them in %d", most, saves)
	}

	var warm sample // the most of each in the first minute: a save has files open
	for samples[0].at < warmUp {
		warm.goroutines, warm.files = max(warm.goroutines, samples[0].goroutines), max(warm.files, samples[0].files)
		samples = samples[1:]
	}
	first, last := samples[0], samples[len(samples)-1]
	least, most := first, first
	for _, found := range samples {
		least.resident, most.resident = min(least.resident, found.resident), max(most.resident, found.resident)
		most.goroutines, most.files = max(most.goroutines, found.goroutines), max(most.files, found.files)
	}
	rise := slope(samples) * (10 * time.Minute).Seconds() / (1 << 20)
	t.Logf("%v of training on %s, saves in %d of the seconds", length, data, saves)
	t.Logf("resident memory: %.1f MiB after %v, %.1f MiB at the end, from %.1f to %.1f MiB between; %+.3f MiB in 10 minutes",
		mib(first.resident), warmUp, mib(last.resident), mib(least.resident), mib(most.resident), rise)
	t.Logf("goroutines: at most %d before %v, %d after; open files: %d, %d", warm.goroutines, warmUp, most.goroutines, warm.files, most.files)
	if rise >= 1 {
		t.Errorf("expected resident memory to rise by less than 1 MiB in 10 minutes, found %.3f MiB", rise)
	}
	if most.goroutines > warm.goroutines || most.files > warm.files {
		t.Errorf("expected no more goroutines and no more open files than before %v", warmUp)
	}
}

// warmUp is the time in which a process comes to its size.
const warmUp = time.Minute

// sample is what the system says of the process at a time of the run.
type sample struct {
	at                          time.Duration
	resident, goroutines, files int
}

func mib(bytes int) float64 { return float64(bytes) / (1 << 20) }

// look takes a sample.
func look(at time.Duration) (sample, error) {
	found := sample{at: at, goroutines: runtime.NumGoroutine()}
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return found, err
	}
	found.files = len(files)
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return found, err
	}
	defer status.Close()
	for lines := bufio.NewScanner(status); lines.Scan(); {
		if size, ok := strings.CutPrefix(lines.Text(), "VmRSS:"); ok {
			_, err := fmt.Sscanf(size, "%d kB", &found.resident)
			found.resident <<= 10
			return found, err
		}
	}
	return found, errors.New("/proc/self/status: expected a line VmRSS, found none")
}

// slope is that of the line through the resident memory that leaves the least squares, in bytes a second.
func slope(samples []sample) float64 {
	var n, t, r, tt, tr float64
	for _, s := range samples {
		at, resident := s.at.Seconds(), float64(s.resident)
		n, t, r, tt, tr = n+1, t+at, r+resident, tt+at*at, tr+at*resident
	}
	return (n*tr - t*r) / (n*tt - t*t)
}

func TestSlope(t *testing.T) {
	var samples []sample
	for i := range 100 {
		samples = append(samples, sample{at: time.Duration(60+i) * time.Second, resident: 1<<30 + 250*i + 1000*(i%2)})
	}
	if found := slope(samples); math.Abs(found-250) > 1 {
		t.Errorf("expected 250 bytes a second, found %v", found)
	}
}
