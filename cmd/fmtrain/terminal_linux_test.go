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

// newTerminal opens a pseudo-terminal of so many columns: what a program writes to tty is read from screen.
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

// trainOnTerminal trains for two epochs with stderr on a terminal, and stdout there too unless it is given. It returns what
// the terminal was sent.
func trainOnTerminal(t *testing.T, columns uint16, stdout io.Writer, environment ...string) string {
	t.Helper()
	screen, tty := newTerminal(t, columns)
	cmd := exec.Command("fmtrain", "train", "--data", "sample", "--epochs", "2", "--hidden", "8", "--batch-size", "250", "--out", "run")
	cmd.Dir = t.TempDir()
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
	content := string(<-sent)
	if err != nil {
		t.Fatalf("%v\n%s", err, content)
	}
	return content
}

var (
	frame = regexp.MustCompile(`\r([^\r\n]*)\x1b\[J`)
	color = regexp.MustCompile(`\x1b\[[0-9;]*m`)
)

// On a terminal there is a bar, in colour, and a permanent line an epoch. On the bar's last frame of an epoch and on its line
// the loss and the accuracy are the same.
func TestBarOnTerminal(t *testing.T) {
	sent := trainOnTerminal(t, 120, nil)
	if !color.MatchString(sent) {
		t.Error("no colours")
	}
	plain := color.ReplaceAllString(sent, "")
	last := regexp.MustCompile(`Epoch 2/2  22/22  \[=+\]  (loss 0?\d\.\d{4})  (acc 0\.\d{4})  lower 0\.0001  upper 0\.001  .* images/s  0:00 left`).FindStringSubmatch(plain)
	line := regexp.MustCompile(`\nEpoch 2/2  (loss \d\.\d{4}) val \d\.\d{4}  (acc 0\.\d{4}) val 0\.\d{4}  `).FindStringSubmatch(
		strings.ReplaceAll(frame.ReplaceAllString(plain, ""), "\r", ""))
	if last == nil || line == nil {
		t.Fatalf("no last frame, or no line of the epoch:\n%q", plain)
	}
	if last[1] != line[1] || last[2] != line[2] {
		t.Errorf("the last frame has %s, %s and the line %s, %s", last[1], last[2], line[1], line[2])
	}
}

// NO_COLOR takes the colours away, not the bar. A dumb terminal has none either.
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
	if n := strings.Count(stdout.String(), "Epoch 2/2  loss"); n != 1 {
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
