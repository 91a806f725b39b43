package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"fmtrain/internal/dataset"
	"fmtrain/internal/picture"
	"fmtrain/internal/predict"
	"fmtrain/internal/table"
)

// prediction is what a model makes of a picture, and its JSON.
type prediction struct {
	Image         string        `json:"image"`
	Prediction    string        `json:"prediction"`
	Label         string        `json:"label,omitempty"` // of a row
	Probabilities probabilities `json:"probabilities"`
	Unsure        bool          `json:"unsure"`
	Unusual       bool          `json:"unusual"`            // unlike the training images
	Distance      *float64      `json:"distance,omitempty"` // from the training images; nil if that is not known

	pixels  []uint8
	picture *picture.Picture // nil for a row
	ranking []int            // the classes, the most likely first
}

// probabilities are those of the classes. Their JSON has the names of the classes, in order.
type probabilities []float32

func (p probabilities) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for k, v := range p {
		if k > 0 {
			b = append(b, ',')
		}
		b = append(strconv.AppendQuote(b, dataset.ClassNames[k]), ':')
		number, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		b = append(b, number...)
	}
	return append(b, '}'), nil
}

// rank sorts the classes by their probabilities.
func (p *prediction) rank() {
	p.ranking = make([]int, len(p.Probabilities))
	for k := range p.ranking {
		p.ranking[k] = k
	}
	slices.SortStableFunc(p.ranking, func(a, b int) int {
		switch x, y := p.Probabilities[a], p.Probabilities[b]; {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	p.Prediction = dataset.ClassNames[p.ranking[0]]
	p.Unsure = p.best() < predict.Unsure
}

// best is the probability of the prediction.
func (p *prediction) best() float32 { return p.Probabilities[p.ranking[0]] }

// blank says whether the picture has one colour all over.
func (p *prediction) blank() bool { return p.picture != nil && p.picture.Blank }

// busy says whether the picture has no plain background.
func (p *prediction) busy() bool { return p.picture != nil && p.picture.Busy }

// compare keeps the distance from the training images; nil if there is no reference. Blank and busy pictures are unlike them all, at
// any distance: black is not far from their mean.
func (p *prediction) compare(r *predict.Reference) {
	p.Unusual = p.blank() || p.busy()
	if r != nil {
		distance := r.Distance(p.pixels)
		p.Unusual = p.Unusual || distance > 1
		distance = math.Round(distance*1e4) / 1e4 // more digits say nothing
		p.Distance = &distance
	}
}

// notes are the doubts about a prediction, a word each.
func (p *prediction) notes() (notes []string) {
	if p.Unusual {
		notes = append(notes, "unusual")
	}
	if p.Unsure {
		notes = append(notes, "unsure")
	}
	return notes
}

// predictionWriter shows predictions.
type predictionWriter interface {
	write(*prediction) error
	close() error
}

// jsonPredictions writes an object for each picture.
type jsonPredictions struct{ *json.Encoder }

func (j *jsonPredictions) write(p *prediction) error { return j.Encode(p) }
func (j *jsonPredictions) close() error              { return nil }

// csvPredictions writes a line for each picture.
type csvPredictions struct {
	w     *csv.Writer
	begun bool
}

func (c *csvPredictions) write(p *prediction) error {
	if !c.begun {
		_ = c.w.Write(append([]string{"image", "prediction", "probability", "label", "note"}, dataset.ClassNames[:]...)) // it keeps its error
		c.begun = true
	}
	decimal := func(p float32) string { return strconv.FormatFloat(float64(p), 'g', -1, 32) }
	record := []string{p.Image, p.Prediction, decimal(p.best()), p.Label, strings.Join(p.notes(), ", ")}
	for _, v := range p.Probabilities {
		record = append(record, decimal(v))
	}
	_ = c.w.Write(record)
	c.w.Flush() // a line is whole, whatever comes next
	return c.w.Error()
}

func (c *csvPredictions) close() error { return nil }

// predictionTable collects a line for each picture.
type predictionTable struct {
	out            io.Writer
	path           string
	rows           [][]string
	labelled, good int
}

func (t *predictionTable) write(p *prediction) error {
	second := p.ranking[1]
	t.rows = append(t.rows, []string{
		printable(p.Image), p.Prediction, chance(p.best()), dataset.ClassNames[second], chance(p.Probabilities[second]), p.Label,
		strings.Join(p.notes(), ", "),
	})
	if p.Label != "" {
		t.labelled++
		if p.Label == p.Prediction {
			t.good++
		}
	}
	return nil
}

func (t *predictionTable) close() error {
	if len(t.rows) == 0 {
		return nil
	}
	columns := []table.Column{
		{Heading: "image", Left: true, Keep: 6},
		{Heading: "prediction", Left: true, Keep: 7},
		{Keep: 5},
		{Heading: "or else", Left: true, Keep: 2},
		{Keep: 1},
		{Heading: "label", Left: true, Keep: 4},
		{Heading: "note", Left: true, Keep: 3},
	}
	for _, optional := range []int{6, 5} { // without labels or notes the columns would be empty
		if !slices.ContainsFunc(t.rows, func(row []string) bool { return row[optional] != "" }) {
			columns = slices.Delete(columns, optional, optional+1)
			for i, row := range t.rows {
				t.rows[i] = slices.Delete(row, optional, optional+1)
			}
		}
	}
	say(t.out, "%s\n\n", printable(t.path))
	if err := writeTable(t.out, columns, t.rows); err != nil {
		return err
	}
	if t.labelled > 0 {
		say(t.out, "\n%d of %d right\n", t.good, t.labelled)
	}
	return nil
}

// chance writes the probability 0.9817 as 98.2 %.
func chance(p float32) string { return fmt.Sprintf("%.1f %%", 100*p) }
