package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/kernel"
	"fmtrain/internal/version"
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

// printVersion is fmtrain version, and --version.
func printVersion(w io.Writer) error {
	v := version.Read()
	_, err := fmt.Fprintf(w, "fmtrain %s\n%s %s\ngorgonia %s\nkernels %s of %s\n",
		v, v.Go, v.System, v.Gorgonia, kernel.Active(), strings.Join(kernel.Available(), ", "))
	return err
}
