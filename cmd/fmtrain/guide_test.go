package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestGuide compiles the Go files of docs/guide.md, and runs its commands and compares what they print: its last section has the
// rules. The files, the lines that register them, and their tests, which are in testdata/guide, are laid over the repository by
// the go command's -overlay; nothing is written to it.
func TestGuide(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program anew")
	}
	root, err := filepath.Abs("../..")
	check(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "guide.md"))
	check(t, err)
	testsExist(t, root, string(text))
	before, after, ok := strings.Cut(string(text), "\n## Write your own\n")
	if !ok {
		t.Fatal(`the guide has no section "Write your own"`)
	}
	after, _, _ = strings.Cut(after, "\n## How this page is tested\n")

	dir := t.TempDir()
	flag := "-overlay=" + overlay(t, root, dir, append(blocksOf(before), blocksOf(after)...))
	goRun := func(args ...string) {
		t.Helper()
		cmd := exec.Command("go", args...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("go %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	bin := filepath.Join(dir, "bin") + string(filepath.Separator)
	goRun("build", flag, "-o", bin, "./cmd/fmtrain", "./cmd/ownloop")
	goRun("vet", flag, "./internal/loss", "./internal/metric", "./internal/layer", "./internal/solver", "./internal/config")

	work := filepath.Join(dir, "work")
	check(t, os.Mkdir(work, 0o755))
	s := session{dir: work, root: root, flag: flag, programs: map[string]string{"fmtrain": "fmtrain", "ownloop": bin + "ownloop", "go": "go"}}
	s.run(t, blocksOf(before))
	s.programs["fmtrain"] = bin + "fmtrain"
	s.run(t, blocksOf(after))
}

// block is a fenced block of the guide: what follows ``` and the lines within.
type block struct {
	kind, file string
	text       string
}

var fenced = regexp.MustCompile("(?ms)^```(\\w+)(?: (\\S+))?\n(.*?)^```$")

func blocksOf(text string) (blocks []block) {
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		blocks = append(blocks, block{kind: m[1], file: m[2], text: m[3]})
	}
	return blocks
}

// overlay writes the guide's files, the files of the repository with its lines, and the list of both for -overlay, whose path it
// returns.
func overlay(t *testing.T, root, dir string, blocks []block) string {
	t.Helper()
	content := map[string][]byte{} // by path below root
	for _, b := range blocks {
		switch b.kind {
		case "go":
			formatted, err := format.Source([]byte(b.text))
			if err != nil || string(formatted) != b.text {
				t.Errorf("%s: gofmt would change it (%v)", b.file, err)
			}
			if _, err := os.Stat(filepath.Join(root, b.file)); err == nil {
				t.Errorf("%s: the repository has a file of that name", b.file)
			}
			content[b.file] = []byte(b.text)
		case "diff":
			if content[b.file] == nil {
				original, err := os.ReadFile(filepath.Join(root, b.file))
				check(t, err)
				content[b.file] = original
			}
			content[b.file] = patch(t, b, content[b.file])
		}
	}
	tests := os.DirFS(filepath.Join("testdata", "guide"))
	check(t, fs.WalkDir(tests, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			content[path], err = fs.ReadFile(tests, path)
		}
		return err
	}))
	replace := map[string]string{}
	for path, text := range content {
		copied := filepath.Join(dir, fmt.Sprintf("%d.go", len(replace)))
		check(t, os.WriteFile(copied, text, 0o644))
		replace[filepath.Join(root, filepath.FromSlash(path))] = copied
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	check(t, err)
	path := filepath.Join(dir, "overlay.json")
	check(t, os.WriteFile(path, list, 0o644))
	return path
}

// patch adds the lines of a diff to a file, after the one line that they follow in the diff.
func patch(t *testing.T, b block, original []byte) []byte {
	t.Helper()
	var at, added string
	for line := range strings.Lines(b.text) {
		switch line[0] {
		case ' ':
			at = line[1:]
		case '+':
			added += line[1:]
		default:
			t.Fatalf("%s: a diff's lines begin with a space or +, found %q", b.file, line)
		}
	}
	if n := bytes.Count(original, []byte("\n"+at)); at == "" || n != 1 {
		t.Fatalf("%s: expected the line %q once, found it %d times", b.file, at, n)
	}
	return bytes.Replace(original, []byte("\n"+at), []byte("\n"+at+added), 1)
}

// testsExist checks that every test that the guide names is one.
func testsExist(t *testing.T, root, text string) {
	t.Helper()
	var code []byte
	for _, dir := range []string{"internal", "cmd"} {
		check(t, filepath.WalkDir(filepath.Join(root, dir), func(path string, d fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := os.ReadFile(path)
			code = append(code, file...)
			return err
		}))
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(text, -1) {
		if !bytes.Contains(code, []byte("\nfunc "+name+"(")) {
			t.Errorf("the guide names %s, which is no test", name)
		}
	}
}

// session runs the commands of console blocks.
type session struct {
	dir, root string
	flag      string // for go
	programs  map[string]string
}

func (s *session) run(t *testing.T, blocks []block) {
	t.Helper()
	for _, b := range blocks {
		if b.kind != "console" {
			continue
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
			if typed != "" {
				s.command(t, typed, want)
			}
			typed, want = next, nil
		}
	}
}

// command runs one command, and compares its standard output with want if there is any.
func (s *session) command(t *testing.T, typed string, want []string) {
	t.Helper()
	args := words(typed)
	program, ok := s.programs[args[0]]
	if !ok {
		t.Fatalf("$ %s: expected fmtrain, ownloop or go", typed)
	}
	cmd := exec.Command(program, args[1:]...)
	cmd.Dir = s.dir
	if program == "go" {
		cmd.Dir, cmd.Env = s.root, append(os.Environ(), "GOFLAGS="+os.Getenv("GOFLAGS")+" "+s.flag)
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Errorf("$ %s: %v\n%s%s", typed, err, stdout.String(), stderr.String())
		return
	}
	var found []string
	for line := range strings.Lines(stdout.String()) {
		line = strings.TrimSuffix(line, "\n")
		found = append(found, line[strings.LastIndex(line, "\r")+1:]) // what remains of it on a terminal
	}
	sameLine := func(want, found string) bool {
		return matches(strings.Fields(stopwatch.ReplaceAllString(want, "TIME")), strings.Fields(stopwatch.ReplaceAllString(found, "TIME")), sameWord)
	}
	if len(want) > 0 && !matches(want, found, sameLine) {
		t.Errorf("$ %s\nexpected\n%s\nfound\n%s", typed, strings.Join(want, "\n"), strings.Join(found, "\n"))
	}
}

// words splits a command at its spaces, but for those in single quotes.
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

// stopwatch is a time, with the speed that stands beside it in the table of the epochs, or a speed alone.
var stopwatch = regexp.MustCompile(`[0-9][0-9.]*(e[-+]?[0-9]+)? ?([kM]?/)?s\b( +[0-9.]+[kM]?\b)?`)

// matches says that two lists are the same, where "..." among the wanted stands for any number of items.
func matches(want, found []string, same func(want, found string) bool) bool {
	if len(want) == 0 {
		return len(found) == 0
	}
	if want[0] == "..." {
		return matches(want[1:], found, same) || len(found) > 0 && matches(want, found[1:], same)
	}
	return len(found) > 0 && same(want[0], found[0]) && matches(want[1:], found[1:], same)
}

// sameWord says that two words are the same, or that both are numbers with a fraction and near each other.
func sameWord(want, found string) bool {
	if want == found {
		return true
	}
	x, err := strconv.ParseFloat(strings.Trim(want, "(),"), 64)
	if err != nil || !strings.Contains(want, ".") {
		return false
	}
	y, err := strconv.ParseFloat(strings.Trim(found, "(),"), 64)
	return err == nil && math.Abs(x-y) <= max(0.02, 0.05*math.Abs(x))
}

func TestGuideMatches(t *testing.T) {
	same := func(want, found string) bool { return want == found }
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
	} {
		if matches(strings.Fields(c.want), strings.Fields(c.found), same) != c.is {
			t.Errorf("%q and %q: expected %v", c.want, c.found, c.is)
		}
	}
	for _, c := range []struct {
		want, found string
		is          bool
	}{
		{"0.50", "0.515", true}, {"0.50", "0.53", false}, {"(0.5,", "0.51", true}, {"5", "5.01", false}, {"a.b", "a.c", false}, {"1.5", "NaN", false},
	} {
		if sameWord(c.want, c.found) != c.is {
			t.Errorf("%q and %q: expected %v", c.want, c.found, c.is)
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
