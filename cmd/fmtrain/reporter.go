package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"fmtrain/internal/config"
	"fmtrain/internal/loop"
	"fmtrain/internal/model"
	"fmtrain/internal/report"
	"fmtrain/internal/run"
)

// reporter makes the page of some runs. It measures a checkpoint only once.
type reporter struct {
	ctx     context.Context
	streams streams
	options reportOptions
	dirs    []run.Dir

	measuredFrom string // the checkpoint and the split that measured is of
	measured     *report.Measured
	note         string // why there is no measured
}

// newReporter finds the runs.
func newReporter(ctx context.Context, s streams, o reportOptions) (*reporter, error) {
	r := &reporter{ctx: ctx, streams: s, options: o}
	for _, path := range o.runs {
		dir, err := openRun(path)
		if err != nil {
			return nil, err
		}
		if slices.Contains(r.dirs, dir) {
			return nil, usageError{fmt.Errorf("%s: expected each run once, found it again", path)}
		}
		r.dirs = append(r.dirs, dir)
	}
	if len(r.dirs) > 0 {
		return r, nil
	}
	newest, err := run.Newest(run.Parent)
	if errors.Is(err, run.ErrNone) {
		return nil, &advised{usageError{fmt.Errorf("%w: name a run, or train first", err)}, "Train with", "train"}
	}
	r.dirs = []run.Dir{newest}
	return r, err
}

// stamp is a text that changes when the runs change.
func (r *reporter) stamp() string {
	var b strings.Builder
	for _, d := range r.dirs {
		for _, path := range []string{d.Metrics(), d.Last(), d.Best(), d.EvaluationPath("test")} {
			if info, err := os.Stat(path); err == nil {
				fmt.Fprint(&b, info.Size(), info.ModTime().UnixNano(), " ")
			}
		}
		fmt.Fprintln(&b, d.Status())
	}
	return b.String()
}

// page makes the page.
func (r *reporter) page() (*report.Page, error) {
	if len(r.dirs) > 1 {
		return r.comparisonPage()
	}
	of, err := r.read(r.dirs[0])
	if err != nil {
		return nil, err
	}
	history, err := report.ReadHistory(of.Dir)
	if err != nil {
		return nil, err
	}
	page := &report.Page{Title: string(of.Dir), Subtitle: subtitle(of), Charts: runCharts(of, history)}
	var saved *run.Saved
	path, err := run.Checkpoint(string(of.Dir))
	if err == nil {
		saved, err = run.Load(path)
	}
	switch {
	case err == nil:
		if err := r.measure(of, saved); err != nil {
			return nil, err
		}
		page.Measured, page.Weights = r.measured, report.NewWeights(saved.Model, saved.Weights)
		if r.note != "" {
			page.Notes = append(page.Notes, r.note)
		}
	case of.Status == run.Running: // and has saved no checkpoint yet
		page.Notes = append(page.Notes, "The run has no checkpoint yet, so nothing is known about its predictions.")
	default:
		return nil, err
	}
	page.Figures = figures(of, page.Measured)
	if of.Status == run.Diverged {
		page.Notes = append(page.Notes, "The run diverged: its loss became NaN or infinite. The predictions are those of the last good checkpoint.")
	}
	if saved != nil {
		page.Details = append(page.Details, modelTable(saved.Model, saved.Weights))
	}
	differing, all := settingsTables(of)
	page.Details = append(page.Details, differing, originTable(of), all)
	return page, nil
}

// read reads a run. One that trains may lack a checkpoint; then its settings are those of its metrics.
func (r *reporter) read(dir run.Dir) (*comparedRun, error) {
	of, err := readRun(string(dir))
	if err == nil || dir.Status() != run.Running {
		return of, err
	}
	of = &comparedRun{Overview: run.Info{Dir: dir}.Overview()}
	if of.summary, err = dir.Summary(); err != nil {
		return nil, err
	}
	known := maps.Clone(of.summary.Settings)
	for _, key := range []string{"version", "commit", "go", "system", "processor", "date"} {
		delete(known, key)
	}
	if of.Settings, err = json.Marshal(known); err != nil || known == nil {
		of.Settings = []byte("{}")
	}
	of.settings, err = config.RunSettings(of.Settings)
	return of, err
}

// subtitle says when a run was made, what it does now, and how far it has come.
func subtitle(of *comparedRun) string {
	text := string(of.Status)
	if n := of.summary.Epochs; n > 0 || of.Status == run.Finished {
		text += ", " + count(n, "epoch")
	}
	if began := of.began(); began != "" {
		text += ", began " + began
	}
	return text
}

// began is the date of the run's first line, or of the last resume; empty if it is not known.
func (r *comparedRun) began() string {
	text, _ := r.summary.Settings["date"].(string)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// figures are the numbers that a page begins with.
func figures(of *comparedRun, measured *report.Measured) (all []report.Figure) {
	add := func(name, value, about string) {
		all = append(all, report.Figure{Name: name, Value: value, About: about})
	}
	if best := of.best(); best != nil {
		switch {
		case best.ValAccuracy != nil:
			add("Validation accuracy", meanText(*best.ValAccuracy), fmt.Sprintf("best epoch, %d", best.Epoch))
		case best.Accuracy != nil:
			add("Training accuracy", meanText(*best.Accuracy), fmt.Sprintf("epoch %d; no validation", best.Epoch))
		}
		if best.ValLoss != nil {
			add("Validation loss", meanText(*best.ValLoss), fmt.Sprintf("epoch %d", best.Epoch))
		}
	}
	if t := of.Test; t != nil {
		about := fmt.Sprintf("epoch %d", t.Epoch)
		if t.EMA {
			about += ", averaged weights"
		}
		add("Test accuracy", meanText(t.Accuracy), about)
	}
	if measured != nil {
		add("Calibration error", measured.ECE, measured.Images+" images")
	}
	if of.Parameters > 0 {
		add("Parameters", thousands(of.Parameters), "")
	}
	if of.Seconds > 0 {
		about := ""
		if of.summary.Seconds > 0 {
			about = thousands(int(of.summary.Images/of.summary.Seconds)) + " images/s"
		}
		add("Training time", duration(of.Seconds), about)
	}
	return all
}

// runCharts are the curves of one run.
func runCharts(of *comparedRun, h *report.History) (all []report.Chart) {
	best := 0
	if of.summary.Best != nil {
		best = of.summary.Best.Epoch
	}
	names := []string{"validation", "training", "averaged weights"}
	add := func(c report.Chart) {
		if len(c.Series) > 0 {
			all = append(all, c)
		}
	}
	add(report.Chart{Title: "Loss", Best: best, Text: meanText, Series: h.Series(names, h.ValLoss, h.Loss, h.AverageLoss)})
	add(report.Chart{Title: "Accuracy", Best: best, Text: meanText, Series: h.Series(names, h.ValAccuracy, h.Accuracy, h.AverageAccuracy)})
	var rates [][]float64
	for _, group := range h.Groups {
		rates = append(rates, h.Rates[group])
	}
	series := h.Series(h.Groups, rates...)
	add(report.Chart{Title: "Learning rates", Text: rateText, Log: report.Wide(series), Series: series})
	add(report.Chart{Title: "Images a second", Text: roundText, Series: h.Series([]string{"images/s"}, h.ImagesInSecond)})
	return all
}

// rateText is a learning rate with four digits.
func rateText(x float64) string { return fmt.Sprintf("%.4g", x) }

// measure measures a checkpoint, unless that was done before. Missing images are only noted, unless the user has asked for them.
func (r *reporter) measure(of *comparedRun, saved *run.Saved) error {
	split := r.options.split
	if split == "" {
		split = "validation"
		if of.Test != nil {
			split = "test"
		}
	}
	from := fmt.Sprint(split, saved.Path, saved.Progress, run.Digest(saved.Weights))
	if from == r.measuredFrom {
		return nil
	}
	r.measured, r.note = nil, ""
	settings, err := readEvalSettings(saved)
	if err != nil {
		return err
	}
	_, set, err := evalData(r.ctx, r.streams, evalOptions{split: split, data: r.options.data}, saved, settings)
	switch {
	case err != nil && (r.options.split != "" || r.options.data != "" || errors.Is(err, context.Canceled)):
		return err
	case err != nil:
		r.note = fmt.Sprintf("The predictions are not shown: %v", err)
		warn(r.streams.err, "the report lacks the predictions: %v", err)
		return nil
	}
	measurement := report.NewMeasurement(set)
	result, err := evaluate(saved.Model, saved.Weights, set, nil, nil, measurement.Each)
	if err != nil {
		return err
	}
	r.measured, r.measuredFrom = measurement.Measured(imagesOf(split), aboutMeasured(saved, split, result)), from
	return nil
}

func aboutMeasured(saved *run.Saved, split string, e *loop.Evaluation) string {
	return fmt.Sprintf("Of the %s %s images, by the weights of %v: loss %.4f, accuracy %.4f.", thousands(e.Count), imagesOf(split), saved.Progress, e.Loss, e.Accuracy)
}

// modelTable is the network, layer by layer.
func modelTable(m *model.Model, weights model.Weights) report.Table {
	t := report.Table{Title: "Network", About: m.Text(), Columns: []report.Column{{Heading: "layer"}, {Heading: "output"}, {Heading: "parameters", Number: true}, {Heading: "group"}}}
	total := 0
	for _, l := range layerRows(m, weights, nil) {
		parameters := ""
		if l.parameters > 0 {
			parameters = thousands(l.parameters)
		}
		t.Rows = append(t.Rows, []string{strings.TrimLeft(l.name, " "), l.shape, parameters, l.group})
		total += l.parameters
	}
	t.Rows = append(t.Rows, []string{"total", "", thousands(total), ""})
	return t
}

// settingsTables are the settings that differ from the defaults, and all settings.
func settingsTables(of *comparedRun) (differing, all report.Table) {
	columns := []report.Column{{Heading: "setting"}, {Heading: "value"}}
	differing = report.Table{Title: "Settings that differ from the defaults", Columns: columns}
	for _, s := range config.Differing(of.settings) {
		differing.Rows = append(differing.Rows, []string{s.Key, s.Text})
	}
	if len(differing.Rows) == 0 {
		differing.Rows = [][]string{{"none", ""}}
	}
	all = report.Table{Title: "All settings", Columns: columns, Closed: true}
	for _, s := range of.settings {
		all.Rows = append(all.Rows, []string{s.Key, s.Text})
	}
	return differing, all
}

// originTable says what the run was made of, and by what.
func originTable(of *comparedRun) report.Table {
	t := report.Table{Title: "Where it was made", Columns: []report.Column{{Heading: "what"}, {Heading: "value"}}}
	add := func(what, value string) { t.Rows = append(t.Rows, []string{what, cmp.Or(value, "unknown")}) }
	p := of.summary.Program
	add("version", of.program())
	add("Go", p.Go)
	add("system", p.System)
	add("processor", p.Processor)
	for _, name := range slices.Sorted(maps.Keys(of.Data)) {
		add("SHA-256 of "+name, of.Data[name])
	}
	if of.summary.WeightsSHA256 != "" {
		add("SHA-256 of the last weights", of.summary.WeightsSHA256)
	}
	return t
}

// comparisonPage makes the page of several runs.
func (r *reporter) comparisonPage() (*report.Page, error) {
	var runs []*comparedRun
	histories := map[*comparedRun]*report.History{}
	for _, dir := range r.dirs {
		of, err := r.read(dir)
		if err != nil {
			return nil, err
		}
		if histories[of], err = report.ReadHistory(dir); err != nil {
			return nil, err
		}
		runs = append(runs, of)
	}
	c := newComparison(runs, false)
	page := &report.Page{Title: count(len(runs), "run"), Notes: c.warnings}
	if len(c.columns) < len(runs) {
		page.Subtitle = fmt.Sprintf("%s; runs that differ by the seed alone are shown as their mean, with a band of ± one standard deviation", count(len(c.columns), "kind"))
	}
	for _, kind := range []struct {
		title string
		of    func(*report.History) []float64
	}{
		{"Validation accuracy", func(h *report.History) []float64 { return h.ValAccuracy }},
		{"Validation loss", func(h *report.History) []float64 { return h.ValLoss }},
		{"Training accuracy", func(h *report.History) []float64 { return h.Accuracy }},
		{"Training loss", func(h *report.History) []float64 { return h.Loss }},
	} {
		chart := report.Chart{Title: kind.title, Text: meanText}
		for _, column := range c.columns {
			var of []*report.History
			for _, run := range column.runs {
				of = append(of, histories[run])
			}
			if s := report.Mean(column.heading(), of, kind.of); s.Known() {
				chart.Series = append(chart.Series, s)
			}
		}
		page.Charts = append(page.Charts, chart)
	}
	differing, results := c.lines()
	page.Tables = append(page.Tables, c.table("What differs", differing), c.table("Results", results))
	return page, nil
}

// heading is the name of a column: the run, or how many runs like it.
func (c column) heading() string {
	if n := len(c.runs); n > 1 {
		return fmt.Sprintf("%s and %s of other seeds", c.name(), count(n-1, "run"))
	}
	return c.name()
}

// table is some lines of a comparison.
func (c *comparison) table(title string, lines []line) report.Table {
	t := report.Table{Title: title, Columns: []report.Column{{}}}
	for _, column := range c.columns {
		t.Columns = append(t.Columns, report.Column{Heading: column.heading()})
	}
	for _, l := range lines {
		row := []string{l.name}
		for _, cell := range l.cells {
			row = append(row, cell.String())
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}
