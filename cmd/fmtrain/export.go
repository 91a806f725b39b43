package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/dataset"
	"fmtrain/internal/export"
	"fmtrain/internal/run"
)

type exportOptions struct {
	target, format, out, input, license string
	ema, force                          bool
}

func newExport(s streams) *cobra.Command {
	o := exportOptions{format: export.Names()[0], input: export.Inputs[0], license: "unknown"}
	var about []string
	for _, f := range export.Formats() {
		about = append(about, fmt.Sprintf("  %-12s %s", f.Name, f.About))
	}
	cmd := &cobra.Command{
		Use:   "export [RUN|CHECKPOINT]",
		Short: "Write a trained classifier for other programs",
		Long: "Write a trained classifier for other programs, into a directory with a model card, README.md. The formats are\n\n" +
			strings.Join(about, "\n") + "\n\n" +
			"RUN is a run directory; its best checkpoint is exported. Without an argument it is the newest run in runs/. The card has the " +
			"results of fmtrain eval if it has measured the same weights.",
		Example: `  fmtrain export
  fmtrain export runs/book --format go --out fashionmnist
  fmtrain export runs/book/checkpoints/last.safetensors --format npz`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atMostOne(args, "run or checkpoint", "RUN"); err != nil {
				return err
			}
			if cmd.Flags().Changed("input") && !strings.EqualFold(o.format, "onnx") {
				return usageError{errors.New("--input: expected --format onnx with it; other formats have one input")}
			}
			return noneEmpty(cmd.Flags(), "format", "out", "input", "license")
		},
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.target = args[0]
			}
			return runExport(s, o)
		},
	}
	cmd.ValidArgsFunction = completeRuns(1)
	cmd.Flags().VarP(&named{"NAME", &o.format}, "format", "", "format: "+strings.Join(export.Names(), ", "))
	cmd.Flags().VarP(&named{"DIR", &o.out}, "out", "", "directory for the files [the names of the run and the format]")
	cmd.Flags().VarP(&named{"NAME", &o.input}, "input", "", "input of ONNX: uint8, pixels from 0 to 255, or float, pixels divided by 255")
	cmd.Flags().BoolVar(&o.ema, "ema", false, "export the averaged weights of a run with --ema")
	cmd.Flags().VarP(&named{"NAME", &o.license}, "license", "", "licence in the model card, as Hugging Face names it")
	cmd.Flags().BoolVar(&o.force, "force", false, "replace files")
	under(cmd, flagHeading, true, "format", "out", "input", "ema", "license", "force")
	complete(cmd, "format", export.Names())
	complete(cmd, "input", export.Inputs)
	return cmd
}

// licenseName is a name that needs no quotes in YAML.
var licenseName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9.-]*$`)

func runExport(s streams, o exportOptions) error {
	format, err := export.Find(o.format)
	if err != nil {
		return usageError{fmt.Errorf("--format: %w", err)}
	}
	o.input = strings.ToLower(o.input)
	switch {
	case !slices.Contains(export.Inputs, o.input):
		return usageError{fmt.Errorf("--input: expected %s, found %.100q", strings.Join(export.Inputs, " or "), o.input)}
	case !licenseName.MatchString(o.license):
		return usageError{fmt.Errorf("--license: expected a name such as mit or cc-by-4.0, found %.100q", o.license)}
	}
	path, err := checkpointOf(o.target)
	if err != nil {
		return err
	}
	saved, err := run.Load(path)
	if err != nil {
		return err
	}
	weights, err := weightsOf(saved, path, o.ema)
	if err != nil {
		return err
	}
	source := &export.Source{Model: saved.Model, Weights: weights, Input: o.input}
	if o.out == "" {
		o.out = exportName(path) + "-" + format.Name
	}
	source.Card = cardOf(s, o, saved, run.Digest(source.Weights))
	files, err := format.Files(source)
	if err != nil {
		return err
	}
	if err := export.Write(o.out, files, o.force); err != nil {
		if existing, ok := errors.AsType[*export.Existing](err); ok {
			return usageError{fmt.Errorf("--out %w; --force replaces it", existing)}
		}
		return fmt.Errorf("--out %w", err)
	}
	if dir, ok := run.Of(path); ok {
		if dir.Status() == run.Running {
			warn(s.err, "%s still trains; this is its checkpoint of %v", dir, saved.Progress)
		}
	}
	if o.ema {
		path += ", averaged weights"
	}
	say(s.out, "%s, of %v\n\n", path, saved.Progress)
	for _, f := range files {
		fmt.Fprintf(s.out, "%11s  %s\n", thousands(len(f.Content)), filepath.Join(o.out, f.Name))
	}
	return nil
}

// exportName is the name of an export: that of the run, or that of the checkpoint's file if it lies in no run.
func exportName(checkpoint string) string {
	if dir, ok := run.Of(checkpoint); ok {
		if whole, err := filepath.Abs(string(dir)); err == nil {
			return filepath.Base(whole)
		}
	}
	return strings.TrimSuffix(filepath.Base(checkpoint), filepath.Ext(checkpoint))
}

// cardSettings are the settings of a run that a model card shows, if they are set. Paths are not among them.
var cardSettings = []string{
	"epochs", "batch_size", "accumulate", "lower_solver", "lower_lr", "lower_schedule", "upper_solver", "upper_lr", "upper_schedule", "groups",
	"loss", "label_smoothing", "l2", "activity_l2", "max_norm", "clip_norm", "augment", "ema", "validation", "seed",
}

// unset are values of settings that do nothing.
var unset = []string{"", `""`, "0", "null", `"none"`, "[]"}

// cardOf is what the model card says about a checkpoint.
func cardOf(s streams, o exportOptions, saved *run.Saved, digest string) export.Card {
	official := dataset.IsFashionMNIST(saved.Data)
	card := export.Card{
		Name: exportName(saved.Path), License: o.license, Averaged: o.ema,
		Checkpoint: fmt.Sprintf("%s, of %v", filepath.Base(saved.Path), saved.Progress),
		Data:       "The training images of Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017).",
	}
	switch {
	case len(saved.Data) == 0:
		card.Data = "The data are not known."
	case !official:
		card.Data = "Images that are not the training images of Fashion-MNIST, or only a part of them. The SHA-256 of the files:\n"
		for _, name := range slices.Sorted(maps.Keys(saved.Data)) {
			card.Data += fmt.Sprintf("\n- `%.100s`: `%.100s`", name, saved.Data[name])
		}
	}
	var settings map[string]json.RawMessage
	if saved.Progress.Begun() > 0 && json.Unmarshal(saved.Settings, &settings) == nil { // weights of fmtrain import have no training
		for _, key := range cardSettings {
			if value := string(settings[key]); !slices.Contains(unset, value) && len(value) < 2000 {
				card.Settings = append(card.Settings, [2]string{strings.ReplaceAll(key, "_", "-"), strings.Trim(strings.ReplaceAll(value, "`", "'"), `"`)})
			}
		}
	}
	dir, ok := run.Of(saved.Path)
	if !ok {
		return card
	}
	var measured export.Measured
	switch err := dir.ReadEvaluation("test", &measured); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		warn(s.err, "the model card has no results: %v", err)
	case measured.SHA256 == digest:
		card.Measured = &measured
	}
	return card
}
