package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/configs"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
	"fmtrain/internal/layer"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/schedule"
	"fmtrain/internal/solver"
	"fmtrain/internal/table"
)

// topic is a help page that does not describe a command.
type topic struct {
	name, about string
	text        string         // before the entries
	entries     func() []entry // from a registry
	after       string
}

// entry is a name and what it is.
type entry struct{ name, about string }

// topics are the pages of fmtrain help, made from the registries.
var topics = []topic{
	{name: "schedules", about: "learning-rate schedules and their options",
		text: "A schedule changes the learning rate during a run. Write its name, alone or with options: --schedule cosine:warmup=500,end=0.1. " +
			"Options that are left out have the values shown.",
		entries: func() (all []entry) {
			for _, k := range schedule.Kinds() {
				all = append(all, entry{k.Usage, k.About})
			}
			return all
		}},
	{name: "solvers", about: "solvers and their constants",
		text: "A solver updates the weights from their gradients: --solver for all groups, --lower-solver and --upper-solver for one.",
		entries: func() (all []entry) {
			for _, k := range solver.Kinds() {
				all = append(all, entry{k.Name, k.About + " (" + k.Usage + ")"})
			}
			return all
		}},
	{name: "layers", about: "the list of layers of --layers",
		text: "A network is a list of layers from input to output, with dashes between them: --layers 300-ln-relu-dropout:0.2-10. " +
			"The last layer has 10 units, one for each class. The kinds of layers:",
		entries: func() (all []entry) {
			for _, k := range layer.Kinds() {
				all = append(all, entry{k.Usage, k.About})
			}
			return all
		}},
	{name: "groups", about: "groups of parameters, each with its own solver and learning rate",
		text: "Each parameter belongs to a group. By default, the dense layers near the output are the group upper " +
			"(--upper-layers sets how many), all others the group lower. --groups, or groups in a config, lists any number of groups instead:\n\n" +
			"  groups:\n" +
			"  - {name: norms, parameters: \"*.norm.*\", solver: sgd, lr: 0.01}\n" +
			"  - {name: body, parameters: \"lower.*\", solver: adamw, lr: 1e-3}\n" +
			"  - {name: head, parameters: \"*\", frozen: true}\n\n" +
			"A parameter belongs to the first group whose pattern matches its name, such as lower.0.weight, lower.0.norm.alpha or upper.bias. " +
			"The command debug lists the names. The settings of a group:",
		entries: func() []entry {
			return []entry{
				{"name", "letters, digits, - and _"},
				{"parameters", "a pattern of names, in which * stands for any characters"},
				{"solver", "see help solvers"},
				{"lr", "learning rate; 0 freezes the group"},
				{"schedule", "see help schedules"},
				{"weight-decay", "auto: the solver's default"},
				{"frozen", "true: the parameters stay as they are"},
			}
		},
		after: "--lr, --solver, --schedule and --weight-decay set all groups. They override the groups of a config. " +
			"A group's own flag overrides them. A frozen group stays frozen."},
	{name: "losses", about: "losses and their settings",
		text: "The loss is what training minimises: --loss focal --focal-gamma 1.",
		entries: func() (all []entry) {
			for _, k := range loss.Kinds() {
				about := k.About
				for _, s := range k.Has {
					about += fmt.Sprintf("; --%s: %s [%v]", s.Name, s.Help, *s.Value)
				}
				all = append(all, entry{k.Name, about})
			}
			return all
		}},
	{name: "metrics", about: "metrics of --metrics",
		text: "Metrics are measured on the validation images, and by eval: --metrics top3,ece,precision:ankle-boot.",
		entries: func() (all []entry) {
			for _, k := range metric.Kinds() {
				all = append(all, entry{k.Name, k.About})
			}
			return all
		},
		after: "CLASS is one of " + strings.Join(dataset.ClassNames[:], ", ") + "."},
	{name: "configs", about: "built-in configs and config files",
		text: "A config is a YAML file with one setting a line, as in \"lower-lr: 1e-4\"; the names are those of the flags. --config takes a file, " +
			"a run directory, whose settings it uses, or a built-in config: " + list(configs.Names()) + ". Flags override the config, and the config " +
			"overrides the defaults. The settings:",
		entries: func() (all []entry) {
			for _, e := range config.Entries() {
				about := e.Help
				if e.Default != "" {
					about += " [" + e.Default + "]"
				}
				all = append(all, entry{e.Key, about})
			}
			return all
		}},
	{name: "data", about: "where the program looks for the images",
		text: "The data are the four IDX files of Fashion-MNIST, plain or gzip. The program takes the first of these places that has them:",
		entries: func() []entry {
			return []entry{
				{"--data DIR", "a directory, or sample for the sample embedded in the program"},
				{"$" + dataset.DirVariable, "a directory"},
				{"cache", "your cache directory, where data fetch stores them"},
				{"package", "the directory in /usr/share of Debian's package dataset-fashion-mnist"},
			}
		},
		after: "If no place has them, the program downloads them. If that fails, it warns and uses the sample, a tenth of the images. " +
			"The command data shows, verifies and downloads the data."},
	{name: "environment", about: "environment variables",
		entries: func() []entry {
			return []entry{
				{dataset.DirVariable, "directory of the data"},
				{kernelVariable, "kernels to compute with: " + strings.Join(kernel.Available(), ", ") + "; not set: the fastest"},
				{"NO_COLOR", "not empty: no colours"},
				{"TERM", "dumb: no colours and no progress bar"},
				{"GOGC", "target of Go's garbage collector in percent; not set: 10 while training"},
				{"XDG_CACHE_HOME", "cache directory, in which data fetch stores the data"},
			}
		}},
	{name: "exit-codes", about: "exit codes",
		entries: func() []entry {
			return []entry{
				{fmt.Sprint(exitDone), "done"},
				{fmt.Sprint(exitFailed), "failed: a file, the network or the machine"},
				{fmt.Sprint(exitUsage), "a mistake on the command line or in a config"},
				{fmt.Sprint(exitCheckFailed), "a check failed (check-layernorm, data verify)"},
				{fmt.Sprint(exitDiverged), "the loss became NaN or infinite"},
				{fmt.Sprint(exitInterrupted), "interrupted; the run is saved and can be resumed"},
			}
		}},
}

// printTopic prints a topic.
func printTopic(w io.Writer, t topic, width int) {
	if t.text != "" {
		fmt.Fprintf(w, "%s\n\n", table.Wrap(t.text, width, ""))
	}
	entries := t.entries()
	column := 0
	for _, e := range entries {
		column = max(column, len([]rune(e.name))+4)
	}
	for _, e := range entries {
		printEntry(w, "  "+e.name, e.about, min(column, 26), width)
	}
	if t.after != "" {
		fmt.Fprintf(w, "\n%s\n", table.Wrap(t.after, width, ""))
	}
}

// newHelp is the command that prints the help of commands and the topics.
func newHelp(s streams) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND|TOPIC]",
		Short:   "Explain a command or a topic",
		Long:    "Explain a command, with all its flags, or a topic.",
		Example: "  fmtrain help train\n  fmtrain help schedules",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) (words []string, _ cobra.ShellCompDirective) {
			if len(args) == 0 {
				words = helpWords(cmd.Root())
			}
			return words, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				for _, t := range topics {
					if t.name == args[0] {
						printTopic(s.out, t, helpWidth(s.out))
						return nil
					}
				}
			}
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				word := strings.Join(args, " ")
				return usageError{fmt.Errorf("no help on %q; %s", word, suggestion(word, helpWords(cmd.Root()), "see "+program()+" help"))}
			}
			printHelp(s.out, about, false, helpWidth(s.out))
			return nil
		},
	}
}

// helpWords are the commands and topics that there is help on.
func helpWords(root *cobra.Command) (words []string) {
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			words = append(words, cmd.Name())
		}
	}
	for _, t := range topics {
		words = append(words, t.name)
	}
	return words
}

// suggestion is the word that was probably meant, or other advice if none is near.
func suggestion(word string, words []string, other string) string {
	if near := config.Suggest(word, words); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	return other
}
