package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// program is the program as the user called it, so that printed commands can be typed.
func program() string { return programAs(os.Args[0], exec.LookPath) }

// programAs is the same for the name in os.Args[0]. "go run" builds in a temporary directory and removes it afterwards, so there the
// user has to type "go run" again.
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
