package main

import "testing"

// A path or a file may contain control sequences for a terminal.
func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"runs/first: é, σ²": "runs/first: é, σ²", "one\ntwo": "one\ntwo", "\x1b[2J": `\x1b[2J`, "a\tb\r": `a\tb\r`, "\u009b1m": `\u009b1m`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q is printed as %q, wanted %q", text, got, want)
		}
	}
}
