package main

import (
	"os"
	"os/exec"
	"testing"
)

// A shell reads a path in a printed command as one word, and not as a flag.
func TestQuoted(t *testing.T) {
	shell, err := exec.LookPath("sh")
	if err != nil {
		t.Skip("no shell")
	}
	for path, want := range map[string]string{
		"runs/2026-11-25T08-06-35": "runs/2026-11-25T08-06-35", "a b": "a b", "it's": "it's", `a\b`: `a\b`, "$(touch x)": "$(touch x)", "a\nb": "a\nb", "*": "*",
		"é": "é", "-lead": "." + string(os.PathSeparator) + "-lead", "--": "." + string(os.PathSeparator) + "--", "~": "~", "#a": "#a",
	} {
		got, err := exec.Command(shell, "-c", "printf %s "+quoted(path)).Output()
		if err != nil || string(got) != want {
			t.Errorf("%q is printed as %s, which a shell takes for %q (%v)", path, quoted(path), got, err)
		}
	}
	if plain := "runs/first"; quoted(plain) != plain {
		t.Errorf("%s is printed as %s", plain, quoted(plain))
	}
}
