package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/kernel"
)

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and what the program was built with",
		Long:    "Print the version, the version of Go, the platform, the version of Gorgonia and the kernels.",
		Example: "  fmtrain version",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return printVersion(s.out) },
	}
}

func printVersion(w io.Writer) error {
	_, err := fmt.Fprintf(w, "fmtrain %s\n%s %s/%s\ngorgonia %s\nkernels %s of %s\n",
		version(), runtime.Version(), runtime.GOOS, runtime.GOARCH, gorgoniaVersion(),
		kernel.Active(), strings.Join(kernel.Available(), ", "))
	return err
}

// version is the module's version, or the commit that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "(unknown)"
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = " " + s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = " with changes"
		}
	}
	return info.Main.Version + revision + dirty
}

func gorgoniaVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "gorgonia.org/gorgonia" {
				return m.Version
			}
		}
	}
	return "(unknown)"
}
