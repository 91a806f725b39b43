// Package configs holds the settings files that are built into fmtrain, so that they can be used by name.
package configs

import (
	"embed"
	"io/fs"
	"strings"
)

//go:embed *.yaml
var files embed.FS

// Names is the names of the built-in configs, without the extension .yaml, in alphabetical order.
func Names() []string {
	paths, _ := fs.Glob(files, "*.yaml") // the pattern is well-formed, which is all that Glob can object to
	for i, path := range paths {
		paths[i] = strings.TrimSuffix(path, ".yaml")
	}
	return paths
}

// Read is the text of the built-in config of one of the [Names].
func Read(name string) ([]byte, error) { return files.ReadFile(name + ".yaml") }
