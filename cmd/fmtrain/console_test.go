package main

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"fmtrain/internal/dataset"
)

// installedData is where Debian's package stores the data set. A session that uses it is skipped if it is not installed, and with plain
// kernels, which would take minutes.
const installedData = "/usr/share/datasets/fashion-mnist"

// block is a fenced block of a page: the text after ``` and the lines inside.
type block struct {
	kind, file string
	text       string
}

var fenced = regexp.MustCompile("(?ms)^```(\\w*)(?: (\\S+))?\n(.*?)^```$")

func blocksOf(text string) (blocks []block) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, block{kind: m[1], file: m[2], text: m[3]})
	}
	return blocks
}

// session runs the commands of console blocks.
type session struct {
	dir, root string            // where programs run, and where go does
	flags     string            // for go
	programs  map[string]string // that may be typed, by name
}

// run types the commands of the console blocks, one after the other.
func (s *session) run(t *testing.T, blocks []block) {
	t.Helper()
	for _, b := range blocks {
		if b.kind != "console" {
			continue
		}
		if strings.Contains(b.text, installedData) {
			if _, err := os.Stat(installedData); err != nil || !exact() {
				t.Logf("skipped, without %s or fast kernels:\n%s", installedData, b.text)
				continue
			}
		}
		var typed string
		var want []string
		for line := range strings.Lines(b.text + "$ ") {
			line = strings.TrimSuffix(line, "\n")
			next, isCommand := strings.CutPrefix(line, "$ ")
			if !isCommand {
				want = append(want, line)
				continue
			}
			for len(want) > 0 && want[len(want)-1] == "" { // separates the next command
				want = want[:len(want)-1]
			}
			if typed != "" {
				s.command(t, typed, want)
			}
			typed, want = next, nil
		}
	}
}

// command runs one command, and compares its standard output with want unless that is empty. If want is an error of fmtrain, the command
// must fail with it.
func (s *session) command(t *testing.T, typed string, want []string) {
	t.Helper()
	args := words(typed)
	program, ok := s.programs[args[0]]
	if !ok {
		t.Fatalf("$ %s: expected one of the programs %v", typed, s.programs)
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), dataset.DirVariable+"=", "HOME="+s.dir, "XDG_CACHE_HOME="+s.dir)
	if program == "go" {
		cmd.Dir, cmd.Env = s.root, append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" "+s.flags)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	shown := stdout.String()
	if mustFail := len(want) > 0 && strings.HasPrefix(want[0], "fmtrain: "); mustFail {
		shown = stderr.String()
	} else if err != nil {
		t.Errorf("$ %s: %v\n%s%s", typed, err, stdout.String(), stderr.String())
		return
	}
	var found []string
	for line := range strings.Lines(shown) {
		line = strings.TrimSuffix(line, "\n")
		found = append(found, line[strings.LastIndex(line, "\r")+1:]) // what a terminal shows of it in the end
	}
	same := sameWord
	if !exact() {
		same = nearWord
	}
	sameLine := func(want, found string) bool {
		return matches(strings.Fields(stopwatch.ReplaceAllString(want, "TIME")), strings.Fields(stopwatch.ReplaceAllString(found, "TIME")), same)
	}
	if len(want) > 0 && !matches(want, found, sameLine) {
		t.Errorf("$ %s\nexpected\n%s\nfound\n%s", typed, strings.Join(want, "\n"), strings.Join(found, "\n"))
	}
}

// exact says whether the processor's kernels give the numbers of the pages to the last digit: AVX2 and AVX-512 do, the plain kernels
// round differently.
var exact = sync.OnceValue(func() bool {
	version, err := exec.Command("fmtrain", "version").Output()
	return err == nil && bytes.Contains(version, []byte("\nkernels avx"))
})

// words splits a command at its spaces, except spaces in single quotes.
func words(typed string) (args []string) {
	for i, part := range strings.Split(typed, "'") {
		if i%2 == 0 {
			args = append(args, strings.Fields(part)...)
		} else {
			args = append(args, part)
		}
	}
	return args
}

// stopwatch is a time or a speed.
var stopwatch = regexp.MustCompile(`[0-9][0-9.]*(e[-+]?[0-9]+)? ?([kM]?/)?s\b( +[0-9][0-9.]*[kM]?\b)?|\b[0-9][0-9.]*[kM]\b`)

// matches says whether two lists are the same. "..." in the wanted list stands for any number of items.
func matches(want, found []string, same func(want, found string) bool) bool {
	if len(want) == 0 {
		return len(found) == 0
	}
	if want[0] == "..." {
		return matches(want[1:], found, same) || len(found) > 0 && matches(want, found[1:], same)
	}
	return len(found) > 0 && same(want[0], found[0]) && matches(want[1:], found[1:], same)
}

func sameWord(want, found string) bool { return want == found }

// nearWord says whether two words are the same, or numbers with a fraction that differ only by the effect of the kernels' rounding in a
// few hundred steps.
func nearWord(want, found string) bool {
	if want == found {
		return true
	}
	x, err := strconv.ParseFloat(strings.Trim(want, "(),"), 64)
	if err != nil || !strings.Contains(want, ".") {
		return false
	}
	y, err := strconv.ParseFloat(strings.Trim(found, "(),"), 64)
	return err == nil && math.Abs(x-y) <= max(0.002, 0.002*math.Abs(x))
}

func TestSessionMatches(t *testing.T) {
	for _, c := range []struct {
		want, found string
		is          bool
	}{
		{"", "", true},
		{"a b", "a b", true},
		{"a b", "a", false},
		{"a", "a b", false},
		{"...", "", true},
		{"... c", "a b c", true},
		{"a ... c ...", "a c", true},
		{"a ... c", "a b", false},
		{"0.50", "0.51", false},
	} {
		if matches(strings.Fields(c.want), strings.Fields(c.found), sameWord) != c.is {
			t.Errorf("%q and %q: expected %v", c.want, c.found, c.is)
		}
	}
	for _, c := range []struct {
		want, found string
		is          bool
	}{
		{"0.5012", "0.5031", true}, {"0.50", "0.503", false}, {"(0.5,", "0.501", true}, {"5", "5.01", false}, {"a.b", "a.c", false}, {"1.5", "NaN", false},
	} {
		if nearWord(c.want, c.found) != c.is {
			t.Errorf("%q and %q: expected %v", c.want, c.found, c.is)
		}
	}
}
