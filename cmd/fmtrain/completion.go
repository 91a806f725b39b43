package main

import (
	"io"

	"github.com/spf13/cobra"
)

// newCompletion is the command that prints completion scripts. It replaces cobra's own, which has no examples and takes any argument.
func newCompletion(s streams) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "completion",
		Short: "Print a script that completes commands and flags in a shell",
		Long: "Print a script that completes commands, flags and values in a shell. Load it once to try it, or write it to the place where " +
			"the shell looks for such scripts.",
		Example: `  source <(fmtrain completion bash)
  fmtrain completion zsh > "${fpath[1]}/_fmtrain"`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, shell := range []struct {
		name, example string
		print         func(root *cobra.Command, w io.Writer) error
	}{
		{"bash", "  source <(fmtrain completion bash)\n  fmtrain completion bash > /etc/bash_completion.d/fmtrain",
			func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"fish", "  fmtrain completion fish | source\n  fmtrain completion fish > ~/.config/fish/completions/fmtrain.fish",
			func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
		{"powershell", "  fmtrain completion powershell | Out-String | Invoke-Expression",
			(*cobra.Command).GenPowerShellCompletionWithDesc},
		{"zsh", "  source <(fmtrain completion zsh)\n  fmtrain completion zsh > \"${fpath[1]}/_fmtrain\"",
			(*cobra.Command).GenZshCompletion},
	} {
		about := "Print the completion script of " + shell.name
		cmd.AddCommand(&cobra.Command{
			Use:                   shell.name,
			Short:                 about,
			Long:                  about + ".",
			Example:               shell.example,
			DisableFlagsInUseLine: true,
			Args:                  noArgs,
			RunE:                  func(cmd *cobra.Command, _ []string) error { return shell.print(cmd.Root(), s.out) },
		})
	}
	return cmd
}
