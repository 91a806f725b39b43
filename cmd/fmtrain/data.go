package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"fmtrain/internal/build"
	"fmtrain/internal/config"
	"fmtrain/internal/dataset"
	"fmtrain/internal/progress"
)

type dataOptions struct {
	dir  string
	json bool
}

func newData(s streams) *cobra.Command {
	var o dataOptions
	cmd := &cobra.Command{
		Use:   "data",
		Short: "Show, verify or download the data set",
		Long:  "Show, verify or download Fashion-MNIST. The topic data says where the program looks for it.",
		Example: `  fmtrain data info
  fmtrain data verify --data DIR
  fmtrain data fetch`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	for _, sub := range []struct {
		name, short, example string
		run                  func(context.Context, streams, dataOptions) error
	}{
		{"info", "Print where the data are and what they hold", "  fmtrain data info --json", runDataInfo},
		{"verify", "Read all four files and compare them with Fashion-MNIST", "  fmtrain data verify", runDataVerify},
		{"fetch", "Download the data to your cache directory or to --data", "  fmtrain data fetch --data DIR", runDataFetch},
	} {
		c := &cobra.Command{
			Use:     sub.name,
			Short:   sub.short,
			Long:    sub.short + ".",
			Example: sub.example,
			Args:    noArgs,
			RunE: func(cmd *cobra.Command, _ []string) error {
				if err := noneEmpty(cmd.Flags(), "data"); err != nil {
					return err
				}
				return sub.run(cmd.Context(), s, o)
			},
		}
		c.Flags().VarP(&named{"DIR", &o.dir}, "data", "", "directory of the four IDX files")
		c.Flags().BoolVar(&o.json, "json", false, "print one JSON object")
		under(c, flagHeading, true, "data", "json")
		cmd.AddCommand(c)
	}
	return cmd
}

// loadData reads the data from the named directory or the usual places, with a bar if they must be downloaded, and prints
// the warnings about them.
func loadData(ctx context.Context, s streams, dir string) (*dataset.Data, error) {
	options := dataset.DefaultOptions()
	options.Dir = dir
	return load(ctx, s, options)
}

// loadSplit reads the data of a run and splits off the validation images. The settings then name the data.
func loadSplit(ctx context.Context, s streams, c *config.Config) (*build.Data, error) {
	data, err := loadData(ctx, s, c.Data)
	if err != nil {
		return nil, err
	}
	return build.Split(c, data)
}

// load is loadData with any options.
func load(ctx context.Context, s streams, options dataset.Options) (*dataset.Data, error) {
	bar := newDownload(s)
	options.Progress = bar.Update
	data, err := dataset.Load(ctx, options)
	bar.Clear()
	if err != nil {
		return nil, err
	}
	for _, w := range data.Warnings {
		warn(s.err, "%s", w)
	}
	return data, nil
}

// dataMoved adds to an error what to do if the data of a run have moved.
func dataMoved(err error) error {
	return fmt.Errorf("%w; if the data have moved, name their directory with --data", err)
}

// place says where the data are, to a person.
func place(data *dataset.Data) string {
	if data.Origin == dataset.SampleName {
		return "embedded in the program"
	}
	return data.Origin
}

// newDownload is a download bar on stderr. It shows no bar if stderr is not a terminal.
func newDownload(s streams) *progress.Download {
	t := terminal(s.err)
	if !progress.IsTerminal(s.err) {
		t.Width = nil
	}
	return progress.NewDownload(t)
}

// classCount is one class of a set, for JSON.
type classCount struct {
	Label string `json:"label"`
	Count int    `json:"count"`
}

// setInfo is one set, for JSON.
type setInfo struct {
	Count   int          `json:"count"`
	Mean    float64      `json:"mean"`
	Std     float64      `json:"std"`
	Classes []classCount `json:"classes"`
}

func describe(set *dataset.Set) setInfo {
	stats := set.Stats()
	info := setInfo{Count: stats.Count, Mean: stats.Mean, Std: stats.Std}
	for k, n := range stats.PerClass {
		info.Classes = append(info.Classes, classCount{dataset.ClassNames[k], n})
	}
	return info
}

func runDataInfo(ctx context.Context, s streams, o dataOptions) error {
	data, err := loadData(ctx, s, o.dir)
	if err != nil {
		return err
	}
	train, test := describe(data.Train), describe(data.Test)
	if o.json {
		return json.NewEncoder(s.out).Encode(map[string]any{"origin": data.Origin, "kind": data.Kind.String(), "train": train, "test": test})
	}
	say(s.out, "%s: %s\n\n", data.Kind, place(data))
	fmt.Fprintf(s.out, "%-12s%10s%10s\n", "", "train", "test")
	fmt.Fprintf(s.out, "%-12s%10s%10s\n", "images", thousands(train.Count), thousands(test.Count))
	fmt.Fprintf(s.out, "%-12s%10.4f%10.4f\n%-12s%10.4f%10.4f\n", "pixel mean", train.Mean, test.Mean, "pixel std", train.Std, test.Std)
	for k, c := range train.Classes {
		fmt.Fprintf(s.out, "%-12s%10s%10s\n", c.Label, thousands(c.Count), thousands(test.Classes[k].Count))
	}
	return nil
}

// fileReport is the state of one file, for JSON.
type fileReport struct {
	Name    string `json:"name"`
	Path    string `json:"path"`
	Bytes   int64  `json:"bytes"`
	Records int    `json:"records"`
	SHA256  string `json:"sha256"`
	State   string `json:"state"`
	Error   string `json:"error,omitempty"`
}

func runDataVerify(_ context.Context, s streams, o dataOptions) error {
	options := dataset.DefaultOptions()
	options.Dir = o.dir
	dir := dataset.Find(options)
	if dir == "" {
		return errors.New("no data found: name their directory with --data, or download them with fmtrain data fetch")
	}
	status := dataset.Verify(dir)
	var reports []fileReport
	failed := 0
	for _, f := range status {
		r := fileReport{Name: f.Name, Path: f.Path, Bytes: f.Size, Records: f.Records, SHA256: f.SHA256, State: f.State.String()}
		if f.Err != nil {
			r.Error = f.Err.Error()
		}
		if f.State != dataset.Fashion && f.State != dataset.Embedded {
			failed++
		}
		reports = append(reports, r)
	}
	if o.json {
		if err := json.NewEncoder(s.out).Encode(map[string]any{"dir": dir, "passed": failed == 0, "files": reports}); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(s.out, dir)
		for _, r := range reports {
			fmt.Fprintf(s.out, "%-26s%8s  %s\n", r.Name, thousands(r.Records), r.State)
			if r.Error != "" {
				say(s.out, "    %s\n", r.Error)
			} else {
				fmt.Fprintf(s.out, "    sha256 %s\n", r.SHA256)
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%w: %d of 4 files in %s are not those of Fashion-MNIST", errCheckFailed, failed, dir)
	}
	return nil
}

func runDataFetch(ctx context.Context, s streams, o dataOptions) error {
	options := dataset.DefaultOptions()
	dir := o.dir
	if dir == "" {
		dir = options.CacheDir
	}
	if dir == "" {
		return usageError{errors.New("no cache directory on this system: name a directory with --data")}
	}
	bar := newDownload(s)
	options.Progress = bar.Update
	err := dataset.Fetch(ctx, options, dir)
	bar.Clear()
	if err != nil {
		return err
	}
	if o.json {
		return json.NewEncoder(s.out).Encode(map[string]any{"dir": dir})
	}
	_, err = fmt.Fprintf(s.out, "Fashion-MNIST is in %s\n", dir)
	return err
}
