package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"

	"fmtrain/internal/dataset"
	"fmtrain/internal/metric"
)

// Measured is an evaluation of a model on a set of images. [Measurement] makes it.
type Measured struct {
	About    string // which images, and which weights
	Images   string // such as validation
	Matrix   []Row
	Classes  []Score
	ECE      string
	Bins     []Bin
	Mistakes []Example
	Wrong    int // mistakes in all
	Pairs    []Pair
}

// Row is a row of the confusion matrix: the images of one class.
type Row struct {
	Class string
	Cells []Cell
}

// Cell is the images of one class that were taken for one class.
type Cell struct {
	ID          string
	True, Found string
	Count       int
	Share       string // of the images of the true class
	Right       bool
	Level       int // of its colour
	Examples    []Example
}

// Example is an image of the data, with what the model made of it.
type Example struct {
	Source                   template.URL
	True, Found, Probability string
	Index                    int // in its set
}

// Score is the scores of a class.
type Score struct {
	metric.ClassScore
	Percent string // of F1
}

// Bin is a bar of the reliability diagram. Places are in percent.
type Bin struct {
	metric.Bin
	X, Width, Y, Height   string
	Range, Text, Expected string
}

// Pair is two classes that the model confuses: the first is taken for the second.
type Pair struct {
	True, Found string
	Count       int
	Examples    []Example
}

// Measurement collects what a model makes of each image.
type Measurement struct {
	set    *dataset.Set
	ece    metric.ECE
	images [][][]outcome // by true class and found class
}

type outcome struct {
	row         int32
	probability float32 // of the class that was found
}

// NewMeasurement is one of the images of a set.
func NewMeasurement(set *dataset.Set) *Measurement {
	m := &Measurement{set: set, images: make([][][]outcome, dataset.Classes)}
	for k := range m.images {
		m.images[k] = make([][]outcome, dataset.Classes)
	}
	return m
}

// Each adds an image. It is a function for loop.Evaluator.Each.
func (m *Measurement) Each(row, label, prediction int32, logits []float32) {
	b := &metric.Batch{Classes: len(logits), Logits: logits, Labels: []int32{label}, Predictions: []int32{prediction}}
	m.ece.Update(b)
	m.images[label][prediction] = append(m.images[label][prediction], outcome{row, b.Probabilities(0)[prediction]})
}

// The numbers of images that are shown.
const (
	mostInCell   = 6
	mostMistakes = 18
	mostPairs    = 6
)

// Measured is what was collected. images is the name of the set.
func (m *Measurement) Measured(images, about string) *Measured {
	confusion := metric.NewConfusion(dataset.Classes)
	for k, row := range m.images {
		for j, cell := range row {
			confusion[k][j] = len(cell)
		}
	}
	r := &Measured{About: about, Images: images, ECE: percentText(m.ece.Result())}
	most := 0.0 // share of a class that is taken for another
	for k, row := range confusion {
		for j, n := range row {
			if j != k {
				most = max(most, share(n, row))
			}
		}
	}
	var wrong []mistaken
	for k, row := range confusion {
		cells := Row{Class: dataset.ClassNames[k]}
		for j, n := range row {
			cell := Cell{
				ID: fmt.Sprintf("cell-%d-%d", k, j), True: dataset.ClassNames[k], Found: dataset.ClassNames[j], Count: n, Right: j == k,
				Share: percentText(share(n, row)),
			}
			outcomes := m.images[k][j]
			slices.SortStableFunc(outcomes, func(a, b outcome) int {
				if cell.Right {
					a, b = b, a
				}
				return cmp.Compare(b.probability, a.probability)
			})
			switch {
			case n == 0:
			case cell.Right:
				cell.Level = heatLevel(share(n, row))
			default:
				cell.Level = heatLevel(math.Sqrt(share(n, row) / most))
				for _, o := range outcomes {
					wrong = append(wrong, mistaken{o, k, j})
				}
			}
			for _, o := range outcomes[:min(n, mostInCell)] {
				cell.Examples = append(cell.Examples, m.example(o, k, j))
			}
			cells.Cells = append(cells.Cells, cell)
			if j != k && n > 0 {
				r.Pairs = append(r.Pairs, Pair{cell.True, cell.Found, n, cell.Examples})
			}
		}
		r.Matrix = append(r.Matrix, cells)
	}
	for _, s := range confusion.Scores(dataset.ClassNames[:]) {
		r.Classes = append(r.Classes, Score{s, percent(s.F1)})
	}
	slices.SortStableFunc(r.Pairs, func(a, b Pair) int { return b.Count - a.Count })
	r.Pairs = r.Pairs[:min(len(r.Pairs), mostPairs)]
	slices.SortStableFunc(wrong, func(a, b mistaken) int {
		return cmp.Or(cmp.Compare(b.probability, a.probability), cmp.Compare(a.row, b.row))
	})
	r.Wrong = len(wrong)
	for _, w := range wrong[:min(len(wrong), mostMistakes)] {
		r.Mistakes = append(r.Mistakes, m.example(w.outcome, w.label, w.found))
	}
	r.Bins = bars(m.ece.Bins())
	return r
}

type mistaken struct {
	outcome
	label, found int
}

func (m *Measurement) example(o outcome, label, found int) Example {
	pixels := m.set.Images[int(o.row)*dataset.Pixels : (int(o.row)+1)*dataset.Pixels]
	return Example{item(pixels), dataset.ClassNames[label], dataset.ClassNames[found], percentText(float64(o.probability)), int(o.row)}
}

// share is a part of the images of a row.
func share(n int, row []int) float64 {
	total := 0
	for _, n := range row {
		total += n
	}
	return float64(n) / float64(max(total, 1))
}

// bars are the bars of the reliability diagram.
func bars(bins []metric.Bin) (all []Bin) {
	for _, b := range bins {
		bar := Bin{
			Bin: b, X: percent(b.Low), Width: percent(b.High - b.Low), Y: percent(1 - b.Accuracy), Height: percent(b.Accuracy),
			Range: fmt.Sprintf("%.0f to %.0f %%", 100*b.Low, 100*b.High),
		}
		if b.Count > 0 {
			bar.Text, bar.Expected = percentText(b.Accuracy), percentText(b.Confidence)
		}
		all = append(all, bar)
	}
	return all
}

// percentText writes the fraction 0.9817 as 98.2 %.
func percentText(x float64) string {
	if !finite(x) {
		return "–"
	}
	return fmt.Sprintf("%.1f %%", 100*x)
}
