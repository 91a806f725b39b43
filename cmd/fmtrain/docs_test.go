package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// TestDocs checks every page. The targets of its links must exist, and so must the tests, files, targets of make and flags that it names.
// It runs the commands of console blocks and compares what they print, by the rules at the end of docs/guide.md. It tries the fmtrain
// commands of plain blocks without training.
func TestDocs(t *testing.T) {
	r := newRepository(t, filepath.Join("..", ".."))
	for _, p := range r.pages {
		t.Run(p, func(t *testing.T) {
			t.Parallel()
			text := r.read(t, p)
			r.links(t, p, text)
			r.names(t, text)
			r.flags(t, text)
			if testing.Short() {
				return
			}
			if p != "docs/guide.md" { // TestGuide does
				s := session{dir: t.TempDir(), root: r.root, programs: map[string]string{"fmtrain": "fmtrain", "go": "go"}}
				s.run(t, blocksOf(text))
			}
			r.commands(t, text)
		})
	}
}

// repository is what pages may point to.
type repository struct {
	root    string
	pages   []string        // below root, with slashes
	tests   []byte          // the code of all tests
	added   map[string]bool // files that the guide adds
	targets map[string]bool // of make
	known   map[string]bool // flags, including those that the guide adds
}

// elsewhere are the flags of other programs that pages name.
var elsewhere = []string{"init", "only", "peer", "rounds"}

func newRepository(t *testing.T, root string) *repository {
	t.Helper()
	r := &repository{root: root, added: map[string]bool{}, targets: map[string]bool{}, known: map[string]bool{}}
	for _, pattern := range []string{"*.md", "docs/*.md"} {
		paths, err := fs.Glob(os.DirFS(root), pattern)
		check(t, err)
		r.pages = append(r.pages, paths...)
	}
	check(t, fs.WalkDir(os.DirFS(root), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, "_test.go") {
			r.tests = append(r.tests, r.read(t, path)...)
		}
		return err
	}))
	for _, b := range blocksOf(r.read(t, "docs/guide.md")) {
		if b.kind == "go" {
			r.added[b.file], r.added[path.Dir(b.file)] = true, true
		}
		if b.kind == "go" || b.kind == "diff" {
			for _, m := range regexp.MustCompile(`(?:Name|key): "([a-z-]+)"`).FindAllStringSubmatch(b.text, -1) {
				r.known[m[1]] = true
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^([a-z-]+):`).FindAllStringSubmatch(r.read(t, "Makefile"), -1) {
		r.targets[m[1]] = true
	}
	for _, name := range elsewhere {
		r.known[name] = true
	}
	for _, cmd := range commandsOf(newRoot(streams{})) {
		cmd.InitDefaultHelpFlag()
		cmd.InitDefaultVersionFlag()
		cmd.Flags().VisitAll(func(f *pflag.Flag) { r.known[f.Name] = true })
	}
	return r
}

// commandsOf is a command and all below it.
func commandsOf(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		all = append(all, commandsOf(c)...)
	}
	return all
}

func (r *repository) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.root, filepath.FromSlash(name)))
	check(t, err)
	return string(text)
}

func (r *repository) has(name string) bool {
	_, err := os.Stat(filepath.Join(r.root, filepath.FromSlash(name)))
	return err == nil
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)|(?:href|src|srcset)="([^"]+)"`)

// links checks the links of a page to files and their headings. Of a link to another site it only checks the form.
func (r *repository) links(t *testing.T, page, text string) {
	t.Helper()
	for _, m := range link.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		target := m[1] + m[2]
		u, err := url.Parse(target)
		switch {
		case err != nil:
			t.Error(err)
		case u.Scheme != "":
			if u.Scheme != "https" || u.Host == "" {
				t.Errorf("link to %s: expected https://HOST/..., a file or #HEADING", target)
			}
		default:
			file := page
			if u.Path != "" {
				file = path.Join(path.Dir(page), u.Path)
			}
			if !r.has(file) {
				t.Errorf("link to %s: no such file", target)
			} else if u.Fragment != "" && !slices.Contains(anchors(r.read(t, file)), u.Fragment) {
				t.Errorf("link to %s: no such heading", target)
			}
		}
	}
}

// anchors are the names of a page's headings, as GitHub makes them.
func anchors(text string) (all []string) {
	dropped := regexp.MustCompile(`[^\p{L}\p{N}_ -]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
		name := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
		unique := name
		for n := 1; slices.Contains(all, unique); n++ {
			unique = fmt.Sprintf("%s-%d", name, n)
		}
		all = append(all, unique)
	}
	return all
}

var (
	testName   = regexp.MustCompile(`\b(?:Test|Fuzz|Benchmark)[A-Z]\w*`)
	scriptName = regexp.MustCompile("`(\\w+\\.txtar)`")
	fileName   = regexp.MustCompile("`((?:\\.ci|cmd|configs|docs|internal|scripts|testdata)/[^`\\s<*,]*)`")
	makeTarget = regexp.MustCompile("(?m)(?:`|^|\\$ )make ([a-z-]+)")
)

// names checks that the tests, scripts, files and targets of make that a page names are there.
func (r *repository) names(t *testing.T, text string) {
	t.Helper()
	for _, name := range testName.FindAllString(text, -1) {
		if !bytes.Contains(r.tests, []byte("\nfunc "+name+"(")) {
			t.Errorf("it names %s, which is no test", name)
		}
	}
	for _, m := range scriptName.FindAllStringSubmatch(text, -1) {
		if !r.has("cmd/fmtrain/testdata/script/" + m[1]) {
			t.Errorf("it names the script %s, which is none of cmd/fmtrain/testdata/script", m[1])
		}
	}
	for _, m := range fileName.FindAllStringSubmatch(text, -1) {
		if name := strings.TrimSuffix(m[1], "/"); !r.has(name) && !r.added[name] {
			t.Errorf("it names the file %s, which is not there", m[1])
		}
	}
	for _, m := range makeTarget.FindAllStringSubmatch(text, -1) {
		if !r.targets[m[1]] {
			t.Errorf("it names make %s, which the Makefile lacks", m[1])
		}
	}
}

var flagName = regexp.MustCompile("[\\s`(]--([a-z][a-z0-9-]*)")

// flags checks that some command has each flag that a page names.
func (r *repository) flags(t *testing.T, text string) {
	t.Helper()
	for _, m := range flagName.FindAllStringSubmatch(text, -1) {
		if name := m[1]; !r.known[name] && !strings.HasSuffix(name, "-") { // as in --lower-…
			t.Errorf("it names --%s, which is no flag of fmtrain", name)
		}
	}
}

var fmtrainCommand = regexp.MustCompile(`(?m)^(?:\$ )?(?:fmtrain|go run \./cmd/fmtrain|bin/fmtrain) (.*?)(?: *#.*)?$`)

// commands checks the commands in plain blocks, and the config files of a page. train starts each run on the sample, but makes no step.
// Of other commands it only checks the flags.
func (r *repository) commands(t *testing.T, text string) {
	t.Helper()
	train := func(args ...string) {
		t.Helper()
		args = append(args, "--epochs=0", "--data=sample")
		cmd := exec.Command("fmtrain", args...)
		cmd.Dir = t.TempDir()
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("fmtrain %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	for _, b := range blocksOf(text) {
		switch b.kind {
		case "yaml":
			file := filepath.Join(t.TempDir(), "config.yaml")
			check(t, os.WriteFile(file, []byte(b.text), 0o644))
			train("train", "--config", file)
		case "":
			for _, m := range fmtrainCommand.FindAllStringSubmatch(b.text, -1) {
				args := words(m[1])
				if args[0] == "train" && !strings.Contains(m[1], "--resume") && !strings.Contains(m[1], "--init") {
					train(args...)
					continue
				}
				cmd, rest, err := newRoot(streams{}).Find(args)
				if err == nil {
					err = cmd.ParseFlags(rest)
				}
				if err != nil {
					t.Errorf("fmtrain %s: %v", m[1], err)
				}
			}
		}
	}
}

func TestAnchors(t *testing.T) {
	found := anchors("# A page\n## What `fmtrain` does, and why\n```\n# no heading\n```\n## Why?\n## Why?\n## 5. A loss: function or type?\n")
	want := []string{"a-page", "what-fmtrain-does-and-why", "why", "why-1", "5-a-loss-function-or-type"}
	if !slices.Equal(found, want) {
		t.Errorf("expected %q, found %q", want, found)
	}
}
