package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"fmtrain/internal/config"
	"fmtrain/internal/table"
)

// everyCommand calls visit for each command that has help.
func everyCommand(visit func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		visit(cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	walk(newRoot(streams{}))
}

// Every flag has a heading and a help text that is a phrase.
func TestFlagsHaveHeadings(t *testing.T) {
	headings := strings.Join(append(config.Headings(), flagHeading), "\n")
	everyCommand(func(cmd *cobra.Command) {
		for _, f := range flagsOf(cmd) {
			if h := headingOf(f); h == "" || !strings.Contains(headings, h) {
				t.Errorf("%s: --%s: the heading %q is none of the help's", cmd.CommandPath(), f.Name, h)
			}
			if f.Usage == "" || strings.HasSuffix(f.Usage, ".") {
				t.Errorf("%s: --%s: expected a phrase without a full stop, found %q", cmd.CommandPath(), f.Name, f.Usage)
			}
		}
	})
}

// The short help of train fits a screen of 24 rows with room for the prompt, and its lines are not too wide.
func TestShortHelpFitsAScreen(t *testing.T) {
	train, _, err := newRoot(streams{}).Find([]string{"train"})
	check(t, err)
	var b bytes.Buffer
	printHelp(&b, train, true, 79)
	if rows := strings.Count(b.String(), "\n"); rows > 23 {
		t.Errorf("%d rows:\n%s", rows, &b)
	}
	for _, flag := range []string{"--epochs N", "--lr RATE", "--resume [RUN]", "--config FILE", "[5]", "Examples:", "Network:"} {
		if !strings.Contains(b.String(), flag) {
			t.Errorf("no %s in\n%s", flag, &b)
		}
	}
}

// The help of every command and topic fits narrow terminals, and that of train has all flags.
func TestHelpFitsTheWidth(t *testing.T) {
	for _, width := range []int{59, 79, 119} {
		fits := func(what, text string) {
			for line := range strings.Lines(text) {
				line = strings.TrimSuffix(line, "\n")
				if n := len([]rune(line)); n > width && table.Wrap(line, width, "") != line {
					t.Errorf("%s: %d columns instead of %d: %s", what, n, width, line)
				}
			}
		}
		everyCommand(func(cmd *cobra.Command) {
			for _, short := range []bool{true, false} {
				var b bytes.Buffer
				printHelp(&b, cmd, short, width)
				fits(cmd.CommandPath(), b.String())
				for _, f := range flagsOf(cmd) {
					if !short && !strings.Contains(b.String(), "  --"+f.Name) {
						t.Errorf("%s: no --%s", cmd.CommandPath(), f.Name)
					}
				}
			}
		})
		for _, topic := range topics {
			var b bytes.Buffer
			printTopic(&b, topic, width)
			fits(topic.name, b.String())
			if strings.HasSuffix(topic.about, ".") || strings.Count(b.String(), "\n") < 5 {
				t.Errorf("%s:\n%s", topic.name, &b)
			}
		}
	}
}
