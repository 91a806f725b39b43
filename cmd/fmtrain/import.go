package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"fmtrain/internal/config"
	"fmtrain/internal/export"
	"fmtrain/internal/layer"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
)

// networkFlags are the settings that describe a network to fmtrain import.
var networkFlags = []string{"layers", "layernorm-form", "layernorm-epsilon", "upper-layers"}

func newImport(s streams) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Make a run of weights from another program",
		Long: "Make a run of weights that fmtrain export or another program has written. eval, predict, export and train --init take the " +
			"run as any other. It has no state of a training, so it can't be resumed.\n\n" +
			"FILE is a safetensors or an npz file of float32 or float64 arrays with the names and shapes of fmtrain's weights. The network is " +
			"in the files of fmtrain export; for other files, describe it with --layers.",
		Example: `  fmtrain import book-safetensors/model.safetensors --out again
  fmtrain import weights.npz --layers 300-relu-10`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("expected one FILE, found %d", len(args))}
			}
			if err := notEmpty("FILE", args[0]); err != nil {
				return err
			}
			for _, name := range networkFlags[1:] {
				if cmd.Flags().Changed(name) && !cmd.Flags().Changed("layers") {
					return usageError{fmt.Errorf("--%s: expected --layers with it", name)}
				}
			}
			return noneEmpty(cmd.Flags(), append([]string{"out"}, networkFlags...)...)
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runImport(s, args[0], out, cmd.Flags()) },
	}
	settings := pflag.NewFlagSet("", pflag.ContinueOnError)
	config.AddFlags(settings)
	for _, name := range networkFlags {
		f := *settings.Lookup(name)
		cmd.Flags().AddFlag(&f)
	}
	cmd.Flags().VarP(&named{"RUN", &out}, "out", "", "run directory; default: a new one in runs/")
	under(cmd, flagHeading, true, append(networkFlags, "out")...)
	complete(cmd, "layernorm-form", config.Words()["layernorm-form"])
	return cmd
}

// runImport makes a run with the weights of a file as its best checkpoint.
func runImport(s streams, path, out string, flags *pflag.FlagSet) error {
	if err := checkOut(out); err != nil {
		return err
	}
	file, err := export.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return usageError{fmt.Errorf("%s: expected a safetensors or an npz file, found nothing of this name", path)}
	}
	if err != nil {
		return err
	}
	defer file.Close()
	settings, err := importSettings(file, flags)
	if err != nil {
		return err
	}
	m, err := model.New(settings.Network)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	weights, err := file.Weights(m)
	if err != nil {
		return err
	}
	made, err := run.Create(out)
	if err != nil {
		return outError(err)
	}
	defer made.Close()
	settings.Out = string(made.Dir)
	image, err := made.Image(run.State{Model: m, Settings: settings, Weights: weights})
	if err == nil {
		err = made.Dir.WriteConfig(func(w io.Writer) error { return config.WriteYAML(w, settings) })
	}
	if err == nil {
		err = image.Save(made.Dir.Best())
	}
	if err != nil {
		made.Discard()
		return err
	}
	say(s.out, "%s: %s weights of the network %s\nrun directory: %s\nWeights: SHA-256 %s\n", path, thousands(weights.Total()), m.Text(), made.Dir, run.Digest(weights))
	sayCommand(s.out, "Test it", "eval "+quoted(string(made.Dir)))
	return nil
}

// importSettings are the default settings with the network of a file, or of the flags if they describe one.
func importSettings(file *export.Foreign, flags *pflag.FlagSet) (config.Config, error) {
	if flags.Changed("layers") {
		return config.Resolve("", flags)
	}
	c := config.Default()
	if file.Architecture == "" {
		return c, usageError{fmt.Errorf("%s: expected the architecture in the file, found none; describe the network with --layers", file.Path)}
	}
	if err := json.Unmarshal([]byte(file.Architecture), &c.Network); err != nil {
		return c, fmt.Errorf("%s: expected the architecture of a network, found another text: %.300s", file.Path, err.Error())
	}
	a := c.Network
	if err := run.CheckSizes(a); err != nil {
		return c, fmt.Errorf("%s: %w", file.Path, err)
	}
	c.Layers, c.UpperLayers, c.LayerNormForm = a.Text(), a.UpperLayers, model.NoLayerNorm
	if a.Norm != (layer.Norm{}) {
		c.LayerNormForm, c.LayerNormEpsilon = a.Norm.Form, a.Norm.Epsilon
	}
	return c, nil
}
