package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"fmtrain/internal/picture"
	"fmtrain/internal/run"
)

type predictOptions struct {
	target, data, invert string
	images               []string
	ema, json, csv       bool
}

func newPredict(s streams) *cobra.Command {
	o := predictOptions{invert: picture.Inverts[picture.Auto]}
	cmd := &cobra.Command{
		Use:   "predict [RUN|CHECKPOINT] IMAGE...",
		Short: "Classify pictures",
		Long: "Classify pictures with a trained classifier. An IMAGE is a PNG, JPEG, GIF or WebP, a directory of them, - for a picture on " +
			"stdin, or a row of the data such as test:5, train:5 or validation:5.\n\n" +
			"A picture is made into an image like those of the data: grey, cropped to the subject, scaled to 28 pixels, light on black. " +
			"The output says what was done. It also says if the model is unsure, and if the picture is unlike the training images.\n\n" +
			"RUN is a run directory; its best checkpoint is used. Without it, it is the newest run in runs/.",
		Example: `  fmtrain predict boot.jpg
  fmtrain predict runs/book test:0 test:1 train:7
  fmtrain predict photos/ --csv
  fmtrain predict --invert no --json - < boot.png`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usageError{fmt.Errorf("expected a picture, or a row such as test:0, found none; see %s --help", called(cmd))}
			}
			for _, arg := range args {
				if err := notEmpty("IMAGE", arg); err != nil {
					return err
				}
			}
			return noneEmpty(cmd.Flags(), "data", "invert")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.images = args
			if isRun(args[0]) {
				if o.target, o.images = args[0], args[1:]; len(o.images) == 0 {
					return usageError{fmt.Errorf("expected a picture after the run %s, or a row such as test:0, found none", o.target)}
				}
			}
			return runPredict(cmd.Context(), s, o)
		},
	}
	cmd.Flags().VarP(&named{"WORD", &o.invert}, "invert", "", "invert the intensities: auto (if the border is lighter than the rest), yes or no")
	cmd.Flags().VarP(&named{"DIR", &o.data}, "data", "", "directory of the four IDX files, for rows [the data of the run]")
	cmd.Flags().BoolVar(&o.ema, "ema", false, "use the averaged weights of a run with --ema")
	cmd.Flags().BoolVar(&o.json, "json", false, "print a JSON object for each picture, one a line")
	cmd.Flags().BoolVar(&o.csv, "csv", false, "print a CSV table")
	under(cmd, flagHeading, true, "invert", "data", "ema", "json", "csv")
	complete(cmd, "invert", picture.Inverts)
	return cmd
}

// isRun says whether an argument is a run, a directory of runs or a checkpoint, and not a picture.
func isRun(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	if info.IsDir() {
		return run.Dir(path).IsRun() || run.Dir(path).CheckParental() != nil
	}
	return filepath.Ext(path) == ".safetensors"
}

// runPredict classifies the pictures one after the other. One that can't be read is reported, and the others are classified.
func runPredict(ctx context.Context, s streams, o predictOptions) error {
	if o.json && o.csv {
		return usageError{errors.New("--csv: conflicts with --json; give one of them")}
	}
	invert := slices.Index(picture.Inverts, strings.ToLower(o.invert))
	if invert < 0 {
		return usageError{fmt.Errorf("--invert: expected auto, yes or no, found %.100q", o.invert)}
	}
	p, err := newPredictor(ctx, s, o)
	if err != nil {
		return err
	}
	p.invert = picture.Invert(invert)
	sources, single := expand(o.images)
	var out predictionWriter
	switch {
	case o.json:
		out = &jsonPredictions{json.NewEncoder(s.out)}
	case o.csv:
		out = &csvPredictions{w: csv.NewWriter(s.out)}
	case single:
		out = &panel{s.out, p.path}
	default:
		out = &predictionTable{out: s.out, path: p.path}
	}

	var failed []error
	for _, source := range sources {
		if err := ctx.Err(); err != nil {
			return err
		}
		found, err := p.predict(source)
		if err != nil {
			if failed = append(failed, err); len(sources) > 1 {
				sayError(s.err, err)
			}
			continue
		}
		if err := out.write(found); err != nil {
			return err
		}
	}
	if err := out.close(); err != nil {
		return err
	}
	switch {
	case len(failed) == 0:
		return nil
	case len(sources) == 1:
		return failed[0]
	}
	err = fmt.Errorf("%d of %d pictures could not be classified", len(failed), len(sources))
	if !slices.ContainsFunc(failed, func(err error) bool { return exitCode(err) != exitUsage }) {
		err = usageError{err}
	}
	return err
}

// source is a picture to classify, or why there is none.
type source struct {
	name string
	err  error
}

// expand replaces directories by their pictures. single says that there is one picture, which no directory was named for.
func expand(images []string) (sources []source, single bool) {
	single = len(images) == 1
	for _, image := range images {
		info, err := os.Stat(image)
		if err != nil || !info.IsDir() || rowOf(image) != nil {
			sources = append(sources, source{name: image})
			continue
		}
		single = false
		found, err := picturesIn(image)
		if err != nil {
			found = []source{{image, err}}
		}
		sources = append(sources, found...)
	}
	return sources, single
}

// pictureEndings are the names of pictures in a directory.
var pictureEndings = []string{".png", ".jpg", ".jpeg", ".gif", ".webp"}

func picturesIn(dir string) (found []source, err error) {
	if isRun(dir) {
		return nil, usageError{fmt.Errorf("%s: expected a picture or a directory of pictures, found a run; name the run first, and one only", dir)}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() && slices.Contains(pictureEndings, strings.ToLower(filepath.Ext(e.Name()))) {
			found = append(found, source{name: filepath.Join(dir, e.Name())})
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s: expected a directory with pictures (%s), found none in it", dir, strings.Join(pictureEndings, ", "))
	}
	return found, nil
}

// row is a row of the data, such as test:5.
type row struct{ split, index string }

// rowOf is the row that an argument names; nil if it is a file.
func rowOf(arg string) *row {
	if split, index, ok := strings.Cut(arg, ":"); ok && slices.Contains(splits, split) {
		return &row{split, index}
	}
	return nil
}
