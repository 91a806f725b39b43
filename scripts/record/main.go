// Command record runs commands in a terminal and draws the final screen, for docs/pictures:
//
//	record -out docs/pictures/session -bin bin [-columns 84] [-until REGEXP] COMMAND...
//
// It writes FILE-light.svg and FILE-dark.svg. Each COMMAND runs in a real pseudo-terminal, so it shows its colors and its progress
// bar. With -until, record stops the last command and draws the screen once a line of it matches. Commands run in an empty temporary
// directory, with the programs of -bin in the PATH.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"

	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

// rows is more than any picture needs; empty rows at the end are cut off.
const rows = 200

func main() {
	log.SetFlags(0)
	log.SetPrefix("record: ")
	out := flag.String("out", "", "beginning of the names of the pictures")
	bin := flag.String("bin", "", "directory of programs")
	columns := flag.Int("columns", 84, "width of the terminal")
	until := flag.String("until", "", "stop the last command at a line that matches this regular expression")
	title := flag.String("title", "", "what the picture shows, for readers who don't see it")
	flag.Parse()
	if *out == "" || flag.NArg() == 0 {
		log.Fatal("expected -out FILE and at least one command")
	}
	stop, err := regexp.Compile(*until)
	if err != nil {
		log.Fatalf("-until: %v", err)
	}
	if *until == "" {
		stop = nil
	}
	if err := record(*out, *bin, *columns, stop, *title, flag.Args()); err != nil {
		log.Fatal(err)
	}
}

func record(out, bin string, columns int, stop *regexp.Regexp, title string, commands []string) error {
	work, err := os.MkdirTemp("", "record")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	if bin, err = filepath.Abs(bin); err != nil {
		return err
	}
	s := &session{dir: work, bin: bin, screen: vt.NewEmulator(columns, rows)}
	for i, command := range commands {
		if i > 0 {
			fmt.Fprint(s.screen, "\r\n")
		}
		s.stop = nil
		if i == len(commands)-1 {
			s.stop = stop
		}
		if err := s.run(command); err != nil {
			return fmt.Errorf("%s: %w", command, err)
		}
	}
	lines := s.lines()
	for _, t := range themes {
		if err := os.WriteFile(out+"-"+t.name+".svg", draw(lines, columns, t, title), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// session is a terminal with a shell's prompt.
type session struct {
	dir, bin string
	screen   *vt.Emulator
	stop     *regexp.Regexp // nil: when the command has ended
}

// run shows the prompt and the command, runs it, and shows what it prints.
func (s *session) run(command string) error {
	fmt.Fprintf(s.screen, "\x1b[1;34m$\x1b[0m \x1b[1m%s\x1b[0m\r\n", command)
	words := strings.Fields(command)
	cmd := exec.Command(filepath.Join(s.bin, words[0]), words[1:]...)
	cmd.Dir = s.dir
	cmd.Env = append(os.Environ(), "TERM=xterm-256color", "NO_COLOR=", "PATH="+s.bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: rows, Cols: uint16(s.screen.Width())})
	if err != nil {
		return err
	}
	defer terminal.Close()
	if stopped, err := s.show(terminal); err != nil || stopped {
		return errors.Join(err, cmd.Process.Kill(), ended(cmd.Wait()))
	}
	return cmd.Wait()
}

// show shows what comes from the terminal, to its end or until the line to stop at is there.
func (s *session) show(terminal io.Reader) (stopped bool, err error) {
	buffer := make([]byte, 1<<16)
	for {
		n, err := terminal.Read(buffer)
		s.screen.Write(buffer[:n])
		switch {
		case s.stop != nil && s.stop.MatchString(s.screen.String()):
			return true, nil
		case err == io.EOF, errors.Is(err, syscall.EIO): // Linux's end of a pseudo-terminal
			return false, nil
		case err != nil:
			return false, err
		}
	}
}

// ended ignores the status of a process that was killed.
func ended(err error) error {
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return nil
	}
	return err
}

// lines is the screen's text with its styles, without the empty lines at the end.
func (s *session) lines() [][]span {
	var lines [][]span
	for y := range rows {
		lines = append(lines, spans(s.screen, y))
	}
	for len(lines) > 0 && len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	return lines
}
