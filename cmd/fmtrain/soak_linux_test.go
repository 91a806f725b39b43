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
	"slices"
	"strings"
	"testing"
	"time"

	"fmtrain/internal/run"
)

// soakVariable is the environment variable that turns TestSoak on. Its value, such as 30m, is how long to train.
const soakVariable = "FMTRAIN_SOAK"

// TestSoak trains for a long time, as fmtrain train does, on the sample, where an epoch with its save takes less than a second. After the
// first minute, in which a process reaches its size, resident memory must grow by less than 1 MiB in 10 minutes, and the number of
// goroutines and open files must not grow. It prints the figures.
func TestSoak(t *testing.T) {
	text := os.Getenv(soakVariable)
	if text == "" {
		t.Skipf("a long run: %s=30m asks for it, as make soak does", soakVariable)
	}
	length, err := time.ParseDuration(text)
	if err != nil || length < 2*warmUp {
		t.Fatalf("%s: expected a time of at least %v, found %q", soakVariable, 2*warmUp, text)
	}
	out := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	code := make(chan int, 1)
	go func() {
		code <- execute(ctx, []string{
			"train", "--data", "sample", "--out", out, "--epochs", "1000000", "--progress", "none", "--log-every", "100", "--metrics", "top3,ece,auc",
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
		if last, err := os.Stat(run.Dir(out).Last()); err == nil && last.ModTime() != saved {
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

	samples = slices.DeleteFunc(samples, func(s sample) bool { return s.at < warmUp })
	minute := min(60, len(samples)/2)
	before, after := leastOf(samples[:minute]), leastOf(samples[len(samples)-minute:])
	first, last := samples[0], samples[len(samples)-1]
	most := first
	for _, found := range samples {
		most.resident = max(most.resident, found.resident)
	}
	rise := slope(samples) * (10 * time.Minute).Seconds() / (1 << 20)
	t.Logf("%v of training, saves in %d of the seconds", length, saves)
	t.Logf("resident memory: %.1f MiB after %v, %.1f MiB at the end, %.1f MiB at the most between; %+.3f MiB in 10 minutes",
		mib(first.resident), warmUp, mib(last.resident), mib(most.resident), rise)
	t.Logf("the least in the second and the last minute: goroutines %d and %d, open files %d and %d",
		before.goroutines, after.goroutines, before.files, after.files)
	if rise >= 1 {
		t.Errorf("expected resident memory to rise by less than 1 MiB in 10 minutes, found %.3f MiB", rise)
	}
	if after.goroutines > before.goroutines || after.files > before.files {
		t.Error("expected no more goroutines and no more open files in the last minute than in the second")
	}
}

// leastOf is the smallest of each figure in some samples, because a save has files open for a moment.
func leastOf(samples []sample) sample {
	least := samples[0]
	for _, s := range samples {
		least.goroutines, least.files = min(least.goroutines, s.goroutines), min(least.files, s.files)
	}
	return least
}

// warmUp is the time in which a process reaches its size.
const warmUp = time.Minute

// sample is what the system reports about the process at one time of the run.
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

// slope is the slope of the least-squares line through the resident memory, in bytes a second.
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
