//go:build unix

package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"fmtrain/internal/run"
)

// endless is a run that stays in its first epoch until it is stopped.
var endless = []string{"train", "--data", "sample", "--hidden", "8", "--epochs", "1000000", "--log-every", "1", "--out", "run"}

// started starts the program and waits until its run has a few lines of metrics.
func started(t *testing.T, cmd *exec.Cmd) (output *bytes.Buffer) {
	t.Helper()
	output = &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	for begin := time.Now(); ; time.Sleep(2 * time.Millisecond) {
		metrics, _ := os.ReadFile(filepath.Join(cmd.Dir, run.Dir("run").Metrics()))
		if bytes.Count(metrics, []byte("\n")) > 2 {
			return output
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("no metrics after a minute\n%s", output)
		}
	}
}

// At each of these signals the run finishes its step, saves, and says how to resume.
func TestSignalsSave(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		cmd := fmtrain(t.TempDir(), endless...)
		output := started(t, cmd)
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // an error, as the code is not 0
		if code := cmd.ProcessState.ExitCode(); code != exitInterrupted || !strings.HasSuffix(output.String(), "; saved\nResume with:\n  fmtrain train --resume run\n") {
			t.Errorf("%v: exit code %d\n%s", s, code, output)
		}
		if _, err := run.Load(filepath.Join(cmd.Dir, run.Dir("run").Last())); err != nil {
			t.Errorf("%v: %v", s, err)
		}
	}
}

// Under nohup a run outlives its terminal.
func TestHangupIgnored(t *testing.T) {
	cmd := exec.Command("sh", append([]string{"-c", `trap "" HUP; exec fmtrain "$@"`, "sh"}, endless...)...)
	cmd.Dir = t.TempDir()
	output := started(t, cmd)
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
		if s == syscall.SIGHUP {
			before := read(t, cmd.Dir, run.Dir("run").Metrics())
			for begin := time.Now(); len(read(t, cmd.Dir, run.Dir("run").Metrics())) == len(before); time.Sleep(5 * time.Millisecond) {
				if time.Since(begin) > time.Minute {
					t.Fatalf("SIGHUP ended it\n%s", output)
				}
			}
		}
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitInterrupted {
		t.Errorf("exit code %d\n%s", code, output)
	}
}

// A second signal ends the program at once, in the middle of a long step.
func TestSecondSignalEndsAtOnce(t *testing.T) {
	for range 10 {
		if endsAtSecondSignal(t) {
			return
		}
	}
	t.Error("in 10 runs no first signal came within a step")
}

// endsAtSecondSignal sends signals to a run until it has ended. It is false if the first signal came before the first step: then
// the run ends by itself.
func endsAtSecondSignal(t *testing.T) bool {
	t.Helper()
	cmd := fmtrain(t.TempDir(), "train", "--data", "sample", "--hidden", "4096,4096", "--batch-size", "5500", "--epochs", "9", "--threads", "1", "--out", "run")
	var output bytes.Buffer
	cmd.Stdout, cmd.Stderr = &output, &output
	check(t, cmd.Start())
	defer cmd.Process.Kill()
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for begin := time.Now(); ; { // until it trains
		if _, err := os.Stat(filepath.Join(cmd.Dir, run.Dir("run").Last())); err == nil {
			break
		}
		select {
		case err := <-ended:
			t.Fatalf("it ended before it trained: %v\n%s", err, &output)
		case <-time.After(5 * time.Millisecond):
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("it doesn't train after a minute")
		}
	}
	time.Sleep(500 * time.Millisecond) // from the end of the save to the middle of the step, which takes seconds
	for range 400 {
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			break
		}
		select {
		case <-ended:
			if strings.Contains(output.String(), "interrupted in epoch 1, step 0") {
				return false
			}
			if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT {
				t.Errorf("it ended by itself: %v\n%s", cmd.ProcessState, &output)
			}
			return true
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Errorf("it went on for 20 s after a second signal\n%s", &output)
	return true
}

// While a run trains no other process may write to it. Once its process is dead, for any reason, others may.
func TestLock(t *testing.T) {
	dir := t.TempDir()
	cmd := fmtrain(dir, endless...)
	started(t, cmd)
	for _, args := range [][]string{{"train", "--resume", "run"}, {"train", "--data", "sample", "--out", "run"}} {
		second := fmtrain(dir, args...)
		output, err := second.CombinedOutput()
		if err == nil || !strings.Contains(string(output), "in use by another process, number ") && !strings.Contains(string(output), "expected a new or an empty directory") {
			t.Errorf("%v: %v\n%s", args, err, output)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// Now the seed is refused, which is checked after the run is locked.
	if output, err := fmtrain(dir, "train", "--resume", "run", "--seed", "7").CombinedOutput(); err == nil || !strings.Contains(string(output), "--seed: the run started with 42, found 7") {
		t.Errorf("after the process was killed: %v\n%s", err, output)
	}
}

// If the reader of its output has exited, a run saves before it ends. It also does if Ctrl-C ends both.
func TestBrokenPipeSaves(t *testing.T) {
	for name, args := range map[string][]string{
		"JSON":  {"--json", "--log-every", "1"},
		"lines": {},
	} {
		cmd := fmtrain(t.TempDir(), append(slices.Clone(endless), args...)...)
		var said bytes.Buffer
		cmd.Stderr = &said
		output, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(output, make([]byte, 2000)); err != nil {
			t.Fatal(err)
		}
		output.Close()
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.HasSuffix(said.String(), "; saved\nResume with:\n  fmtrain train --resume run\n") ||
			!strings.Contains(said.String(), "broken pipe; stopped in epoch ") {
			t.Errorf("%s: exit code %d\n%s", name, code, &said)
		}
		saved, err := run.Load(filepath.Join(cmd.Dir, run.Dir("run").Last()))
		if err != nil {
			t.Fatal(err)
		}
		lines := read(t, cmd.Dir, run.Dir("run").Metrics())
		if saved.Progress.Epoch == 0 && saved.Progress.Iteration == 0 || !bytes.HasSuffix(lines, []byte("}\n")) {
			t.Errorf("%s: saved after %v; the metrics end in %q", name, saved.Progress, lines[len(lines)-20:])
		}
	}
}

// A run whose directory now belongs to another run stops, and leaves it alone.
func TestDirectoryOfAnotherRun(t *testing.T) {
	first := fmtrain(t.TempDir(), endless...)
	output := started(t, first)
	removeRun(t, first.Dir)
	if output, err := fmtrain(first.Dir, "train", "--data", "sample", "--hidden", "8", "--epochs", "2", "--seed", "9", "--out", "run").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	_ = first.Wait()
	if code := first.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d, expected %d\n%s", code, exitFailed, output)
	}
	saved, err := run.Load(filepath.Join(first.Dir, run.Dir("run").Last()))
	if err != nil || saved.Progress.Epoch != 2 {
		t.Errorf("the second run's checkpoint: %v", err)
	}
}

// removeRun removes a run's directory in one step. Otherwise the run, which continues, could make files while it is being emptied.
func removeRun(t *testing.T, dir string) {
	t.Helper()
	run := filepath.Join(dir, "run")
	if err := os.Rename(run, run+".removed"); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(run + ".removed"); err != nil {
		t.Fatal(err)
	}
}

// A run whose directory is removed stops at its next save, and says why.
func TestRunDirectoryRemoved(t *testing.T) {
	cmd := fmtrain(t.TempDir(), append([]string{"train", "--checkpoint-every", "5"}, endless[1:]...)...)
	output := started(t, cmd)
	removeRun(t, cmd.Dir)
	_ = cmd.Wait()
	want := "can't be saved: write run/checkpoints/last.safetensors: "
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(output.String(), want) {
		t.Errorf("exit code %d, expected %d and %q\n%s", code, exitFailed, want, output)
	}
}
