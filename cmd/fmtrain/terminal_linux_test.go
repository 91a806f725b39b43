package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// newTerminal opens a pseudo-terminal with this number of columns: what a program writes to tty is read from screen.
func newTerminal(t *testing.T, columns uint16) (screen, tty *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { screen.Close() })
	fd := int(screen.Fd())
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	must(t, err)
	t.Cleanup(func() { tty.Close() })
	must(t, unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}))
	return screen, tty
}

// short is a run of two epochs.
var short = []string{"train", "--data", "sample", "--epochs", "2", "--hidden", "8", "--batch-size", "250", "--out", "run"}

// trainOnTerminal trains for two epochs with stderr on a terminal, and stdout there too unless it is given. It returns what
// the terminal was sent.
func trainOnTerminal(t *testing.T, columns uint16, stdout io.Writer, environment ...string) string {
	t.Helper()
	sent, err := onTerminal(t, t.TempDir(), columns, stdout, environment, short...)
	if err != nil {
		t.Fatalf("%v\n%s", err, sent)
	}
	return sent
}

// onTerminal runs the program with stderr on a terminal, and stdout there too unless it is given. It returns what the terminal was
// sent, and how the program ended.
func onTerminal(t *testing.T, dir string, columns uint16, stdout io.Writer, environment []string, args ...string) (string, error) {
	t.Helper()
	screen, tty := newTerminal(t, columns)
	cmd := exec.Command("fmtrain", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), append([]string{"HOME=" + cmd.Dir, "TERM=xterm", "NO_COLOR="}, environment...)...)
	cmd.Stdout, cmd.Stderr = stdout, tty
	if stdout == nil {
		cmd.Stdout = tty
	}
	sent := make(chan []byte)
	go func() {
		content, err := io.ReadAll(screen)
		if err != nil && !errors.Is(err, syscall.EIO) { // EIO: the last descriptor of the tty was closed
			t.Error(err)
		}
		sent <- content
	}()
	err := cmd.Run()
	tty.Close()
	return string(<-sent), err
}

var (
	frame = regexp.MustCompile(`\r([^\r\n]*)\x1b\[J`)
	color = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// On a terminal there is a bar in colour, and a permanent line for each epoch. The bar's last frame of an epoch and its line show the
// same loss and accuracy.
func TestBarOnTerminal(t *testing.T) {
	sent := trainOnTerminal(t, 120, nil)
	if !color.MatchString(sent) {
		t.Error("no colours")
	}
	plain := color.ReplaceAllString(sent, "")
	last := regexp.MustCompile(`Epoch 2/2  22/22  \[=+\]  loss (0?\d\.\d{4})  acc (0\.\d{4})  .*images/s  0:00 left`).FindStringSubmatch(plain)
	line := regexp.MustCompile(`\n  2/2  (\d\.\d{4})    \d\.\d{4}  (0\.\d{4})   0\.\d{4}  `).FindStringSubmatch(
		strings.ReplaceAll(frame.ReplaceAllString(plain, ""), "\r", ""))
	if last == nil || line == nil {
		t.Fatalf("no last frame, or no line of the epoch:\n%q", plain)
	}
	if last[1] != line[1] || last[2] != line[2] {
		t.Errorf("the last frame has %s, %s and the line %s, %s", last[1], last[2], line[1], line[2])
	}
}

// NO_COLOR removes the colours but not the bar. A dumb terminal has no colours either.
func TestNoColor(t *testing.T) {
	for _, environment := range []string{"NO_COLOR=1", "TERM=dumb"} {
		sent := trainOnTerminal(t, 120, nil, environment)
		if found := color.FindString(sent); found != "" {
			t.Errorf("%s: found %q", environment, found)
		}
		if environment == "NO_COLOR=1" && !frame.MatchString(sent) {
			t.Errorf("%s: no bar", environment)
		}
	}
}

// With stdout elsewhere the bar stays on the terminal, and stdout is as on any pipe.
func TestBarBesidePipe(t *testing.T) {
	var stdout bytes.Buffer
	sent := trainOnTerminal(t, 120, &stdout)
	if !frame.MatchString(sent) {
		t.Error("no bar")
	}
	if n := strings.Count(stdout.String(), "\n  2/2  "); n != 1 {
		t.Errorf("%d lines of the second epoch on stdout", n)
	}
	if i := strings.IndexFunc(stdout.String(), func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }); i >= 0 {
		t.Errorf("a control character on stdout: %q", stdout.String()[i:])
	}
}

// No frame is as wide as the terminal, so it never wraps.
func TestNarrowTerminal(t *testing.T) {
	for _, columns := range []uint16{20, 60, 100} {
		sent := trainOnTerminal(t, columns, nil)
		frames := frame.FindAllStringSubmatch(color.ReplaceAllString(sent, ""), -1)
		if len(frames) < 2 {
			t.Errorf("%d columns: %d frames", columns, len(frames))
		}
		for _, f := range frames {
			if n := utf8.RuneCountInString(f[1]); n >= int(columns) {
				t.Errorf("%d columns: a frame of %d: %s", columns, n, f[1])
			}
		}
	}
}

// Everything that commands print fits terminals of 60 and 80 columns, except words that are longer, such as a hash.
func TestTextsFitTheTerminal(t *testing.T) {
	dir := t.TempDir()
	if output, err := fmtrain(dir, short...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	for _, c := range []struct {
		fails bool
		args  []string
	}{
		{false, []string{"train", "--data", "sample", "--epochs", "2", "--batch-size", "500", "--patience", "2", "--ema", "0.9", "--metrics", "top3,precision:ankle-boot", "--upper-schedule", "cosine:warmup=999"}},
		{false, []string{"train", "--data", "sample", "--epochs", "1", "--config", "residual", "--batch-size", "500", "--log-every", "5", "--progress", "lines"}},
		{false, []string{"eval", "run"}},
		{false, []string{"eval", "run", "--split", "train", "--metrics", "auc,recall:ankle-boot"}},
		{false, []string{"eval", "run", "--mistakes", "3"}},
		{false, []string{"predict", "run", "test:0"}},
		{false, []string{"predict", "run", "test:0", "train:1"}},
		{true, []string{"predict", "run", "nowhere"}},
		{false, []string{"debug", "--data", "sample", "--hidden", "8"}},
		{false, []string{"check-layernorm"}},
		{false, []string{"data", "info", "--data", "sample"}},
		{true, []string{"train", "--data", "sample", "--out", "run"}},
		{true, []string{"train", "--upper-solver", "nothing"}},
		{true, []string{"train", "--resume", "run", "--hidden", "9"}},
		{true, []string{"eval", "run", "--metrics", "nothing"}},
	} {
		for _, columns := range []uint16{60, 80} {
			sent, err := onTerminal(t, dir, columns, nil, nil, c.args...)
			if (err != nil) != c.fails {
				t.Errorf("%v: %v\n%s", c.args, err, sent)
			}
			for line := range strings.Lines(frame.ReplaceAllString(color.ReplaceAllString(sent, ""), "")) {
				line = strings.TrimRight(line, "\r\n")
				if words := strings.Fields(line); utf8.RuneCountInString(line) >= int(columns) && len(words) > 1 {
					t.Errorf("%v: %d of %d columns: %s", c.args, utf8.RuneCountInString(line), columns, line)
				}
			}
		}
	}
}

// On a pipe no text is broken.
func TestTextsOnPipe(t *testing.T) {
	cmd := fmtrain(t.TempDir(), "train", "--data", "sample", "--loss", "nothing")
	output, err := cmd.CombinedOutput()
	if err == nil || bytes.Count(output, []byte("\n")) != 1 || len(output) < 80 {
		t.Errorf("%v: expected one long line, found %s", err, output)
	}
}
