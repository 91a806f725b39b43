package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/loop"
	"fmtrain/internal/loss"
	"fmtrain/internal/metric"
	"fmtrain/internal/model"
	"fmtrain/internal/run"
	"fmtrain/internal/version"
)

// splits are the parts of the data that a model can be measured on.
var splits = []string{"test", "validation", "train"}

// splitsAllowed completes "expected ...".
const splitsAllowed = "test, validation or train"

type evalOptions struct {
	target, split, data, metrics, tta, mistakes string
	ema, json                                   bool
}

func newEval(s streams) *cobra.Command {
	o := evalOptions{split: "test", mistakes: "0"}
	cmd := &cobra.Command{
		Use:   "eval [RUN|CHECKPOINT]",
		Short: "Measure a trained classifier",
		Long: "Measure a classifier on the test images, or on another part of the data: loss, accuracy, precision, recall and F1 of each " +
			"class, and the confusion matrix. The loss and the metrics are those of the run, unless --metrics names others.\n\n" +
			"RUN is a run directory; its best checkpoint is evaluated. Without an argument it is the newest run in runs/. The data are " +
			"those of the run, unless --data names others. Nothing in a checkpoint is executed.",
		Example: `  fmtrain eval
  fmtrain eval runs/book --split validation
  fmtrain eval runs/book --metrics top3,ece,auc
  fmtrain eval runs/book --mistakes 6
  fmtrain eval runs/flipped --tta flip
  fmtrain eval runs/book/checkpoints/last.safetensors --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if err := atMostOne(args, "run or checkpoint", "RUN"); err != nil {
				return err
			}
			return noneEmpty(cmd.Flags(), "data", "metrics", "tta")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.target = args[0]
			}
			return runEval(cmd.Context(), s, o)
		},
	}
	cmd.ValidArgsFunction = completeRuns(1)
	cmd.Flags().VarP(&named{"NAME", &o.split}, "split", "", "images to measure on: test, validation or train")
	cmd.Flags().VarP(&named{"DIR", &o.data}, "data", "", "directory of the four IDX files [the data of the run]")
	cmd.Flags().BoolVar(&o.ema, "ema", false, "measure the averaged weights of a run with --ema")
	cmd.Flags().VarP(&named{"flip|shift|flip,shift", &o.tta}, "tta", "", "test-time augmentation: average the logits over mirrored or shifted views of each image")
	cmd.Flags().VarP(&named{"NAME,NAME,...", &o.metrics}, "metrics", "", "metrics to measure, out of "+strings.Join(metric.KindNames(), ", ")+" [those of the run]")
	cmd.Flags().VarP(&named{"N", &o.mistakes}, "mistakes", "", "show the N most confident mistakes")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
	under(cmd, flagHeading, true, "split", "data", "ema", "tta", "metrics", "mistakes", "json")
	complete(cmd, "split", splits)
	complete(cmd, "metrics", config.Words()["metrics"])
	complete(cmd, "tta", append(dataset.ViewWords(), strings.Join(dataset.ViewWords(), ",")))
	return cmd
}

// runEval measures a checkpoint, prints what it found, and keeps it in the run.
func runEval(ctx context.Context, s streams, o evalOptions) error {
	split := strings.ToLower(o.split)
	if !slices.Contains(splits, split) {
		return notOneOf("split", o.split, splits, splitsAllowed)
	}
	o.split = split
	shown, err := strconv.ParseUint(o.mistakes, 10, 31)
	if err != nil {
		return usageError{fmt.Errorf("--mistakes: expected a whole number from 0, found %.100q", o.mistakes)}
	}
	views, err := evalViews(&o)
	if err != nil {
		return err
	}
	metrics, err := evalMetrics(o.metrics)
	if err != nil {
		return err
	}
	path, err := checkpointOf(o.target)
	var parental *run.Parental
	if errors.As(err, &parental) && !o.json {
		say(s.out, "%s has %s. Name one of them:\n\n", parental.Path, count(len(parental.Runs), "run"))
		return printRuns(s, run.Overviews(parental.Runs))
	}
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
	settings, err := readEvalSettings(saved)
	if err != nil {
		return err
	}
	if o.metrics == "" {
		if metrics, err = build.Metrics(settings.Metrics); err != nil {
			return fmt.Errorf("%s: metrics of the run: %w", path, err)
		}
	}
	if slices.ContainsFunc(views, func(v dataset.WeightedView) bool { return v.Flip }) && !settings.flipped() {
		warn(s.err, "the run trained without --augment flip or altflip, so it does not know mirrored images, and --tta flip may do harm")
	}
	data, set, err := evalData(ctx, s, o, saved, settings)
	if err != nil {
		return err
	}
	var wrong mistakes
	result, err := evaluate(saved.Model, weights, set, metrics, views, wrong.note)
	if err != nil {
		return err
	}
	object := evalObject(o, saved, result)
	worst := wrong.worst(int(shown))
	if shown > 0 {
		object["mistakes"] = worst
	}
	if o.json {
		if err := json.NewEncoder(s.out).Encode(object); err != nil {
			return err
		}
	} else {
		if o.ema {
			path += ", averaged weights"
		}
		if o.tta != "" {
			path += fmt.Sprintf(", test-time augmentation %s (%d views)", o.tta, len(views))
		}
		say(s.out, "%s\n%s %s images of %s: %s\n\n", path, thousands(result.Count), imagesOf(o.split), data.Kind, place(data))
		printEvaluation(s.out, saved.Model.Loss, result)
		if shown > 0 {
			printMistakes(s.out, o.split, set, worst, len(wrong))
		}
	}
	keepEvaluation(s, o, saved, weights, data, object)
	return nil
}

// weightsOf are the weights of the checkpoint that was read from the path, or their average, which it may lack.
func weightsOf(saved *run.Saved, path string, averaged bool) (model.Weights, error) {
	switch {
	case !averaged:
		return saved.Weights, nil
	case saved.Average == nil:
		return nil, fmt.Errorf("--ema: %s: expected averaged weights (tensors ema.…), found none: the run did not use --ema", path)
	}
	return saved.Average, nil
}

// evalSettings are the settings of a run that matter to an evaluation.
type evalSettings struct {
	Data       string   `json:"data"`
	Validation int      `json:"validation"`
	Metrics    []string `json:"metrics"`
	Augment    string   `json:"augment"`
}

// flipped says whether the run has seen mirrored images.
func (s evalSettings) flipped() bool {
	a, err := dataset.ParseAugmentation(s.Augment)
	return err == nil && a.Flip != dataset.NoFlip
}

func readEvalSettings(saved *run.Saved) (settings evalSettings, err error) {
	if err := json.Unmarshal(saved.Settings, &settings); err != nil {
		return settings, fmt.Errorf("%s: expected the run's settings in the metadata: %.300s", saved.Path, err.Error())
	}
	return settings, nil
}

// evalData reads the images of the split. For training and validation images the data must be the checkpoint's: in other data the
// validation images may be among those that were trained on. With --data the user decides, and is warned.
func evalData(ctx context.Context, s streams, o evalOptions, saved *run.Saved, settings evalSettings) (*dataset.Data, *dataset.Set, error) {
	dir := o.data
	if dir == "" {
		// A file's text doesn't go to a terminal as it is: it may hold the terminal's commands.
		if strings.ContainsFunc(settings.Data, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return nil, nil, fmt.Errorf("%s: expected a data directory in the run's settings, found %.200q: name one with --data", saved.Path, settings.Data)
		}
		dir = settings.Data
	}
	options := dataset.DefaultOptions()
	options.Dir, options.TestOnly = dir, o.split == "test"
	data, err := load(ctx, s, options)
	if o.data == "" && errors.Is(err, dataset.ErrNotFound) {
		err = dataMoved(err)
	}
	if err != nil {
		return nil, nil, err
	}
	if o.split == "test" {
		return data, data.Test, nil
	}
	if file := run.Data(data.TrainSHA256).Differs(saved.Data); file != "" {
		if o.data == "" {
			return nil, nil, fmt.Errorf("%s: %.100q in %s is not the file that the run trained on, so its %s images are unknown; --data DIR evaluates on other data",
				saved.Path, file, data.Origin, imagesOf(o.split))
		}
		warn(s.err, "%.100q is not the file that the run trained on: the run's %s images may have been others", file, imagesOf(o.split))
	}
	validation, train, err := dataset.Split(data.Train, settings.Validation)
	if err != nil {
		return nil, nil, err
	}
	set := train
	if o.split == "validation" {
		set = validation
	}
	if set.Len() == 0 {
		return nil, nil, fmt.Errorf("expected %s images, found none: the run of %s had none", imagesOf(o.split), saved.Path)
	}
	return data, set, nil
}

// imagesOf is a split as a word before "images".
func imagesOf(split string) string {
	if split == "train" {
		return "training"
	}
	return split
}

// evaluate measures a model on views of a set; nil for only its images. It calls each for every image.
func evaluate(m *model.Model, weights model.Weights, set *dataset.Set, metrics *metric.Set, views []dataset.WeightedView,
	each func(row, label, prediction int32, logits []float32)) (*loop.Evaluation, error) {
	evaluator, err := loop.NewEvaluator(m, weights, set)
	if err != nil {
		return nil, err
	}
	evaluator.Metrics, evaluator.Each = metrics, each
	if views != nil {
		evaluator.UseViews(views)
	}
	members := build.Team(nil)
	defer members.Close()
	evaluator.UseTeam(members)
	return evaluator.Evaluate()
}

// evalObject is an evaluation as JSON.
func evalObject(o evalOptions, saved *run.Saved, result *loop.Evaluation) map[string]any {
	object := map[string]any{
		"checkpoint": saved.Path, "split": o.split, "loss": result.Loss, "accuracy": result.Accuracy, "count": result.Count,
		"classes": result.Confusion.Scores(dataset.ClassNames[:]), "confusion": result.Confusion,
	}
	if !plain(saved.Model.Loss) {
		object["loss_function"] = saved.Model.Loss
	}
	if len(result.Metrics) > 0 {
		object["metrics"] = result.Metrics
	}
	if o.ema {
		object["ema"] = true
	}
	if o.tta != "" {
		object["tta"] = o.tta
	}
	return object
}

// keepEvaluation writes an evaluation into the run of its checkpoint, with the data, the date, the program's version and the SHA-256 of the
// weights. A failure is only a warning, because the result has been printed.
func keepEvaluation(s streams, o evalOptions, saved *run.Saved, weights model.Weights, data *dataset.Data, object map[string]any) {
	dir, ok := run.Of(saved.Path)
	if !ok {
		return
	}
	v := version.Read()
	object["data"], object["date"], object["version"], object["commit"] = data.Origin, time.Now().UTC().Format(time.RFC3339), v.Version, v.Commit
	object["epoch"], object["images"], object["weights_sha256"] = saved.Progress.Epoch, data.Kind.String(), run.Digest(weights)
	if err := dir.WriteEvaluation(o.kept(), object); err != nil {
		warn(s.err, "the evaluation is not kept in the run: %v", err)
	}
}

// evalMetrics makes the metrics that the flag names; none if it is empty.
func evalMetrics(flag string) (*metric.Set, error) {
	if flag == "" {
		return nil, nil
	}
	named, err := config.Metrics(flag)
	if err != nil {
		return nil, usageError{fmt.Errorf("--metrics: %w", err)}
	}
	return build.Metrics(named.Names())
}

// evalViews makes the views that the flag names; none if it is empty. It writes the flag's words in their order.
func evalViews(o *evalOptions) ([]dataset.WeightedView, error) {
	if o.tta == "" {
		return nil, nil
	}
	words := strings.Split(strings.ToLower(o.tta), ",")
	for i, word := range words {
		words[i] = strings.TrimSpace(word)
	}
	views, err := dataset.Views(words)
	if err != nil {
		return nil, usageError{fmt.Errorf("--tta: %w", err)}
	}
	slices.SortFunc(words, func(a, b string) int {
		return slices.Index(dataset.ViewWords(), a) - slices.Index(dataset.ViewWords(), b)
	})
	o.tta = strings.Join(words, ",")
	return views, nil
}

// kept is the name of the evaluation in the run: test, or test-tta with views.
func (o evalOptions) kept() string {
	if o.tta != "" {
		return o.split + "-tta"
	}
	return o.split
}

// printEvaluation prints the tables.
func printEvaluation(w io.Writer, l loss.Named, e *loop.Evaluation) {
	fmt.Fprintf(w, "loss %.4f  accuracy %.4f\n", e.Loss, e.Accuracy)
	if !plain(l) {
		say(w, "loss function: %v\n", l)
	}
	for i, m := range e.Metrics {
		if i == 0 {
			fmt.Fprintln(w)
		}
		fmt.Fprintf(w, "%-22s%10.4f\n", m.Name, m.Value)
	}
	fmt.Fprintln(w)
	fmt.Fprintf(w, "%-12s%10s%10s%10s%10s\n", "class", "precision", "recall", "F1", "support")
	for _, c := range e.Confusion.Scores(dataset.ClassNames[:]) {
		fmt.Fprintf(w, "%-12s%10.4f%10.4f%10.4f%10s\n", c.Label, c.Precision, c.Recall, c.F1, thousands(c.Support))
	}
	fmt.Fprintln(w)
	printConfusion(w, e.Confusion, widthOf(w))
}

// printConfusion prints the confusion matrix, 72 columns wide. With a smaller width the columns are closer and the names shorter.
func printConfusion(w io.Writer, confusion metric.Confusion, width int) {
	name, cell, digits := 12, 6, 1
	for _, row := range confusion {
		for _, n := range row {
			digits = max(digits, len(strconv.Itoa(n)))
		}
	}
	cell = max(cell, digits+1)
	if width > 0 && name+len(confusion)*cell > width {
		cell = max((width-name)/len(confusion), digits+1)
		name = max(min(name, width-len(confusion)*cell), 3)
	}
	fmt.Fprintf(w, "%-*.*s", name, name, "true \\ found")
	for _, class := range dataset.ClassNames {
		fmt.Fprintf(w, "%*.*s", cell, cell-1, class)
	}
	fmt.Fprintln(w)
	for k, row := range confusion {
		fmt.Fprintf(w, "%-*.*s", name, name, dataset.ClassNames[k])
		for _, n := range row {
			fmt.Fprintf(w, "%*d", cell, n)
		}
		fmt.Fprintln(w)
	}
}
