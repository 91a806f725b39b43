package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"fmtrain/internal/atomicfile"
	"fmtrain/internal/report"
)

type reportOptions struct {
	runs                    []string
	out, split, data, serve string
	served                  bool
}

// reportName is the file of a report.
const reportName = "report.html"

func newReport(s streams) *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report [RUN...]",
		Short: "Make a web page of a run, or of several",
		Long: "Make one HTML page of a run: its results, curves, confusion matrix, calibration, worst mistakes, first-layer weights, network and " +
			"settings. The page is one file, loads nothing and works without a network. Without an argument it is of the newest run in runs/.\n\n" +
			"The predictions are those of the best checkpoint on the validation images. If eval has measured the run on the test images, they are on " +
			"those. A run that still trains gets a page of what is there.\n\n" +
			"The page of several runs has their curves on common axes and what compare prints. Runs that differ by the seed alone are one curve, their mean, " +
			"with a band of one standard deviation.",
		Example: `  fmtrain report
  fmtrain report runs/book --split test --out book.html
  fmtrain report runs/seed-* runs/wide-seed-*
  fmtrain report runs/book --serve`,
		ValidArgsFunction: completeRuns(maxReported),
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > maxReported {
				return usageError{fmt.Errorf("expected %d runs at most, found %d", maxReported, len(args))}
			}
			return noneEmpty(cmd.Flags(), "out", "split", "data", "serve")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.runs, o.served = args, cmd.Flags().Changed("serve")
			return runReport(cmd.Context(), s, o)
		},
	}
	cmd.Flags().VarP(&named{"FILE", &o.out}, "out", "", "file to write [report.html in the run, or here for several runs]")
	cmd.Flags().VarP(&named{"NAME", &o.split}, "split", "", "images for the predictions: test, validation or train [see above]")
	cmd.Flags().VarP(&named{"DIR", &o.data}, "data", "", "directory of the four IDX files [the data of the run]")
	cmd.Flags().VarP(&named{"ADDRESS", &o.serve}, "serve", "", "show the page in a browser at http://127.0.0.1:PORT/ and keep it up to date; --serve=ADDRESS sets another address")
	cmd.Flags().Lookup("serve").NoOptDefVal = anyPort
	under(cmd, flagHeading, true, "out", "split", "data", "serve")
	complete(cmd, "split", splits)
	return cmd
}

// maxReported is the largest number of runs on a page.
const maxReported = 100

// runReport writes the page, or serves it.
func runReport(ctx context.Context, s streams, o reportOptions) error {
	if o.split != "" && !slices.Contains(splits, o.split) {
		return notOneOf("split", o.split, splits, splitsAllowed)
	}
	if o.served && o.out != "" {
		return usageError{errors.New("--out, --serve: expected one of them at most")}
	}
	if len(o.runs) > 1 && (o.split != "" || o.data != "") {
		return usageError{errors.New("--split, --data: expected one run; the page of several runs has no predictions")}
	}
	reporter, err := newReporter(ctx, s, o)
	if err != nil {
		return err
	}
	if o.served {
		return serveReport(ctx, s, o.serve, reporter)
	}
	path := o.out
	switch {
	case path != "":
	case len(reporter.dirs) == 1:
		path = filepath.Join(string(reporter.dirs[0]), reportName)
	default:
		path = reportName
	}
	if err := checkReport(path); err != nil {
		return err
	}
	page, err := reporter.page()
	if err != nil {
		return err
	}
	if err := atomicfile.Write(path, 0o644, func(w io.Writer) error { return page.Write(w) }); err != nil {
		return err
	}
	say(s.out, "The report is in %s\n", quoted(path))
	return nil
}

// checkReport refuses a file that is not a report.
func checkReport(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("--out: %w", err)
	case info.IsDir():
		return usageError{fmt.Errorf("--out %s: expected a file, found a directory", path)}
	case !info.Mode().IsRegular():
		return usageError{fmt.Errorf("--out %s: expected a regular file, found another kind", path)}
	}
	own, err := report.IsReport(path)
	if err != nil {
		return fmt.Errorf("--out: %w", err)
	}
	if !own {
		return usageError{fmt.Errorf("--out %s: expected no file, or an earlier report; found another file, which is left as it is", path)}
	}
	return nil
}
