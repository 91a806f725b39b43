package main

import (
	"bytes"
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fmtrain/internal/run"
)

var (
	kills    = flag.Int("kills", 20, "how many times TestTorture kills the program")
	killSeed = flag.Uint64("kill-seed", 0, "seed of the moments at which it does; 0 draws one")
)

// tortured is the arguments of a run that saves at each step: about 300 saves on the embedded sample.
var tortured = []string{"train", "--data", "sample", "--hidden", "4", "--batch-size", "200", "--epochs", "12", "--log-every", "3",
	"--checkpoint-every", "1", "--ema", "0.9", "--patience", "9", "--lower-schedule", "cosine", "--out", "run"}

// The program is killed at a random moment, every second time during a save, and resumed, until the run is done. The run then equals an
// undisturbed one, byte for byte. Runs are repeated until the program has been killed the wanted number of times.
func TestTorture(t *testing.T) {
	whole := t.TempDir()
	begin := time.Now()
	if output, err := fmtrain(whole, tortured...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	lasts := time.Since(begin)

	seed := *killSeed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	t.Logf("the moments of the kills: -kill-seed %d", seed)
	source := rand.New(rand.NewPCG(seed, 0))
	saves, runs := 0, 0
	for done := 0; done < *kills; runs++ {
		dir := t.TempDir()
		for finished := false; !finished; {
			args := tortured
			if _, err := os.Stat(filepath.Join(dir, run.Dir("run").Last())); err == nil {
				args = []string{"train", "--resume", "run"}
			} else if err := os.RemoveAll(filepath.Join(dir, "run")); err != nil { // killed before there was anything to lose
				t.Fatal(err)
			}
			duringSave := source.IntN(2) == 0
			after := time.Duration(source.Int64N(int64(lasts / 2)))
			if done >= *kills {
				after = time.Hour
			}
			switch killed, output := kill(t, fmtrain(dir, args...), filepath.Dir(filepath.Join(dir, run.Dir("run").Last())), after, duringSave); {
			case !killed:
				finished = true
			case duringSave:
				saves++
				fallthrough
			default:
				done++
				if strings.Contains(output, "panic") {
					t.Fatal(output)
				}
			}
		}
		for _, path := range []string{run.Dir("run").Last(), run.Dir("run").Best()} {
			if !bytes.Equal(read(t, whole, path), read(t, dir, path)) {
				t.Errorf("run %d: another %s", runs, path)
			}
		}
		name := run.Dir("run").Metrics()
		if diff := cmp.Diff(timeless(string(read(t, whole, name))), timeless(string(read(t, dir, name)))); diff != "" {
			t.Errorf("run %d: metrics (-whole +killed):\n%s", runs, diff)
		}
	}
	t.Logf("%d kills, %d of them during a save, in %d runs", *kills, saves, runs)
	if saves == 0 {
		t.Error("it was never killed during a save")
	}
}

// kill runs the program and kills it after a while or, if duringSave is true, when it next has the temporary file of a checkpoint.
// It is false if the program ended before, which must be a success.
func kill(t *testing.T, cmd *exec.Cmd, checkpoints string, after time.Duration, duringSave bool) (killed bool, output string) {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	due := time.After(after)
	var look <-chan time.Time
	for {
		select {
		case <-due:
			if !duringSave {
				return end(t, cmd, ended), said.String()
			}
			due, look = nil, time.Tick(200*time.Microsecond)
		case <-look:
			if saving, _ := filepath.Glob(filepath.Join(checkpoints, "*.tmp")); len(saving) > 0 {
				return end(t, cmd, ended), said.String()
			}
		case err := <-ended:
			if err != nil {
				t.Fatalf("%v: %v\n%s", cmd.Args, err, said.String())
			}
			return false, said.String()
		}
	}
}

// end kills the program, unless it has just ended by itself.
func end(t *testing.T, cmd *exec.Cmd, ended <-chan error) bool {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		t.Fatal(err)
	}
	return <-ended != nil
}

// fmtrain is the program in a directory.
func fmtrain(dir string, args ...string) *exec.Cmd {
	cmd := exec.Command("fmtrain", args...)
	cmd.Dir = dir
	return cmd
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return content
}
