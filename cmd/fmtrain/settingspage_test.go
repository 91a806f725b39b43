package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"fmtrain/internal/config"
)

var update = flag.Bool("update", false, "write the tables of docs/settings.md, and the outputs of testdata/predict")

// TestSettingsPage compares the tables of docs/settings.md with the program's commands and flags: the text between a comment
// "NAME, made by make docs" and a comment "end" is generated.
func TestSettingsPage(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "settings.md")
	page, err := os.ReadFile(file)
	check(t, err)
	root := newRoot(streams{})
	train, _, err := root.Find([]string{"train"})
	check(t, err)
	made := string(page)
	for name, table := range map[string]string{"commands": commandTable(root), "settings": settingTables(train)} {
		begin, end := "<!-- "+name+", made by make docs -->\n", "<!-- end -->"
		before, rest, found := strings.Cut(made, begin)
		_, after, ended := strings.Cut(rest, end)
		if !found || !ended {
			t.Fatalf("expected the comments %q and %q in %s", begin, end, file)
		}
		made = before + begin + "\n" + table + "\n" + end + after
	}
	switch {
	case made == string(page):
	case *update:
		check(t, os.WriteFile(file, []byte(made), 0o644))
	default:
		t.Errorf("%s is not what the program's help says: make docs", file)
	}
}

// commandTable has a line for each command.
func commandTable(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("| command | |\n|---|---|\n")
	for _, c := range commandsOf(root) {
		if c.Runnable() && c != root && !c.Hidden {
			fmt.Fprintf(&b, "| `%s` | %s |\n", cell(c.UseLine()), cell(c.Short))
		}
	}
	return strings.ReplaceAll(b.String(), " [flags]`", "`")
}

// settingTables has a table for each heading of the flags of train.
func settingTables(train *cobra.Command) string {
	var b strings.Builder
	for _, heading := range config.Headings() {
		fmt.Fprintf(&b, "\n### %s\n\n| flag | default | |\n|---|---|---|\n", heading)
		for _, f := range flagsOf(train) {
			if headingOf(f) != heading {
				continue
			}
			name, usage := flagText(f)
			value := f.DefValue
			if value != "" {
				value = "`" + value + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", cell(strings.TrimSpace(name)), value, cell(usage))
		}
	}
	return strings.TrimPrefix(b.String(), "\n")
}

// cell is a text in a table.
func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
