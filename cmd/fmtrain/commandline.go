package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// joinResume lets --resume take the argument after it, which pflag doesn't do for a flag whose value may be left out.
func joinResume(args []string) (joined []string) {
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(joined, args[i:]...)
		}
		if args[i] == "--resume" && i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			joined = append(joined, "--resume="+args[i])
			continue
		}
		joined = append(joined, args[i])
	}
	return joined
}

// badFlag is the error for a flag that can't be read. If the command has subcommands and an unknown word came before the flag, the
// mistake is the unknown command.
func badFlag(cmd *cobra.Command, err error) error {
	if args := cmd.Flags().Args(); cmd.HasSubCommands() && len(args) > 0 {
		return noArgs(cmd, args)
	}
	hint := "see " + called(cmd) + " --help"
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		var names []string
		for _, f := range flagsOf(cmd) {
			names = append(names, f.Name)
		}
		name, dashes := unknown.GetSpecifiedName(), "--"
		if short, _, _ := strings.Cut(unknown.GetSpecifiedShortnames(), "="); short != "" { // one dash, as in -lr
			name, dashes = short, "-"
			if slices.Contains(names, "h"+short) { // -hidden is read as -h and then -idden
				name = "h" + short
			}
		}
		err = fmt.Errorf("unknown flag: %s%.100s", dashes, name)
		if near := suggestion(name, names, ""); near != "" && len(name) > 1 {
			hint = strings.Replace(near, "did you mean ", "did you mean --", 1)
		}
	}
	return usageError{fmt.Errorf("%w; %s", err, hint)}
}

// noArgs refuses arguments. If the command has subcommands, the argument is an unknown command.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	word, what := args[0], "argument"
	hint := "see " + called(cmd) + " --help"
	if cmd.HasSubCommands() {
		what = "command"
		var names []string
		for _, sub := range cmd.Commands() {
			names = append(names, sub.Name())
		}
		hint = suggestion(word, names, hint)
	}
	if name := switchOf(cmd, word); name != "" {
		hint = fmt.Sprintf("write --%s=%s", name, word)
	}
	return usageError{fmt.Errorf("unknown %s %q; %s", what, word, hint)}
}

// called is a command as the user calls it.
func called(cmd *cobra.Command) string {
	return strings.Replace(cmd.CommandPath(), cmd.Root().Name(), program(), 1)
}

// switchOf is the flag that an argument true or false was probably meant for: a switch that was given without a value.
func switchOf(cmd *cobra.Command, word string) (name string) {
	if !slices.Contains([]string{"true", "false"}, strings.ToLower(word)) {
		return ""
	}
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.NoOptDefVal == "true" && (name == "" || f.DefValue != word) {
			name = f.Name
		}
	})
	return name
}

// noneEmpty refuses flags that were given an empty value.
func noneEmpty(flags *pflag.FlagSet, names ...string) error {
	for _, name := range names {
		if f := flags.Lookup(name); f.Changed {
			if err := notEmpty("--"+name, f.Value.String()); err != nil {
				return err
			}
		}
	}
	return nil
}

// atMostOne refuses a second argument, and an empty one. In errors the two are called what and name.
func atMostOne(args []string, what, name string) error {
	if len(args) > 1 {
		return usageError{fmt.Errorf("expected one %s at most, found %d", what, len(args))}
	}
	for _, arg := range args {
		if err := notEmpty(name, arg); err != nil {
			return err
		}
	}
	return nil
}

// notOneOf is the error for a flag whose value is none of the words. It suggests the nearest.
func notOneOf(flag, value string, words []string, expected string) error {
	err := fmt.Errorf("--%s: expected %s, found %.100q", flag, expected, value)
	if near := suggestion(value, words, ""); near != "" {
		err = fmt.Errorf("%w; %s", err, near)
	}
	return usageError{err}
}

// notEmpty refuses an empty value, which usually comes from a shell variable that was never set.
func notEmpty(what, value string) error {
	if value == "" {
		return usageError{fmt.Errorf("%s: expected a value, found an empty text", what)}
	}
	return nil
}
