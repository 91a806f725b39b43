package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is the program as the user called it, for commands that are printed: what is printed can be typed.
func program() string { return programAs(os.Args[0], exec.LookPath) }

// programAs is the same for a name that the program was started by. "go run" builds in a temporary directory that is gone
// afterwards, so there only "go run" itself can be typed again.
func programAs(name string, lookPath func(string) (string, error)) string {
	for dir := filepath.Dir(name); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if strings.HasPrefix(filepath.Base(dir), "go-build") && filepath.Base(filepath.Dir(name)) == "exe" {
			return "go run ./cmd/fmtrain"
		}
	}
	if filepath.Base(name) == name {
		if _, err := lookPath(name); err != nil {
			return "." + string(os.PathSeparator) + name
		}
		return strings.TrimSuffix(name, ".exe")
	}
	return quoted(name)
}
