package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/kernel"
	"fmtrain/internal/version"
)

func newVersion(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version, and what the program was built with",
		Example: "  fmtrain version",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			v := version.Read()
			_, err := fmt.Fprintf(s.out, "fmtrain %s\n%s %s\ngorgonia %s\nkernels %s of %s\n",
				v, v.Go, v.System, v.Gorgonia, kernel.Active(), strings.Join(kernel.Available(), ", "))
			return err
		},
	}
}
