package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"fmtrain/internal/dataset"
	"fmtrain/internal/kernel"
	"fmtrain/internal/picture"
)

// mistake is an image that was classified wrongly, and its JSON.
type mistake struct {
	Index       int32   `json:"index"` // the row in its split
	Label       string  `json:"label"`
	Prediction  string  `json:"prediction"`
	Probability float32 `json:"probability"` // of the prediction
}

// mistakes are those of an evaluation, in the order of the rows.
type mistakes []mistake

// note adds a row if it was classified wrongly.
func (m *mistakes) note(row, label, prediction int32, logits []float32) {
	if label == prediction {
		return
	}
	p := make([]float32, len(logits))
	kernel.CrossEntropyRow(p, make([]float64, len(logits)), logits, 0)
	*m = append(*m, mistake{row, dataset.ClassNames[label], dataset.ClassNames[prediction], p[prediction]})
}

// worst are the n most confident mistakes, the most confident first.
func (m mistakes) worst(n int) mistakes {
	sorted := slices.Clone(m)
	slices.SortStableFunc(sorted, func(a, b mistake) int { return cmp.Compare(b.Probability, a.Probability) })
	return sorted[:min(n, len(sorted))]
}

// printMistakes shows the worst mistakes out of all, side by side as far as there is room.
func printMistakes(w io.Writer, split string, set *dataset.Set, worst mistakes, all int) {
	if len(worst) == 0 {
		say(w, "\nno mistakes\n")
		return
	}
	say(w, "\n%s of %s, the most confident first:\n", count(len(worst), "mistake"), thousands(all))
	const gap = 2
	depth := picture.DepthOf(colorOn(w), os.Getenv)
	columns := max(1, (helpWidth(w)+gap)/(picture.ShownWidth+gap))
	for side := range slices.Chunk(worst, columns) {
		var lines [picture.ShownHeight + 3]strings.Builder
		for column, m := range side {
			text := picture.Lines(set.Images[int(m.Index)*dataset.Pixels:(int(m.Index)+1)*dataset.Pixels], depth)
			for _, caption := range []string{
				fmt.Sprintf("%s:%d  %s", split, m.Index, chance(m.Probability)), "true   " + m.Label, "found  " + m.Prediction,
			} {
				text = append(text, fmt.Sprintf("%-*s", picture.ShownWidth, caption))
			}
			for i := range lines {
				if column > 0 {
					lines[i].WriteString(strings.Repeat(" ", gap))
				}
				lines[i].WriteString(text[i])
			}
		}
		fmt.Fprintln(w)
		for i := range lines {
			fmt.Fprintln(w, strings.TrimRight(lines[i].String(), " "))
		}
	}
}
