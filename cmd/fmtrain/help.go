package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fmtrain/internal/config"
	"fmtrain/internal/table"
)

// Help has two sizes: -h shows the common flags of a command on one screen of 24 rows; --help shows all flags under headings.

// flagHeading is the heading of the flags in commands with few flags.
const flagHeading = "Flags"

// under puts flags of a command under a heading of its help. Common flags are also in the short help.
func under(cmd *cobra.Command, heading string, common bool, names ...string) {
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		f.Annotations = map[string][]string{config.HeadingAnnotation: {heading}}
		if common {
			f.Annotations[config.CommonAnnotation] = nil
		}
	}
}

func headingOf(f *pflag.Flag) string {
	return strings.Join(f.Annotations[config.HeadingAnnotation], "")
}

func isCommon(f *pflag.Flag) bool { _, common := f.Annotations[config.CommonAnnotation]; return common }

// helpWidth is the width of help on w: the terminal's width, or 80 if w is not a terminal.
func helpWidth(w io.Writer) int {
	if width := widthOf(w); width > 0 {
		return width
	}
	return 80
}

// printHelp prints the help of a command.
func printHelp(w io.Writer, cmd *cobra.Command, short bool, width int) {
	flags := flagsOf(cmd)
	hasMore := slices.ContainsFunc(flags, func(f *pflag.Flag) bool { return !isCommon(f) })
	if short && slices.ContainsFunc(flags, isCommon) && hasMore {
		printShortHelp(w, cmd, flags, width)
		return
	}
	wrap := func(text string) { fmt.Fprint(w, table.Wrap(text, width, "")) }
	wrap(cmd.Long + "\n")
	usage := strings.TrimSuffix(cmd.UseLine(), " [flags]")
	if cmd.HasAvailableSubCommands() {
		usage += " COMMAND"
	}
	if flags != nil {
		usage += " [FLAGS]"
	}
	wrap("\nUsage:\n  " + usage + "\n")
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExamples:\n%s\n", strings.TrimRight(table.Wrap(cmd.Example, width, "      "), "\n"))
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintln(w, "\nCommands:")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				printEntry(w, "  "+sub.Name(), sub.Short, 20, width)
			}
		}
	}
	if !cmd.HasParent() {
		fmt.Fprintf(w, "\nTopics, as in %s help schedules:\n", cmd.Name())
		for _, t := range topics {
			printEntry(w, "  "+t.name, t.about, 20, width)
		}
	}
	for _, heading := range append([]string{flagHeading}, config.Headings()...) {
		first := true
		for _, f := range flags {
			if headingOf(f) != heading {
				continue
			}
			if first {
				fmt.Fprintf(w, "\n%s:\n", heading)
				first = false
			}
			name, help := flagText(f)
			printEntry(w, name, help+defaultOf(f), 26, width)
		}
	}
	if hasMore && slices.ContainsFunc(flags, isCommon) {
		wrap("\n-h shows the common flags only.\n")
	}
}

// printShortHelp prints the common flags, a line each.
func printShortHelp(w io.Writer, cmd *cobra.Command, flags []*pflag.Flag, width int) {
	fmt.Fprint(w, table.Wrap(fmt.Sprintf("%s. Common flags; %s --help shows all.\n", cmd.Short, cmd.CommandPath()), width, ""))
	for _, heading := range config.Headings() {
		first := true
		for _, f := range flags {
			if !isCommon(f) || headingOf(f) != heading {
				continue
			}
			if first {
				fmt.Fprintf(w, "%s:\n", heading)
				first = false
			}
			name, help := flagText(f)
			help, _, _ = strings.Cut(help, ";")
			printEntry(w, name, help+defaultOf(f), 24, width)
		}
	}
	fmt.Fprintln(w, "Examples:")
	examples := strings.Split(cmd.Example, "\n")
	for _, line := range examples[:min(2, len(examples))] {
		fmt.Fprintln(w, table.Wrap(line, width, "      "))
	}
}

// printEntry prints a name and, starting at a column, its description. On a narrow terminal the text is below the name.
func printEntry(w io.Writer, name, text string, column, width int) {
	indent := column
	if width < 3*column {
		indent = 6
	}
	line := name + "\n" + strings.Repeat(" ", indent) + text
	if len([]rune(name))+2 <= indent {
		line = fmt.Sprintf("%-*s%s", indent, name, text)
	}
	fmt.Fprintln(w, table.Wrap(line, width, strings.Repeat(" ", indent)))
}

// flagsOf are the flags of a command, without --help.
func flagsOf(cmd *cobra.Command) (flags []*pflag.Flag) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && !f.Hidden {
			flags = append(flags, f)
		}
	})
	return flags
}

// flagText is a flag with the name of its value, and its help.
func flagText(f *pflag.Flag) (name, help string) {
	noun, help := pflag.UnquoteUsage(f)
	name = "  --" + f.Name
	switch {
	case noun == "" || noun == "bool":
	case f.NoOptDefVal != "":
		name += " [" + noun + "]"
	default:
		name += " " + noun
	}
	return name, help
}

// defaultOf is a flag's default in brackets, or nothing if the default is empty, false or auto.
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]", "false", "auto":
		return ""
	}
	return " [" + f.DefValue + "]"
}

// named is the value of a flag with its name in the help. Backquotes in the help text would repeat the name.
type named struct {
	noun string
	text *string
}

func (n *named) Set(text string) error { *n.text = text; return nil }
func (n *named) Type() string          { return n.noun }
func (n *named) String() string {
	if n.text == nil { // as pflag asks for a zero value
		return ""
	}
	return *n.text
}
