package main

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"fmtrain/internal/run"
)

// someRuns trains a few small runs in runs/ of a new directory.
func someRuns(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for _, args := range [][]string{
		{"--name", "a", "--seed", "1"}, {"--name", "b", "--seed", "2"},
		{"--name", "wide", "--layers", "784-20-ln-relu-dropout:0.1-20-ln-relu-dropout:0.1-10", "--solver", "adamw", "--patience", "3"},
	} {
		args = append([]string{"train", "--data", "sample", "--epochs", "2", "--batch-size", "250", "--progress", "none"}, args...)
		if output, err := fmtrain(dir, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, output)
		}
	}
	return dir
}

// shown are the lines that a terminal was sent, without colours.
func shown(t *testing.T, dir string, columns uint16, environment []string, args ...string) (lines []string) {
	t.Helper()
	sent, err := onTerminal(t, dir, columns, nil, environment, args...)
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, sent)
	}
	for line := range strings.Lines(color.ReplaceAllString(sent, "")) {
		lines = append(lines, strings.TrimRight(line, "\r\n"))
	}
	return lines
}

// Lists, comparisons and curves fit terminals. A narrow one loses the least important columns of a list, but no column of a comparison.
func TestRunsFitTheTerminal(t *testing.T) {
	dir := someRuns(t)
	headings := map[uint16]string{
		60:  "run        state     epochs  val acc  differs in",
		80:  "run        state     epochs  val acc  test acc   time  differs in",
		200: "run        last trained      state     epochs  val acc  test acc   time  parameters  differs in",
	}
	for columns, heading := range headings {
		list := shown(t, dir, columns, nil, "runs")
		if list[0] != heading || len(list) != 4 {
			t.Errorf("%d columns: expected %q and three runs, found\n%s", columns, heading, strings.Join(list, "\n"))
		}
		if cut := strings.HasSuffix(list[1], "…"); cut != (columns < 200) {
			t.Errorf("%d columns: cut is %v: %s", columns, cut, list[1])
		}
		compared := shown(t, dir, columns, nil, "compare", "runs/a", "runs/wide", "runs/b", "--each")
		text := strings.Join(compared, "\n")
		for _, want := range []string{"runs/a", "runs/b", "runs/wide", "784-20-ln-relu-", "(+", "(differences from runs/a)"} {
			if !strings.Contains(text, want) {
				t.Errorf("%d columns: no %s in\n%s", columns, want, text)
			}
		}
		curves := shown(t, dir, columns, []string{"LC_ALL=C.UTF-8"}, "watch", "runs/a")
		for _, line := range append(append(list, compared...), curves...) {
			if utf8.RuneCountInString(line) >= int(columns) {
				t.Errorf("%d of %d columns: %s", utf8.RuneCountInString(line), columns, line)
			}
		}
	}
}

// The curves of a finished run are printed once, in braille or, where the locale is not UTF-8, in ASCII. NO_COLOR removes the colours.
func TestCurvesOnTerminal(t *testing.T) {
	dir := someRuns(t)
	for _, c := range []struct {
		environment []string
		want, not   string
		colors      bool
	}{
		{[]string{"LC_ALL=C.UTF-8"}, "┤⠒", "+*", true},
		{[]string{"LC_ALL=C"}, "loss  ** training  oo validation", "│", true},
		{[]string{"LC_ALL=C.UTF-8", "NO_COLOR=1"}, "loss  ── training  ─o validation", "\x1b", false},
		{[]string{"LC_ALL=C.UTF-8", "TERM=dumb"}, "epoch    loss  val loss", "\x1b", false},
	} {
		sent, err := onTerminal(t, dir, 100, nil, c.environment, "watch", "runs/a")
		check(t, err)
		plain := color.ReplaceAllString(sent, "")
		if !strings.Contains(plain, c.want) && c.want != "┤⠒" || strings.Contains(sent, c.not) || color.MatchString(sent) != c.colors {
			t.Errorf("%v: expected %q and not %q, found\n%s", c.environment, c.want, c.not, sent)
		}
		if c.want == "┤⠒" && strings.IndexFunc(plain, func(r rune) bool { return r >= 0x2801 && r <= 0x28ff }) < 0 {
			t.Errorf("no braille in\n%s", plain)
		}
		if !strings.Contains(plain, "finished after 2 epochs; best epoch ") {
			t.Errorf("%v: no end in\n%s", c.environment, plain)
		}
	}
}

// screenText collects what a terminal is sent.
type screenText struct {
	sync.Mutex
	sent bytes.Buffer
}

func (s *screenText) Write(p []byte) (int, error) {
	s.Lock()
	defer s.Unlock()
	return s.sent.Write(p)
}

func (s *screenText) text() string {
	s.Lock()
	defer s.Unlock()
	return s.sent.String()
}

// waitFor waits until the screen has a text after the given place, and returns where it ends.
func (s *screenText) waitFor(t *testing.T, after int, text string) int {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if at := strings.Index(color.ReplaceAllString(s.text(), "")[after:], text); at >= 0 {
			return after + at + len(text)
		}
		if time.Since(begin) > time.Minute {
			t.Fatalf("no %q after a minute; the end is\n%q", text, s.text()[max(0, len(s.text())-2000):])
		}
	}
}

// A run is followed while another process trains it: its steps come, a resize is followed, Ctrl-C ends the command with the code 130 and
// not the run. Without a signal the command ends when the run is stopped.
func TestWatchARunThatTrains(t *testing.T) {
	dir := t.TempDir()
	trained := fmtrain(dir, append(endless, "--out", filepath.Join("runs", "live"), "--hidden", "200")...)
	trained.Stdout, trained.Stderr = io.Discard, io.Discard
	check(t, trained.Start())
	defer trained.Process.Kill()
	metrics := filepath.Join(dir, run.Dir(filepath.Join("runs", "live")).Metrics())
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(5 * time.Millisecond) {
		if content, _ := os.ReadFile(metrics); bytes.Count(content, []byte("\n")) > 3 {
			break
		}
	}

	watch := func(stdout *os.File) *exec.Cmd {
		cmd := fmtrain(dir, "watch")
		cmd.Env = append(os.Environ(), "HOME="+dir, "TERM=xterm", "NO_COLOR=", "LC_ALL=C.UTF-8")
		cmd.Stdout, cmd.Stderr = stdout, stdout
		check(t, cmd.Start())
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd
	}
	terminal, tty := newTerminal(t, 120)
	var screen screenText
	go io.Copy(&screen, terminal)
	cmd := watch(tty)
	at := screen.waitFor(t, 0, enterScreen+home+"runs/live: running")
	at = screen.waitFor(t, at, "epochs done ")
	at = screen.waitFor(t, at, home+"runs/live: running")
	check(t, unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 12, Col: 50}))
	time.Sleep(2 * pollTime)
	screen.waitFor(t, at, eraseBelow)
	at = screen.waitFor(t, len(color.ReplaceAllString(screen.text(), "")), home)
	end := screen.waitFor(t, at, eraseBelow)
	lines := strings.Split(color.ReplaceAllString(screen.text(), "")[at:end], "\n")
	if len(lines) > 11 {
		t.Errorf("%d lines on a terminal of 12 rows", len(lines))
	}
	for _, line := range lines {
		line = strings.NewReplacer(eraseRight, "", eraseBelow, "", "\r", "").Replace(line)
		if utf8.RuneCountInString(line) >= 50 {
			t.Errorf("%d of 50 columns: %q", utf8.RuneCountInString(line), line)
		}
	}
	check(t, cmd.Process.Signal(os.Interrupt))
	if err := cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("expected the exit code %d, found %v", exitInterrupted, err)
	}
	screen.waitFor(t, end, leaveScreen+"fmtrain: stopped watching; runs/live goes on")
	if err := trained.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the run has ended: %v", err)
	}

	read, write, err := os.Pipe()
	check(t, err)
	cmd = watch(write)
	write.Close()
	var piped screenText
	copied := make(chan bool)
	go func() { io.Copy(&piped, read); close(copied) }()
	piped.waitFor(t, 0, "\n      1/1000000 ")
	check(t, trained.Process.Signal(os.Interrupt))
	_ = trained.Wait() // with the code 130
	check(t, cmd.Wait())
	<-copied
	if !strings.HasSuffix(piped.text(), "\ninterrupted\n") || strings.Contains(piped.text(), "\x1b") {
		t.Errorf("found %q", piped.text()[max(0, len(piped.text())-300):])
	}
}
