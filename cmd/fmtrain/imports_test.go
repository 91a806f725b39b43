package main

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestImportsGoUp checks that each package imports only packages above it in the table of docs/design.md, and that the table has all
// packages.
func TestImportsGoUp(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "design.md"))
	check(t, err)
	_, table, ok := strings.Cut(string(text), "\n## The packages\n")
	if !ok {
		t.Fatal(`docs/design.md has no section "The packages"`)
	}
	var listed []string // from the top
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, "### ") {
			break
		}
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			for _, m := range regexp.MustCompile("`([a-z/]+)`").FindAllStringSubmatch(cells[1], -1) {
				listed = append(listed, m[1])
			}
		}
	}
	floor := func(pkg string) int { return slices.Index(listed, pkg) }

	for _, pkg := range packages(t, root) {
		if strings.HasSuffix(pkg, "test") { // used by tests only
			continue
		}
		if floor(pkg) < 0 {
			t.Errorf("docs/design.md: expected %s in the table of packages, found none", pkg)
			continue
		}
		for _, imported := range importsOf(t, root, pkg) {
			if floor(imported) >= floor(pkg) {
				t.Errorf("%s imports %s, which is not above it in docs/design.md", pkg, imported)
			}
		}
	}
	for _, pkg := range listed {
		if !slices.Contains(packages(t, root), pkg) {
			t.Errorf("docs/design.md: the table has the package %s, which does not exist", pkg)
		}
	}
}

// packages are the directories of internal, and cmd/fmtrain.
func packages(t *testing.T, root string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(root, "internal"))
	check(t, err)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return append(all, "cmd/fmtrain")
}

// importsOf are the packages of internal that a package's own files import.
func importsOf(t *testing.T, root, pkg string) (imported []string) {
	t.Helper()
	dir := filepath.Join(root, "internal", pkg)
	if strings.Contains(pkg, "/") {
		dir = filepath.Join(root, filepath.FromSlash(pkg))
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	check(t, err)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		check(t, err)
		for _, i := range parsed.Imports {
			path, err := strconv.Unquote(i.Path.Value)
			check(t, err)
			if name, ok := strings.CutPrefix(path, "fmtrain/internal/"); ok {
				imported = append(imported, name)
			}
		}
	}
	return imported
}
