package report

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"fmtrain/internal/chart"
)

// Chart is some curves over the epochs.
type Chart struct {
	Title  string
	Series []Series
	Best   int                  // an epoch to mark; 0 for none
	Log    bool                 // a logarithmic axis of the values
	Text   func(float64) string // a value as people read it
}

// Series is a curve. Y has a value for each of the epochs X, NaN for none. Band, if there is one, is the distance of the edges of a band
// around the curve.
type Series struct {
	Name       string
	X, Y, Band []float64
}

// drawing is a chart as the page has it. Places are in percent of the drawing's width, and of its height from the top.
type drawing struct {
	Title, Summary string
	XTicks, YTicks []mark
	Curves         []curve
	Best           *mark
	Points         string // for the script, JSON
	Rows           [][]string
	Names          []string
}

type mark struct {
	At   string
	Text string
}

type curve struct {
	Name, Path, Band, Last string
	Dots                   string // points without a line
}

// The places of a chart's coordinates.
const side = 1000

// parts is the number of parts of the epochs of which a curve keeps the least and the greatest value.
const parts = 150

// mostRows is the number of rows of a chart's table.
const mostRows = 100

// draw computes the places of a chart; nil if it has no point.
func (c Chart) draw() *drawing {
	var xs, ys [][]float64
	for _, s := range c.Series {
		ys = append(ys, s.Y, edge(s, -1), edge(s, 1))
		xs = append(xs, s.X)
	}
	x, okX := chart.NewAxis(false, xs...)
	y, okY := chart.NewAxis(c.Log, ys...)
	if !okX || !okY {
		return nil
	}
	y = y.Padded(0.05)
	d := &drawing{Title: c.Title, Summary: c.summary()}
	for _, t := range x.Ticks(6, true) {
		d.XTicks = append(d.XTicks, mark{percent(t.At), t.Text})
	}
	for _, t := range y.Ticks(7, false) {
		d.YTicks = append(d.YTicks, mark{percent(1 - t.At), t.Text})
	}
	if at, ok := x.At(float64(c.Best)); ok && c.Best > 0 && at >= 0 && at <= 1 {
		d.Best = &mark{percent(at), fmt.Sprintf("best epoch, %d", c.Best)}
	}
	epochs := c.epochs()
	shown := c.decimated(epochs)
	for _, s := range c.Series {
		path, dots := line(s, shown, x, y)
		d.Curves = append(d.Curves, curve{Name: s.Name, Path: path, Dots: dots, Band: band(s, shown, x, y), Last: c.last(s)})
		d.Names = append(d.Names, s.Name)
	}
	d.Points = c.points(shown, x, y)
	for _, epoch := range thinned(epochs) {
		row := []string{number(epoch)}
		for _, s := range c.Series {
			row = append(row, c.text(s, epoch))
		}
		d.Rows = append(d.Rows, row)
	}
	return d
}

// summary is the chart as a text.
func (c Chart) summary() string {
	var parts []string
	for _, s := range c.Series {
		low, high := math.Inf(1), math.Inf(-1)
		for _, v := range s.Y {
			if finite(v) {
				low, high = min(low, v), max(high, v)
			}
		}
		if low <= high {
			parts = append(parts, fmt.Sprintf("%s from %s to %s, at last %s", s.Name, c.Text(low), c.Text(high), c.last(s)))
		}
	}
	return c.Title + " by epoch: " + strings.Join(parts, "; ")
}

// last is the text of a curve's last value.
func (c Chart) last(s Series) string {
	for _, v := range slices.Backward(s.Y) {
		if finite(v) {
			return c.Text(v)
		}
	}
	return ""
}

// text is the text of a curve's value in an epoch; empty if it has none.
func (c Chart) text(s Series, epoch float64) string {
	i, ok := slices.BinarySearch(s.X, epoch)
	if !ok || !finite(s.Y[i]) {
		return ""
	}
	text := c.Text(s.Y[i])
	if s.Band != nil && s.Band[i] > 0 {
		text += " ± " + c.Text(s.Band[i])
	}
	return text
}

// epochs are those of all curves, in order.
func (c Chart) epochs() (all []float64) {
	for _, s := range c.Series {
		all = append(all, s.X...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// decimated are the epochs that are drawn. Of many epochs they are, in each of some parts, those with the least and the greatest value of
// a curve, so that no peak is lost; and the first and the last epoch.
func (c Chart) decimated(epochs []float64) []float64 {
	if len(epochs) <= 4*parts {
		return epochs
	}
	shown := []float64{epochs[0], epochs[len(epochs)-1]}
	for part := range parts {
		some := epochs[part*len(epochs)/parts : (part+1)*len(epochs)/parts]
		for _, s := range c.Series {
			first, _ := slices.BinarySearch(s.X, some[0])
			least, greatest := -1, -1
			for i := first; i < len(s.X) && s.X[i] <= some[len(some)-1]; i++ {
				if !finite(s.Y[i]) {
					continue
				}
				if least < 0 || s.Y[i] < s.Y[least] {
					least = i
				}
				if greatest < 0 || s.Y[i] > s.Y[greatest] {
					greatest = i
				}
			}
			if least >= 0 {
				shown = append(shown, s.X[least], s.X[greatest])
			}
		}
	}
	slices.Sort(shown)
	return slices.Compact(shown)
}

// thinned are some epochs at equal distances, the last one among them.
func thinned(epochs []float64) []float64 {
	step := (len(epochs) + mostRows - 1) / mostRows
	var some []float64
	for i := (len(epochs) - 1) % max(step, 1); i < len(epochs); i += step {
		some = append(some, epochs[i])
	}
	return some
}

// points are the values at the shown epochs, for the script.
func (c Chart) points(shown []float64, x, y chart.Axis) string {
	type values struct {
		Name string     `json:"name"`
		Text []string   `json:"text"`
		At   []*float64 `json:"at"` // from the top, in percent
	}
	p := struct {
		Epochs []float64 `json:"epochs"`
		At     []float64 `json:"at"` // in percent
		Series []values  `json:"series"`
	}{Epochs: shown}
	for _, epoch := range shown {
		at, _ := x.At(epoch)
		p.At = append(p.At, round(100*at))
	}
	for _, s := range c.Series {
		v := values{Name: s.Name}
		for _, epoch := range shown {
			var place *float64
			if i, ok := slices.BinarySearch(s.X, epoch); ok {
				if at, ok := y.At(s.Y[i]); ok {
					at = round(100 * (1 - at))
					place = &at
				}
			}
			v.At = append(v.At, place)
			v.Text = append(v.Text, c.text(s, epoch))
		}
		p.Series = append(p.Series, v)
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // there is nothing in it that JSON lacks
	}
	return string(text)
}

// edge are the values of one edge of a series' band; nil without a band.
func edge(s Series, sign float64) (values []float64) {
	for i, b := range s.Band {
		values = append(values, s.Y[i]+float64(sign*b))
	}
	return values
}

// line is the path of a curve. A value that is missing leaves a gap. A point between two gaps is a dot.
func line(s Series, shown []float64, x, y chart.Axis) (path, dots string) {
	var run []string // of points without a gap
	end := func() {
		if len(run) == 1 {
			dots += "M" + run[0] + "h0"
		} else if len(run) > 1 {
			path += "M" + strings.Join(run, "L")
		}
		run = run[:0]
	}
	for _, epoch := range shown {
		i, ok := slices.BinarySearch(s.X, epoch)
		if !ok {
			continue // another curve has this epoch
		}
		px, okX := x.At(epoch)
		py, okY := y.At(s.Y[i])
		if !okX || !okY {
			end()
			continue
		}
		run = append(run, place(px)+" "+place(1-py))
	}
	end()
	return path, dots
}

// band is the outline of the band around a curve; empty without one.
func band(s Series, shown []float64, x, y chart.Axis) string {
	if s.Band == nil {
		return ""
	}
	var there, back []string
	low, high := edge(s, -1), edge(s, 1)
	for _, epoch := range shown {
		i, ok := slices.BinarySearch(s.X, epoch)
		if !ok {
			continue
		}
		px, _ := x.At(epoch)
		above, okAbove := y.At(high[i])
		below, okBelow := y.At(low[i])
		if okAbove && okBelow {
			there = append(there, place(px)+" "+place(1-above))
			back = append(back, place(px)+" "+place(1-below))
		}
	}
	if len(there) < 2 {
		return ""
	}
	slices.Reverse(back)
	return "M" + strings.Join(append(there, back...), "L") + "Z"
}

func place(at float64) string { return number(math.Round(at*side*10) / 10) }

func percent(at float64) string { return number(round(100 * at)) }

func round(x float64) float64 { return math.Round(x*100) / 100 }

func number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }
