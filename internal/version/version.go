// Package version says which program this is, and what it runs on.
package version

import (
	"runtime"
	"runtime/debug"
)

// Info is a program and its machine, without the machine's name.
type Info struct {
	Version   string // of the module; (devel) for a build from a working copy
	Commit    string // that it was built from; empty if that is not known
	Modified  bool   // the working copy had changes beyond the commit
	Go        string // such as go1.26.0
	System    string // such as linux/amd64
	Processor string // its model; empty if the system does not say
	Gorgonia  string // version
}

// Read finds out what is known.
func Read() Info {
	info := Info{
		Version: "(unknown)", Gorgonia: "(unknown)",
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, Processor: processor(),
	}
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return info
	}
	info.Version = build.Main.Version
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			info.Commit = s.Value
		case "vcs.modified":
			info.Modified = s.Value == "true"
		}
	}
	for _, m := range build.Deps {
		if m.Path == "gorgonia.org/gorgonia" {
			info.Gorgonia = m.Version
		}
	}
	return info
}

// String is the version and the commit.
func (i Info) String() string {
	text := i.Version
	if i.Commit != "" {
		text += " " + i.Commit
	}
	if i.Modified {
		text += " with changes"
	}
	return text
}
