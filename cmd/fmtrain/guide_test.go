package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/format"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGuide compiles the Go files of docs/guide.md, and runs its commands and compares what they print: its last section has the
// rules. The files, the lines that register them, and their tests, which are in testdata/guide, are laid over the repository by
// the go command's -overlay; nothing is written to it.
func TestGuide(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program again")
	}
	t.Parallel()
	root, err := filepath.Abs("../..")
	check(t, err)
	text, err := os.ReadFile(filepath.Join(root, "docs", "guide.md"))
	check(t, err)
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
	goRun("vet", flag, "./internal/loss", "./internal/metric", "./internal/layer", "./internal/solver", "./internal/schedule", "./internal/config")

	work := filepath.Join(dir, "work")
	check(t, os.Mkdir(work, 0o755))
	s := session{dir: work, root: root, flags: flag, programs: map[string]string{"fmtrain": "fmtrain", "ownloop": bin + "ownloop", "go": "go"}}
	s.run(t, blocksOf(before))
	s.programs["fmtrain"] = bin + "fmtrain"
	s.run(t, blocksOf(after))
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

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
