package main

import (
	"errors"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestProgramAs(t *testing.T) {
	onPath := func(name string) (string, error) { return filepath.Join("/usr/bin", name), nil }
	nowhere := func(string) (string, error) { return "", errors.Join(exec.ErrNotFound) }
	for _, c := range []struct {
		name string
		look func(string) (string, error)
		want string
	}{
		{"fmtrain", onPath, "fmtrain"},
		{"bin/fmtrain", onPath, "bin/fmtrain"},
		{"./fmtrain", nowhere, "./fmtrain"},
		{"/opt/my tools/fmtrain", nowhere, "'/opt/my tools/fmtrain'"},
		{"/tmp/go-build123/b001/exe/fmtrain", nowhere, "go run ./cmd/fmtrain"},
		{"/home/me/.cache/go-build/ab/cdef-d/fmtrain", nowhere, "/home/me/.cache/go-build/ab/cdef-d/fmtrain"},
		{"fmtrain", nowhere, "./fmtrain"},
	} {
		if got := programAs(filepath.FromSlash(c.name), c.look); got != filepath.FromSlash(c.want) {
			t.Errorf("%s: expected %s, found %s", c.name, c.want, got)
		}
	}
}
